// AWS Signature Version 4 (bedrock.md 3): a request signed as it will be sent.

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct arena;
struct err;

struct sigv4 {
    const char *method, *url; // as sent: the path percent-encoded once
    struct str headers;     // "Name: value\r\n" lines, of which content-type and x-amz-* are signed
    const struct str *body; // in pieces
    size_t pieces;
    const char *region, *service;
    const char *access_key, *secret, *session; // session "" or NULL: a lasting key
    int64_t now;                               // unix seconds
};

// Appends X-Amz-Date, X-Amz-Security-Token (of a session) and Authorization lines to `out`.
// err_field_invalid: the URL. The signed host is what url_authority says.
struct err *sigv4_sign(struct arena *a, const struct sigv4 *in, struct buf *out);
