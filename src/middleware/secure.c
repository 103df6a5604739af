// Headers that tell browsers to be careful with what we answer.

#include "middleware/guards.h"

static const char *const headers[][2] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

struct err *guard_secure(struct http *x)
{
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        http_header_add(x, headers[i][0], headers[i][1]);
    return NULL;
}
