// Checks that need to know providers or other fields.

#include "controller/channel_rules.h"

#include <string.h>

#include "common/arena.h"
#include "common/http/client.h"
#include "relay/channel/provider.h"

#define MASK "***"

static struct err *invalid(struct arena *a, const char *field)
{
    return err_new(a, &err_field_invalid, "%s", field);
}

struct err *channel_read_type(struct arena *a, yyjson_val *body)
{
    yyjson_val *type = yyjson_obj_get(body, "type");
    if (!yyjson_is_str(type))
        return NULL;
    int number = provider_type(yyjson_get_str(type));
    if (!number)
        return invalid(a, "type");
    yyjson_set_sint(type, number);
    return NULL;
}

static struct err *check_url(struct arena *a, const char *field, const char *text,
                             const char *schemes)
{
    struct url url;
    if (text_is_empty(text))
        return NULL;
    return url_parse(a, text, &url) || !list_has(schemes, url.scheme) ? invalid(a, field) : NULL;
}

static struct err *check_base(struct arena *a, const struct channel *c)
{
    const struct provider *p = provider_of(c->type);
    if (!p)
        return invalid(a, "type");
    if (text_is_empty(c->base_url) && (p->quirks & NEEDS_BASE_URL || !p->base_url))
        return err_new(a, &err_field_missing, "base_url");
    return check_url(a, "base_url", c->base_url, "http,https");
}

// An object whose values are texts; the object is NULL when there is none.
static struct err *read_texts(struct arena *a, const char *field, const char *text,
                              yyjson_val **object)
{
    yyjson_val *key, *value;
    size_t i, max;
    *object = NULL;
    if (text_is_empty(text))
        return NULL;
    if (json_read(a, str_of(text), object) || json_no_duplicates(a, *object))
        return invalid(a, field);
    yyjson_obj_foreach(*object, i, max, key, value)
    {
        const char *s = yyjson_get_str(value);
        if (!yyjson_get_len(key) || text_is_empty(s) || strpbrk(s, "\r\n"))
            return invalid(a, field);
    }
    return NULL;
}

// Following the mapping from any name must end: after as many steps as there are names it is a
// loop. A name that leads to itself ends there.
static struct err *check_mapping(struct arena *a, const char *text)
{
    yyjson_val *map, *key, *value;
    size_t i, max;
    TRY(read_texts(a, "model_mapping", text, &map));
    yyjson_obj_foreach(map, i, max, key, value)
    {
        const char *name = yyjson_get_str(key), *next = yyjson_get_str(value);
        for (size_t steps = 0; next && strcmp(next, name) != 0; steps++) {
            if (steps > max)
                return invalid(a, "model_mapping");
            name = next;
            next = json_text_at(map, name);
        }
    }
    return NULL;
}

// What the client would refuse with every request is refused here.
static struct err *check_headers(struct arena *a, const char *text)
{
    yyjson_val *map, *name, *value;
    size_t i, max;
    BUF_HERE(lines, 64 << 10);
    struct call call = {.arena = a, .method = "GET"};
    TRY(read_texts(a, "header_override", text, &map));
    yyjson_obj_foreach(map, i, max, name, value)
    {
        buf_printf(&lines, "%s: %s\r\n", yyjson_get_str(name), yyjson_get_str(value));
    }
    TRY(url_parse(a, "http://localhost/", &call.url));
    call.headers = buf_view(&lines);
    return lines.overflow || call_check(&call) ? invalid(a, "header_override") : NULL;
}

static bool has_item(const char *list)
{
    struct str rest = str_of(list), item;
    while (str_next(&rest, ',', &item))
        if (str_trim(item).n)
            return true;
    return false;
}

struct err *channel_check(struct arena *a, const struct channel *c)
{
    TRY(check_base(a, c));
    TRY(check_url(a, "proxy", c->proxy, "http,https,socks5,socks5h"));
    TRY(check_mapping(a, c->model_mapping));
    TRY(check_headers(a, c->header_override));
    if (!has_item(c->group))
        return invalid(a, "group");
    return has_item(c->models) ? NULL : err_new(a, &err_field_missing, "models");
}

// Where the password of a URL stands: {0} if it has none.
static struct str password_in(const char *url)
{
    const char *scheme = strstr(url, "://");
    struct str rest = str_of(scheme ? scheme + 3 : "");
    rest.n = strcspn(rest.p, "/?#");
    const char *at = memrchr(rest.p, '@', rest.n);
    const char *colon = at ? memchr(rest.p, ':', (size_t)(at - rest.p)) : NULL;
    return colon ? (struct str){colon + 1, (size_t)(at - colon - 1)} : (struct str){0};
}

const char *channel_masked(struct arena *a, const char *url)
{
    struct str password = password_in(url);
    if (!password.n)
        return url;
    return arena_printf(a, "%.*s" MASK "%s", (int)(password.p - url), url, password.p + password.n);
}

struct err *channel_unmask(struct arena *a, const char *stored, const char **url)
{
    if (!str_is(password_in(*url), MASK))
        return NULL;
    if (strcmp(*url, channel_masked(a, stored)) != 0)
        return invalid(a, "proxy");
    *url = stored;
    return NULL;
}

static bool has_line(const struct buf *lines, struct str line)
{
    struct str rest = buf_view(lines), other;
    while (str_next(&rest, '\n', &other))
        if (str_eq(other, line))
            return true;
    return false;
}

const char *channel_clean_keys(struct arena *a, const char *keys)
{
    struct str rest = str_of(keys), line;
    BUF_HERE(out, rest.n + 1);
    while (str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        if (!line.n || has_line(&out, line))
            continue;
        if (out.n)
            buf_puts(&out, "\n");
        buf_str(&out, line);
    }
    return arena_str(a, buf_view(&out));
}
