// Loading, checking and storing options by table.

#include "setting/setting.h"

#include <string.h>

#include "common/arena.h"
#include "model/config.h"

static void *group_of(const struct setting_group *g, struct settings *s)
{
    return (char *)s + g->at;
}

const struct field *setting_find(const char *key, const struct setting_group **group)
{
    for (const struct setting_group *g = setting_groups; g->name; g++) {
        const struct field *f = field_by_name(g->fields, key);
        if (f) {
            *group = g;
            return f;
        }
    }
    return NULL;
}

void settings_default(struct arena *a, struct settings *out)
{
    for (const struct setting_group *g = setting_groups; g->name; g++) {
        fields_default(a, g->fields, group_of(g, out));
        if (g->fill)
            g->fill(out);
    }
}

// Sets one value if its field and its group accept it.
static struct err *overlay(struct arena *a, struct settings *s, const char *key, const char *value)
{
    const struct setting_group *g;
    const struct field *f = setting_find(key, &g);
    if (!f)
        return err_new(a, &err_not_found, "option %s", key);
    struct field_value v, before = field_get(f, group_of(g, s));
    TRY(field_parse(a, f, value, &v));
    field_set(f, group_of(g, s), v);
    struct err *e = g->check ? g->check(a, s) : NULL;
    if (e)
        field_set(f, group_of(g, s), before);
    return e;
}

struct err *settings_load(struct db *db, struct arena *a, struct settings *out, const char **odd)
{
    struct rows rows;
    settings_default(a, out);
    *odd = "";
    TRY(db_list(db, a, &config_table, &rows, "id > 0 ORDER BY id"));
    const struct config *items = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        if (overlay(a, out, items[i].key, items[i].value))
            *odd = arena_printf(a, "%s%s%s", *odd, **odd ? "," : "", items[i].key);
    return NULL;
}

struct err *setting_set(struct db *db, struct arena *a, const char *key, const char *value)
{
    struct settings now;
    const char *odd;
    TRY(settings_load(db, a, &now, &odd));
    TRY(overlay(a, &now, key, value));
    return config_set(db, a, key, value);
}

static const char *text_of(struct arena *a, const struct field *f, struct field_value v)
{
    switch (f->type) {
    case FIELD_BOOL: return v.i ? "true" : "false";
    case FIELD_INT:
    case FIELD_BIG: return arena_printf(a, "%lld", (long long)v.i);
    case FIELD_REAL: return arena_printf(a, "%.15g", v.r);
    case FIELD_TEXT: return v.s;
    }
    return "";
}

const char *setting_text(struct arena *a, const struct settings *s, const char *key)
{
    const struct setting_group *g;
    const struct field *f = setting_find(key, &g);
    return f ? text_of(a, f, field_get(f, (const char *)s + g->at)) : NULL;
}

void settings_write(const struct settings *s, struct json *j)
{
    static const char *const types[] = {"bool", "int", "int", "real", "text"};
    ARENA(a);
    struct settings defaults;
    settings_default(a, &defaults);
    for (const struct setting_group *g = setting_groups; g->name; g++) {
        for (const struct field *f = g->fields; f->name; f++) {
            if (f->flags & SECRET)
                continue;
            json_obj(j, NULL);
            json_str(j, "key", f->name);
            json_str(j, "value", text_of(a, f, field_get(f, (const char *)s + g->at)));
            json_str(j, "group", g->name);
            json_str(j, "type", f->flags & JSON_TEXT ? "json" : types[f->type]);
            json_str(j, "default", text_of(a, f, field_get(f, (const char *)&defaults + g->at)));
            json_end(j);
        }
    }
}

// --- lists of statuses ----------------------------------------------------------

static bool read_range(struct str piece, int64_t *from, int64_t *to)
{
    const char *dash = memchr(piece.p, '-', piece.n);
    if (!dash) {
        bool fine = str_to_int(str_trim(piece), from);
        *to = *from;
        return fine;
    }
    size_t at = (size_t)(dash - piece.p);
    return str_to_int(str_trim((struct str){piece.p, at}), from) &&
           str_to_int(str_trim(str_skip(piece, at + 1)), to);
}

bool status_list_has(const char *list, int status)
{
    struct str rest = str_of(list), piece;
    int64_t from, to;
    while (str_next(&rest, ',', &piece))
        if (read_range(piece, &from, &to) && status >= from && status <= to)
            return true;
    return false;
}

bool status_list_valid(const char *list)
{
    struct str rest = str_of(list), piece;
    int64_t from, to;
    while (str_next(&rest, ',', &piece))
        if (!read_range(piece, &from, &to) || from < 100 || to > 599 || from > to)
            return false;
    return true;
}
