// Who asks: an access token in the Authorization header, else the session in the cookie.

#include "common/arena.h"
#include "middleware/cookies.h"
#include "middleware/guards.h"
#include "model/token.h"
#include "service/session.h"

// The token of "Bearer <token>", .p NULL if the header is something else.
static struct str bearer(const struct http *x)
{
    struct str value = str_trim(http_header(&x->exchange->headers, "authorization")), scheme;
    if (!value.p || !str_next(&value, ' ', &scheme) || !str_is_nocase(scheme, "bearer"))
        return (struct str){0};
    return str_trim(value);
}

static struct err *by_access_token(struct http *x, struct str token)
{
    const char *digest = token_digest(x->arena, arena_str(x->arena, token));
    struct err *e = user_by_access_token(x->db, x->arena, digest, x->user);
    if (e && e->kind == &err_not_found)
        e = err_new(x->arena, &err_login_required, "unknown access token");
    if (!e && x->user->status != STATUS_ON)
        e = err_new(x->arena, &err_user_disabled, "%s", x->user->username);
    return e;
}

static struct err *by_session(struct http *x)
{
    const char *jwt = http_cookie(x, SESSION_COOKIE);
    if (!*jwt)
        return err_new(x->arena, &err_login_required, "no session");
    return session_check(x->db, x->arena, str_of(jwt), x->session, x->user);
}

struct err *guard_auth(struct http *x)
{
    if (x->role == ROLE_GUEST)
        return NULL;
    struct str token = bearer(x);
    struct err *e = token.p ? by_access_token(x, token) : by_session(x);
    if (e) {
        *x->user = (struct user){0};
        *x->session = (struct session){0};
    }
    return e;
}
