// Moving values between struct members, text and JSON by table.

#include "common/field.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

struct field_value field_get(const struct field *f, const void *row)
{
    const void *p = (const char *)row + f->at;
    struct field_value v = {.type = f->type};
    switch (f->type) {
    case FIELD_BOOL: v.i = *(const bool *)p; break;
    case FIELD_INT: v.i = *(const int *)p; break;
    case FIELD_BIG: v.i = *(const int64_t *)p; break;
    case FIELD_REAL: v.r = *(const double *)p; break;
    case FIELD_TEXT: v.s = *(const char *const *)p; break;
    }
    return v;
}

void field_set(const struct field *f, void *row, struct field_value v)
{
    void *p = (char *)row + f->at;
    switch (f->type) {
    case FIELD_BOOL: *(bool *)p = v.i != 0; break;
    case FIELD_INT: *(int *)p = (int)v.i; break;
    case FIELD_BIG: *(int64_t *)p = v.i; break;
    case FIELD_REAL: *(double *)p = v.r; break;
    case FIELD_TEXT: *(const char **)p = v.s; break;
    }
}

const struct field *field_by_name(const struct field *fields, const char *name)
{
    for (const struct field *f = fields; f->name; f++)
        if (!strcmp(f->name, name))
            return f;
    return NULL;
}

static struct err *invalid(struct arena *a, const struct field *f)
{
    return err_new(a, &err_field_invalid, "%s", f->name);
}

static bool is_json_object(struct arena *a, const char *text)
{
    yyjson_val *root;
    return text_is_empty(text) || (!json_read(a, str_of(text), &root) && yyjson_is_obj(root));
}

struct err *field_check(struct arena *a, const struct field *f, struct field_value v)
{
    if (f->type == FIELD_INT && (v.i < INT32_MIN || v.i > INT32_MAX))
        return invalid(a, f);
    if (f->type == FIELD_REAL && !isfinite(v.r))
        return invalid(a, f);
    if (f->type == FIELD_TEXT && !utf8_valid(str_of(v.s)))
        return invalid(a, f);
    if (f->flags & JSON_TEXT && !is_json_object(a, v.s))
        return invalid(a, f);
    if (f->min == 0 && f->max == 0)
        return NULL;
    double n = f->type == FIELD_TEXT   ? (double)str_of(v.s).n
               : f->type == FIELD_REAL ? v.r
                                       : (double)v.i;
    return n >= f->min && n <= f->max ? NULL : invalid(a, f);
}

static bool parse_bool(const char *text, int64_t *out)
{
    bool yes = text_eq(text, "true") || text_eq(text, "1");
    *out = yes;
    return yes || text_eq(text, "false") || text_eq(text, "0");
}

static bool parse_real(const char *text, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    bool plain = text[strspn(text, "+-0123456789.eE")] == '\0'; // no blanks, hex, inf, nan
    return plain && end != text && *end == '\0' && errno == 0;
}

struct err *field_parse(struct arena *a, const struct field *f, const char *text,
                        struct field_value *v)
{
    *v = (struct field_value){.type = f->type};
    bool fine = true;
    switch (f->type) {
    case FIELD_BOOL: fine = parse_bool(text, &v->i); break;
    case FIELD_INT:
    case FIELD_BIG: fine = str_to_int(str_of(text), &v->i); break;
    case FIELD_REAL: fine = parse_real(text, &v->r); break;
    case FIELD_TEXT: v->s = arena_strdup(a, text); break;
    }
    return fine ? field_check(a, f, *v) : invalid(a, f);
}

void fields_default(struct arena *a, const struct field *fields, void *row)
{
    for (const struct field *f = fields; f->name; f++) {
        struct field_value v = {.type = f->type};
        if (f->type == FIELD_TEXT)
            v.s = f->def ? f->def : "";
        else if (f->def && field_parse(a, f, f->def, &v))
            abort(); // a table that contradicts itself
        field_set(f, row, v);
    }
}

static void write_value(struct json *j, const struct field *f, struct field_value v)
{
    switch (f->type) {
    case FIELD_BOOL: json_bool(j, f->name, v.i != 0); break;
    case FIELD_INT:
    case FIELD_BIG: json_int(j, f->name, v.i); break;
    case FIELD_REAL: json_real(j, f->name, v.r); break;
    case FIELD_TEXT: json_str(j, f->name, v.s ? v.s : ""); break;
    }
}

void fields_write(const struct field *fields, const void *row, struct json *j, enum audience who)
{
    for (const struct field *f = fields; f->name; f++)
        if (!(f->flags & SECRET) && !(f->flags & ADMIN && who == FOR_USER))
            write_value(j, f, field_get(f, row));
}

void fields_to_json(const struct field *fields, const void *row, struct json *j, const char *key,
                    enum audience who)
{
    json_obj(j, key);
    fields_write(fields, row, j, who);
    json_end(j);
}

static bool read_number(const struct field *f, yyjson_val *in, struct field_value *v)
{
    if (f->type == FIELD_REAL) {
        v->r = yyjson_get_num(in);
        return yyjson_is_num(in);
    }
    if (yyjson_is_uint(in) && yyjson_get_uint(in) > INT64_MAX)
        return false;
    v->i = yyjson_get_sint(in);
    return yyjson_is_int(in);
}

static bool read_value(struct arena *a, const struct field *f, yyjson_val *in,
                       struct field_value *v)
{
    *v = (struct field_value){.type = f->type};
    switch (f->type) {
    case FIELD_BOOL: // 0 and 1 too: scripts written for other gateways send them
        v->i = yyjson_is_bool(in) ? yyjson_get_bool(in) : yyjson_get_sint(in);
        return yyjson_is_bool(in) || (yyjson_is_int(in) && (v->i == 0 || v->i == 1));
    case FIELD_TEXT:
        if (f->flags & JSON_TEXT && yyjson_is_obj(in)) { // given as JSON instead of as its text
            v->s = json_text_of(a, in).p;
            return true;
        }
        v->s = yyjson_is_str(in) ? arena_strndup(a, yyjson_get_str(in), yyjson_get_len(in)) : NULL;
        return v->s && strlen(v->s) == yyjson_get_len(in);
    default: return read_number(f, in, v);
    }
}

static struct err *take_member(struct arena *a, const struct field *f, yyjson_val *member,
                               void *row)
{
    bool required = f->flags & REQUIRED;
    if (!member && required)
        return err_new(a, &err_field_missing, "%s", f->name);
    if (!member || (yyjson_is_null(member) && !required))
        return NULL;
    struct field_value v;
    if (!read_value(a, f, member, &v))
        return invalid(a, f);
    TRY(field_check(a, f, v));
    field_set(f, row, v);
    return NULL;
}

struct err *fields_from_json(struct arena *a, const struct field *fields, yyjson_val *in, void *row)
{
    if (!yyjson_is_obj(in))
        return err_new(a, &err_body_invalid, "not a JSON object");
    TRY(json_no_duplicates(a, in));
    for (const struct field *f = fields; f->name; f++)
        if (!(f->flags & (KEY | READONLY)))
            TRY(take_member(a, f, yyjson_obj_get(in, f->name), row));
    return NULL;
}
