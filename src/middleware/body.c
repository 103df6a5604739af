// The body is JSON, or nothing.

#include "common/arena.h"
#include "middleware/guards.h"

// A missing Content-Type is taken for JSON; forms, which foreign pages can send, are not.
static bool says_json(const struct http *x)
{
    struct str type = http_media_type(http_header(&x->exchange->headers, "content-type"));
    return !type.n || str_is_nocase(type, "application/json") || str_is_nocase(type, "text/json");
}

struct err *guard_body(struct http *x)
{
    struct str body = x->exchange->body;
    if (!body.n)
        return NULL;
    if (!says_json(x))
        return err_new(x->arena, &err_content_type_unsupported, "not JSON");
    return json_read(x->arena, body, &x->body);
}
