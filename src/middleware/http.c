// Reading requests and writing envelopes.

#include "middleware/http.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "service/user.h"

struct err *http_body(struct http *x, const struct field *fields, void *row)
{
    if (!x->body)
        return err_new(x->arena, &err_body_invalid, "a JSON object is required");
    return fields_from_json(x->arena, fields, x->body, row);
}

static const struct field *without_required(struct arena *a, const struct field *fields)
{
    size_t n = 0;
    while (fields[n].name)
        n++;
    struct field *copy = NEW_ARRAY(a, struct field, n + 1);
    for (size_t i = 0; i < n; i++) {
        copy[i] = fields[i];
        copy[i].flags &= ~(unsigned)REQUIRED;
    }
    return copy;
}

struct err *http_patch(struct http *x, const struct field *fields, void *row)
{
    return http_body(x, without_required(x->arena, fields), row);
}

struct err *http_body_id(struct http *x, int64_t *id)
{
    static const struct field fields[] = {
        {.name = "id", .type = FIELD_BIG, .flags = REQUIRED, .min = 1, .max = 9e18},
        {0},
    };
    return http_body(x, fields, id);
}

bool http_has(const struct http *x, const char *member)
{
    yyjson_val *v = yyjson_obj_get(x->body, member);
    return v && !yyjson_is_null(v);
}

const char *http_param(struct http *x, const char *name)
{
    for (size_t i = 0; i < x->param_count; i++)
        if (str_is(x->params[i].name, name)) {
            struct str value = url_decode(x->arena, x->params[i].value, false);
            return value.p ? arena_str(x->arena, value) : "";
        }
    return "";
}

struct err *http_param_int(struct http *x, const char *name, int64_t *out)
{
    if (str_to_int(str_of(http_param(x, name)), out) && *out > 0)
        return NULL;
    return err_new(x->arena, &err_not_found, "%s", name);
}

const char *http_query(struct http *x, const char *name)
{
    struct str value = url_query(x->arena, x->exchange->query, name);
    return value.p ? arena_str(x->arena, value) : NULL;
}

struct err *http_query_int(struct http *x, const char *name, int64_t min, int64_t max,
                           int64_t fallback, int64_t *out)
{
    const char *text = http_query(x, name);
    *out = fallback;
    if (text_is_empty(text))
        return NULL;
    if (str_to_int(str_of(text), out) && *out >= min && *out <= max)
        return NULL;
    return err_new(x->arena, &err_field_invalid, "%s", name);
}

const char *http_cookie(struct http *x, const char *name)
{
    const struct http_headers *h = &x->exchange->headers;
    for (size_t i = 0; i < h->count; i++) {
        struct str all = h->items[i].value, piece, key;
        if (!str_is_nocase(h->items[i].name, "cookie"))
            continue;
        while (str_next(&all, ';', &piece)) {
            struct str value = str_trim(piece);
            if (str_next(&value, '=', &key) && str_is(key, name))
                return arena_str(x->arena, value);
        }
    }
    return "";
}

// --- answers --------------------------------------------------------------------------

enum audience http_audience(const struct http *x)
{
    return x->user->role >= ROLE_ADMIN ? FOR_ADMIN : FOR_USER;
}

void http_header_add(struct http *x, const char *name, const char *value)
{
    if (x->header_count == HTTP_HEADERS)
        return;
    x->headers[x->header_count++] =
        (struct http_header){str_of(name), str_of(arena_strdup(x->arena, value))};
}

struct json http_data(struct http *x)
{
    struct json j = {.out = &x->out};
    buf_clear(&x->out);
    json_obj(&j, NULL);
    json_bool(&j, "success", true);
    json_str(&j, "message", "");
    return j;
}

struct err *http_done(struct http *x, struct json *j)
{
    json_end_all(j);
    x->status = 200;
    x->content_type = "application/json; charset=utf-8";
    return x->out.overflow ? err_new(x->arena, &err_internal, "the answer is too large") : NULL;
}

struct err *http_ok(struct http *x)
{
    struct json j = http_data(x);
    json_null(&j, "data");
    return http_done(x, &j);
}

struct err *http_reply(struct http *x, const struct table *t, const void *row)
{
    struct json j = http_data(x);
    fields_to_json(t->fields, row, &j, "data", http_audience(x));
    return http_done(x, &j);
}

struct err *http_reply_text(struct http *x, const char *content_type, struct str text)
{
    buf_clear(&x->out);
    buf_str(&x->out, text);
    x->status = 200;
    x->content_type = content_type;
    return NULL;
}

void http_fail(struct http *x, const struct err *e)
{
    struct json j = {.out = &x->out};
    x->out.overflow = false;
    buf_clear(&x->out);
    json_obj(&j, NULL);
    json_bool(&j, "success", false);
    json_str(&j, "message", i18n_error(x->arena, x->language, e));
    json_str(&j, "code", e->kind->code);
    if (e->kind == &err_field_invalid || e->kind == &err_field_missing)
        json_str(&j, "field", e->detail); // so that forms can say it where it belongs
    json_null(&j, "data");
    json_end(&j);
    x->status = e->status ? e->status : e->kind->status;
    x->content_type = "application/json; charset=utf-8";
    if (e->retry_after)
        http_header_add(x, "Retry-After", arena_printf(x->arena, "%d", e->retry_after));
}

struct err *http_settings(struct http *x, struct settings *out)
{
    const char *odd = NULL;
    return settings_load(x->db, x->arena, out, &odd);
}

struct err *http_log_db(struct http *x, struct db **out)
{
    bool apart = x->log_pool != x->pool;
    if (apart && !x->log_db)
        TRY(db_lease(x->log_pool, x->arena, &x->log_db));
    *out = apart ? x->log_db : x->db;
    return NULL;
}

void http_db_release(struct http *x)
{
    db_return(x->db);
    db_return(x->log_db);
    x->db = x->log_db = NULL;
}

struct err *http_db_take(struct http *x)
{
    return x->db ? NULL : db_lease(x->pool, x->arena, &x->db);
}

struct err *http_take_password(struct http *x, struct user *user, const char *password)
{
    http_db_release(x);
    TRY(user_take_password(x->arena, user, password));
    return http_db_take(x);
}

struct err *http_recall(struct http *x, enum account_kind kind, int64_t id)
{
    http_db_release(x);
    TRY(ledger_recall(x->arena, kind, id));
    return http_db_take(x);
}

void http_changed(struct http *x, enum change_kind kind, int64_t id)
{
    if (x->change_count < HTTP_CHANGES)
        x->changes[x->change_count++] = (struct http_change){kind, id};
}
