// The order of the guards. The request id is the server's (common/http/server.h).

#include "middleware/guards.h"

static struct err *(*const guards[])(struct http *x) = {
    guard_secure, guard_language, guard_client, guard_auth, guard_csrf, guard_role, guard_body,
};

struct err *guards_run(struct http *x)
{
    for (size_t i = 0; i < sizeof(guards) / sizeof(*guards); i++)
        TRY(guards[i](x));
    return NULL;
}
