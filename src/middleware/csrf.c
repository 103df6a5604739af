// Does a request that came with a cookie come from our own pages? Double submit: the header repeats
// the cookie, and both belong to the session. Access tokens are never sent by themselves.

#include "middleware/cookies.h"
#include "middleware/guards.h"

static bool changes_nothing(struct str method)
{
    return str_is(method, "GET") || str_is(method, "HEAD");
}

// What browsers say themselves, where they do. Holds for GET, too: one of them makes a token.
static bool from_elsewhere(struct str site)
{
    return site.p && !str_is_nocase(site, "same-origin") && !str_is_nocase(site, "none");
}

struct err *guard_csrf(struct http *x)
{
    if (!x->session->id)
        return NULL;
    const struct exchange *e = x->exchange;
    if (from_elsewhere(http_header(&e->headers, "sec-fetch-site")))
        return err_new(x->arena, &err_csrf_failed, "sent by another site");
    if (changes_nothing(e->method))
        return NULL;
    struct str header = http_header(&e->headers, "x-csrf-token");
    if (!str_is(header, http_cookie(x, CSRF_COOKIE)) ||
        !session_csrf_fits(x->arena, x->session, header))
        return err_new(x->arena, &err_csrf_failed, "token differs");
    return NULL;
}
