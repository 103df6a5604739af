// Amazon Bedrock's addresses and credentials (bedrock.md 1 to 3).
//
// A channel's key is "access key id|secret access key|region", with "|session token" behind it for
// temporary credentials, or a Bedrock API key: "API key|region". Where the key names no region,
// `other` of the channel does.

#pragma once
#include "relay/chat.h"

struct attempt;

// "{region}" in the base URL is replaced. Lists of models come from the control plane, which is
// another host: "bedrock" instead of "bedrock-runtime".
struct err *aws_url(struct attempt *t);
// An API key travels as it is; a secret only signs, once the body is known.
struct err *auth_aws(struct attempt *t);
struct err *aws_sign(struct attempt *t, const char *method, const struct str *body, size_t pieces);
