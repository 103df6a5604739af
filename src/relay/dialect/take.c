// Reading members of a caller's request with one kind of failure: the member's name.

#include "relay/dialect/take.h"

#include <string.h>

#include "common/arena.h"

static struct err *invalid(struct arena *a, const char *key)
{
    return err_new(a, &err_field_invalid, "%s", key);
}

static yyjson_val *member(yyjson_val *body, const char *key)
{
    yyjson_val *v = yyjson_obj_get(body, key);
    return yyjson_is_null(v) ? NULL : v;
}

struct err *take_real(struct arena *a, yyjson_val *body, const char *key, bool *has, double *out)
{
    yyjson_val *v = member(body, key);
    if (!v)
        return NULL;
    if (!yyjson_is_num(v))
        return invalid(a, key);
    *has = true;
    *out = yyjson_get_num(v);
    return NULL;
}

struct err *take_int(struct arena *a, yyjson_val *body, const char *key, bool *has, int64_t *out)
{
    yyjson_val *v = member(body, key);
    if (!v)
        return NULL;
    int64_t got = json_int_at(body, key, INT64_MIN);
    if (got == INT64_MIN)
        return invalid(a, key);
    *has = true;
    *out = got;
    return NULL;
}

struct err *take_bool(struct arena *a, yyjson_val *body, const char *key, bool *out)
{
    yyjson_val *v = member(body, key);
    if (v && !yyjson_is_bool(v))
        return invalid(a, key);
    *out = v && yyjson_get_bool(v);
    return NULL;
}

struct err *take_text(struct arena *a, yyjson_val *body, const char *key, const char **out)
{
    yyjson_val *v = member(body, key);
    if (v && (!yyjson_is_str(v) || memchr(yyjson_get_str(v), '\0', yyjson_get_len(v))))
        return invalid(a, key); // a name that says more upstream than here is none
    if (v && yyjson_get_len(v))
        *out = yyjson_get_str(v);
    return NULL;
}

struct str found_text(struct arena *a, struct str title, struct str source,
                      const struct chat_part *content)
{
    struct str text = parts_text(a, content, "\n");
    return str_of(
        arena_printf(a, "[%.*s](%.*s)\n%.*s", STR_ARGS(title), STR_ARGS(source), STR_ARGS(text)));
}

bool text_is_blank(struct str s)
{
    return str_trim(s).n == 0;
}

bool text_is_billing(struct str s)
{
    return str_starts(s, "x-anthropic-billing-header");
}

struct err *take_stops(struct arena *a, yyjson_val *body, const char *key, const char ***out)
{
    yyjson_val *v = member(body, key), *item;
    if (!v)
        return NULL;
    if (!yyjson_is_str(v) && !yyjson_is_arr(v))
        return invalid(a, key);
    const char **list = NEW_ARRAY(a, const char *, yyjson_arr_size(v) + 2);
    size_t n = 0, i, max;
    if (yyjson_is_str(v) && !text_is_blank(str_of(yyjson_get_str(v))))
        list[n++] = yyjson_get_str(v);
    yyjson_arr_foreach(v, i, max, item)
    {
        if (!yyjson_is_str(item))
            return invalid(a, key);
        if (!text_is_blank(str_of(yyjson_get_str(item))))
            list[n++] = yyjson_get_str(item);
    }
    *out = n ? list : NULL;
    return NULL;
}

struct err *take_list(struct arena *a, yyjson_val *body, const char *key, yyjson_val **out)
{
    *out = member(body, key);
    return *out && !yyjson_is_arr(*out) ? invalid(a, key) : NULL;
}

struct err *take_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    *out = (struct chat_head){.choices = 1};
    if (!yyjson_is_obj(body))
        return err_new(a, &err_json_invalid, "not an object");
    TRY(json_no_duplicates(a, body));
    TRY(take_text(a, body, "model", &out->model));
    return take_bool(a, body, "stream", &out->stream);
}

const char *take_session(yyjson_val *body)
{
    const char *key = json_text_at(body, "prompt_cache_key");
    return text_is_empty(key) ? json_text_at(body, "user") : key;
}

struct chat_part *part_add(struct arena *a, struct chat_part ***end, enum part_kind kind)
{
    struct chat_part *p = NEW(a, struct chat_part);
    p->kind = kind;
    **end = p;
    *end = &p->next;
    return p;
}

struct chat_message *message_add(struct arena *a, struct chat_message ***end, enum chat_role role)
{
    struct chat_message *m = NEW(a, struct chat_message);
    m->role = role;
    **end = m;
    *end = &m->next;
    return m;
}

void results_split(struct arena *a, struct chat_message *m, struct chat_message ***end)
{
    struct chat_part *others = NULL, **others_end = &others, *next;
    struct chat_part *results = NULL, **results_end = &results;
    for (struct chat_part *p = m->parts; p; p = next) {
        next = p->next;
        p->next = NULL;
        struct chat_part ***list = p->kind == PART_TOOL_RESULT ? &results_end : &others_end;
        **list = p;
        *list = &p->next;
    }
    m->parts = results ? results : others;
    if (!results)
        return;
    m->role = ROLE_TOOL;
    if (others)
        message_add(a, end, ROLE_USER)->parts = others;
}

struct str parts_text(struct arena *a, const struct chat_part *parts, const char *between)
{
    const struct chat_part *only = NULL;
    struct str gap = str_of(between);
    size_t n = 0, count = 0;
    for (const struct chat_part *p = parts; p; p = p->next)
        if (p->kind == PART_TEXT) {
            only = p;
            count++;
            n += p->text.n + gap.n;
        }
    if (count < 2)
        return only ? only->text : (struct str){0};
    char *text = arena_raw(a, n), *at = text;
    for (const struct chat_part *p = parts; p; p = p->next)
        if (p->kind == PART_TEXT) {
            if (at != text) {
                memcpy(at, gap.p, gap.n);
                at += gap.n;
            }
            memcpy(at, p->text.p, p->text.n);
            at += p->text.n;
        }
    return (struct str){text, (size_t)(at - text)};
}

struct str object_text(struct arena *a, struct str arguments)
{
    yyjson_val *root = NULL;
    struct str trimmed = str_trim(arguments);
    if (!trimmed.n || str_is(trimmed, "null"))
        return STR("{}");
    if (!json_read(a, arguments, &root) && yyjson_is_obj(root))
        return trimmed;
    BUF_HERE(wrapped, arguments.n * 6 + 64);
    struct json j = {.out = &wrapped};
    json_obj(&j, NULL);
    json_strn(&j, "_raw", arguments);
    json_end(&j);
    return str_of(arena_str(a, buf_view(&wrapped)));
}

void ride_along(struct arena *a, struct json *j, yyjson_val *body, const char *const *known)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(body, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        size_t k = 0;
        while (known[k] && strcmp(known[k], name) != 0)
            k++;
        if (!known[k])
            json_raw(j, name, json_text_of(a, value));
    }
}
