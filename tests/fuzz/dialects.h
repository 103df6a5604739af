// The translation of requests and replies, driven the way a relay drives it, by any bytes.

#pragma once
#include "input.h"
#include "relay/chat.h"

// Parses the text as a caller of `speaks` would send it and writes it for both dialects.
void dialects_request(const struct dialect *speaks, struct input in);
// Reads the text as a stream (cut at every place the control bytes say) or a whole reply of
// `provider`, and writes it for a caller of each dialect, streaming and not.
void dialects_stream(const struct dialect *provider, struct input in);
void dialects_whole(const struct dialect *provider, struct input in);
