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

struct str text_trimmed(struct str s)
{
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
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

struct err *take_sampling(struct arena *a, yyjson_val *body, const struct sampling_names *names,
                          struct chat_request *out)
{
    const struct {
        const char *name;
        bool *said;
        double *value;
    } reals[] = {
        {names->temperature, &out->has_temperature, &out->temperature},
        {names->top_p, &out->has_top_p, &out->top_p},
        {names->presence, &out->has_presence, &out->presence},
        {names->frequency, &out->has_frequency, &out->frequency},
    };
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++)
        if (reals[i].name)
            TRY(take_real(a, body, reals[i].name, reals[i].said, reals[i].value));
    if (names->top_k)
        TRY(take_int(a, body, names->top_k, &out->has_top_k, &out->top_k));
    if (names->seed)
        TRY(take_int(a, body, names->seed, &out->has_seed, &out->seed));
    return names->stop ? take_stops(a, body, names->stop, &out->stop) : NULL;
}

struct err *take_role(struct arena *a, yyjson_val *message, size_t at, enum chat_role *out)
{
    static const struct {
        const char *name;
        enum chat_role role;
    } roles[] = {{"user", ROLE_USER}, {"assistant", ROLE_ASSISTANT}, {"system", ROLE_SYSTEM}};
    const char *name = json_text_at(message, "role");
    for (size_t i = 0; name && i < sizeof(roles) / sizeof(*roles); i++)
        if (!strcmp(roles[i].name, name)) {
            *out = roles[i].role;
            return NULL;
        }
    return err_new(a, &err_field_invalid, "messages[%zu].role", at);
}

struct err *take_content(struct arena *a, yyjson_val *content, const char *field,
                         struct err *(*read)(struct arena *a, yyjson_val *in,
                                             struct chat_part ***end),
                         struct chat_part ***end)
{
    size_t i, max;
    yyjson_val *part;
    if (yyjson_get_len(content) && yyjson_is_str(content))
        part_add(a, end, PART_TEXT)->text =
            (struct str){yyjson_get_str(content), yyjson_get_len(content)};
    else if (content && !yyjson_is_str(content) && !yyjson_is_null(content) &&
             !yyjson_is_arr(content))
        return err_new(a, &err_field_invalid, "%s", field);
    yyjson_arr_foreach(content, i, max, part) TRY(read(a, part, end));
    return NULL;
}

bool part_is_nothing(yyjson_val *in)
{
    static const char *const texts[] = {"text", "input_text", "output_text"};
    const char *type = json_text_at(in, "type");
    for (size_t i = 0; type && i < sizeof(texts) / sizeof(*texts); i++)
        if (!strcmp(texts[i], type))
            return !json_str_at(in, "text").n;
    return false;
}

struct chat_part *part_read(struct arena *a, yyjson_val *in, const struct part_row *rows,
                            const struct dialect *owner, struct chat_part ***end)
{
    const char *type = json_text_at(in, "type");
    while (rows->type && !text_eq(type, rows->type))
        rows++;
    struct chat_part *p = part_add(a, end, rows->type ? rows->kind : PART_RAW);
    p->raw = in;
    p->owner = owner;
    if (rows->type)
        rows->read(a, in, p);
    return p;
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
