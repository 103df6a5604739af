// Secure only over https: on a plain LAN address browsers would silently drop the cookies.

#include "middleware/cookies.h"

#include "common/arena.h"

static void set(struct http *x, const char *name, const char *value, int64_t seconds, bool hidden)
{
    http_header_add(x, "Set-Cookie",
                    arena_printf(x->arena, "%s=%s; Path=/; Max-Age=%lld; SameSite=Lax%s%s", name,
                                 value, (long long)seconds, hidden ? "; HttpOnly" : "",
                                 x->https ? "; Secure" : ""));
}

void cookies_set(struct http *x, const struct session_ticket *ticket)
{
    set(x, SESSION_COOKIE, ticket->jwt, ticket->seconds, true);
    set(x, CSRF_COOKIE, ticket->csrf, ticket->seconds, false);
}

void cookies_clear(struct http *x)
{
    set(x, SESSION_COOKIE, "", 0, true);
    set(x, CSRF_COOKIE, "", 0, false);
}
