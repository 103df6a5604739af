// Options: what can be set while we run.

#include "controller/option.h"

#include "common/arena.h"
#include "service/audit.h"

struct err *api_option_list(struct http *x)
{
    struct settings s;
    TRY(http_settings(x, &s));
    struct json j = http_data(x);
    json_arr(&j, "data");
    settings_write(&s, &j);
    return http_done(x, &j);
}

// A secret one is as good as absent: it can be set, never read.
static struct err *find(struct http *x, const char *key)
{
    const struct setting_group *group;
    const struct field *f = setting_find(key, &group);
    return f && !(f->flags & SECRET) ? NULL : err_new(x->arena, &err_not_found, "option %s", key);
}

struct err *api_option_show(struct http *x)
{
    struct settings s;
    const char *key = http_param(x, "key");
    TRY(find(x, key));
    TRY(http_settings(x, &s));
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_str(&j, "key", key);
    json_str(&j, "value", setting_text(x->arena, &s, key));
    return http_done(x, &j);
}

// The value as text: given as text, or as the JSON that the text would be.
static struct err *read_value(struct http *x, const char **out)
{
    yyjson_val *value = yyjson_obj_get(x->body, "value");
    if (!value || yyjson_is_null(value))
        return err_new(x->arena, &err_field_missing, "value");
    struct str text = yyjson_is_str(value)
                          ? (struct str){yyjson_get_str(value), yyjson_get_len(value)}
                          : json_text_of(x->arena, value);
    *out = arena_str(x->arena, text);
    return utf8_valid(text) ? NULL : err_new(x->arena, &err_field_invalid, "value");
}

static struct err *note(struct http *x, const char *key)
{
    const char *content = arena_printf(x->arena, "Option %s changed", key);
    struct audit what = {LOG_TYPE_MANAGE, x->exchange->request_id, x->ip, x->user, NULL, content};
    return audit_write(x->db, x->arena, &what);
}

struct err *api_option_set(struct http *x)
{
    const char *key = json_text_at(x->body, "key"), *value = NULL;
    if (text_is_empty(key))
        return err_new(x->arena, &err_field_missing, "key");
    TRY(read_value(x, &value));
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(setting_set(x->db, x->arena, key, value));
    TRY(note(x, key));
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_SETTINGS, 0);
    return http_ok(x);
}
