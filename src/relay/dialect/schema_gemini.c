// JSON Schemas for Gemini, which knows two forms of them, and neither completely.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/schema.h"

enum { DEPTH_MOST = 24, REFS_MOST = 4, GROWN_MOST = 1 << 20, TEXT_MOST = 64 << 20 };

struct walk {
    struct arena *a;
    struct json j;
    yyjson_val *root;
    bool openapi;
    int depth, refs;
};

enum treatment { COPY, SCHEMA, SCHEMAS, NAMED_SCHEMAS, NOTE, INSTEAD };

// What happens to a member; those not named here are left out. INSTEAD: written elsewhere.
static const struct rule {
    const char *name;
    enum treatment json, openapi;
} rules[] = {
    {"type", COPY, INSTEAD},
    {"description", INSTEAD, INSTEAD},
    {"properties", NAMED_SCHEMAS, NAMED_SCHEMAS},
    {"required", COPY, INSTEAD},
    {"items", SCHEMA, SCHEMA},
    {"enum", COPY, INSTEAD},
    {"anyOf", SCHEMAS, INSTEAD},
    {"oneOf", SCHEMAS, INSTEAD},
    {"$ref", COPY, INSTEAD},
    {"$defs", NAMED_SCHEMAS, INSTEAD},
    {"definitions", NAMED_SCHEMAS, INSTEAD},
    {"prefixItems", SCHEMAS, NOTE},
    {"additionalProperties", COPY, INSTEAD},
    {"propertyOrdering", COPY, COPY},
    {"minItems", COPY, COPY},
    {"maxItems", COPY, COPY},
    {"minimum", COPY, COPY},
    {"maximum", COPY, COPY},
    {"nullable", COPY, COPY},
    {"minLength", NOTE, COPY},
    {"maxLength", NOTE, COPY},
    {"pattern", NOTE, COPY},
    {"format", NOTE, NOTE},
    {"exclusiveMinimum", NOTE, NOTE},
    {"exclusiveMaximum", NOTE, NOTE},
    {"multipleOf", NOTE, NOTE},
    {"patternProperties", NOTE, NOTE},
    {"not", NOTE, NOTE},
};

static const struct rule *rule_of(const char *name)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (!strcmp(rules[i].name, name))
            return &rules[i];
    return NULL;
}

static void write_schema(struct walk *w, const char *key, yyjson_val *schema);

static void write_schemas(struct walk *w, const char *key, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *name, *item;
    if (yyjson_is_arr(value)) {
        json_arr(&w->j, key);
        yyjson_arr_foreach(value, i, max, item) write_schema(w, NULL, item);
    } else {
        json_obj(&w->j, key);
        yyjson_obj_foreach(value, i, max, name, item) write_schema(w, yyjson_get_str(name), item);
    }
    json_end(&w->j);
}

// --- what is not known ----------------------------------------------------------

static bool is_known_format(const struct walk *w, yyjson_val *format)
{
    return w->openapi && yyjson_equals_str(format, "date-time");
}

// OpenAPI's subset has enums of texts only.
static bool is_text_enum(yyjson_val *list)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, i, max, item) if (!yyjson_is_str(item)) return false;
    return yyjson_arr_size(list) > 0;
}

static bool is_note(const struct walk *w, const struct rule *rule, yyjson_val *value)
{
    if (!strcmp(rule->name, "enum"))
        return w->openapi && !is_text_enum(value);
    if (!strcmp(rule->name, "format"))
        return !is_known_format(w, value);
    return (w->openapi ? rule->openapi : rule->json) == NOTE;
}

static void write_description(struct walk *w, yyjson_val *schema)
{
    struct str said = json_str_at(schema, "description");
    BUF_HERE(text, TEXT_MOST);
    size_t i, max, notes = 0;
    yyjson_val *key, *value;
    buf_str(&text, said);
    yyjson_obj_foreach(schema, i, max, key, value)
    {
        const struct rule *rule = rule_of(yyjson_get_str(key));
        if (!rule || !is_note(w, rule, value))
            continue;
        struct str shown = json_text_of(w->a, value);
        buf_puts(&text, notes++ ? ", " : text.n ? " (" : "(");
        buf_puts(&text, rule->name);
        buf_puts(&text, ": ");
        buf_str(&text, shown);
    }
    if (notes)
        buf_puts(&text, ")");
    if (said.p || notes)
        json_strn(&w->j, "description", buf_view(&text));
}

static void write_const(struct walk *w, yyjson_val *schema)
{
    yyjson_val *only = yyjson_obj_get(schema, "const");
    if (!only || yyjson_obj_get(schema, "enum") || (w->openapi && !yyjson_is_str(only)))
        return;
    json_arr(&w->j, "enum");
    json_raw(&w->j, NULL, json_text_of(w->a, only));
    json_end(&w->j);
    if (!yyjson_obj_get(schema, "type") && yyjson_is_str(only))
        json_str(&w->j, "type", "string");
}

// --- OpenAPI's subset -----------------------------------------------------------

static bool is_null_type(yyjson_val *schema)
{
    return text_eq(json_text_at(schema, "type"), "null");
}

static yyjson_val *variants_of(yyjson_val *schema)
{
    yyjson_val *any = yyjson_obj_get(schema, "anyOf");
    return any ? any : yyjson_obj_get(schema, "oneOf");
}

static void write_variants(struct walk *w, yyjson_val *schema)
{
    size_t i, max;
    yyjson_val *item, *list = variants_of(schema);
    bool null = false;
    if (!list)
        return;
    json_arr(&w->j, "anyOf");
    yyjson_arr_foreach(list, i, max, item)
    {
        null = null || is_null_type(item);
        if (!is_null_type(item))
            write_schema(w, NULL, item);
    }
    json_end(&w->j);
    if (null)
        json_bool(&w->j, "nullable", true);
}

static void write_type(struct walk *w, yyjson_val *schema)
{
    yyjson_val *type = yyjson_obj_get(schema, "type"), *item, *first = NULL;
    size_t i, max, real = 0;
    if (yyjson_is_str(type))
        json_str(&w->j, "type", yyjson_get_str(type));
    else if (!type && yyjson_obj_get(schema, "properties"))
        json_str(&w->j, "type", "object");
    yyjson_arr_foreach(type, i, max, item)
    {
        bool null = yyjson_equals_str(item, "null");
        real += !null;
        first = first || null ? first : item;
    }
    if (real == 1)
        json_str(&w->j, "type", yyjson_get_str(first));
    if (yyjson_is_arr(type) && real < yyjson_arr_size(type))
        json_bool(&w->j, "nullable", true);
    if (real < 2)
        return;
    json_arr(&w->j, "anyOf");
    yyjson_arr_foreach(type, i, max, item)
    {
        if (yyjson_equals_str(item, "null"))
            continue;
        json_obj(&w->j, NULL);
        json_str(&w->j, "type", yyjson_get_str(item));
        json_end(&w->j);
    }
    json_end(&w->j);
}

static void write_enum(struct walk *w, yyjson_val *schema)
{
    yyjson_val *list = yyjson_obj_get(schema, "enum");
    if (is_text_enum(list))
        json_raw(&w->j, "enum", json_text_of(w->a, list));
}

static void write_required(struct walk *w, yyjson_val *schema)
{
    yyjson_val *properties = yyjson_obj_get(schema, "properties"), *item;
    bool any = false;
    size_t i, max;
    yyjson_arr_foreach(yyjson_obj_get(schema, "required"), i, max, item)
    {
        if (!yyjson_obj_get(properties, yyjson_get_str(item)))
            continue;
        if (!any)
            json_arr(&w->j, "required");
        any = true;
        json_str(&w->j, NULL, yyjson_get_str(item));
    }
    if (any)
        json_end(&w->j);
}

static void write_openapi(struct walk *w, yyjson_val *schema)
{
    write_type(w, schema);
    write_variants(w, schema);
    write_enum(w, schema);
    write_required(w, schema);
    if (is_known_format(w, yyjson_obj_get(schema, "format")))
        json_str(&w->j, "format", "date-time");
    if (text_eq(json_text_at(schema, "type"), "array") && !yyjson_obj_get(schema, "items")) {
        json_obj(&w->j, "items");
        json_str(&w->j, "type", "string");
        json_end(&w->j);
    }
}

// "#/$defs/name"; NULL if it is not there.
static yyjson_val *target_of(const struct walk *w, struct str ref)
{
    if (!str_starts(ref, "#/"))
        return NULL;
    yyjson_val *at = w->root;
    struct str rest = str_skip(ref, 2), name;
    while (at && str_next(&rest, '/', &name))
        at = yyjson_obj_getn(at, name.p, name.n);
    return at;
}

// --- the walk -------------------------------------------------------------------

static void write_member(struct walk *w, const char *name, yyjson_val *value)
{
    const struct rule *rule = rule_of(name);
    if (!rule)
        return;
    enum treatment treatment = w->openapi ? rule->openapi : rule->json;
    switch (treatment) {
    case COPY: json_raw(&w->j, name, json_text_of(w->a, value)); break;
    case SCHEMA: write_schema(w, name, value); break;
    case SCHEMAS:
    case NAMED_SCHEMAS: write_schemas(w, name, value); break;
    case NOTE:
    case INSTEAD: break;
    }
}

// Parts of an allOf are laid into their schema; what it says itself counts first.
static void write_parts(struct walk *w, yyjson_val *schema, yyjson_val *whole)
{
    size_t i, max;
    yyjson_val *key, *value, *part;
    yyjson_obj_foreach(schema, i, max, key, value)
    {
        if (schema == whole || !yyjson_obj_get(whole, yyjson_get_str(key)))
            write_member(w, yyjson_get_str(key), value);
    }
    if (schema == whole)
        yyjson_arr_foreach(yyjson_obj_get(schema, "allOf"), i, max, part)
            write_parts(w, part, whole);
}

static void write_schema(struct walk *w, const char *key, yyjson_val *schema)
{
    yyjson_val *target = w->openapi ? target_of(w, json_str_at(schema, "$ref")) : NULL;
    bool room = w->depth < DEPTH_MOST && w->j.out->n < GROWN_MOST;
    if (target && w->refs < REFS_MOST && room) {
        w->refs++;
        write_schema(w, key, target);
        w->refs--;
        return;
    }
    json_obj(&w->j, key);
    if (yyjson_is_obj(schema) && !target && room) {
        w->depth++;
        write_parts(w, schema, schema);
        if (w->openapi)
            write_openapi(w, schema);
        write_const(w, schema);
        write_description(w, schema);
        w->depth--;
    } else if (w->openapi) {
        json_str(&w->j, "type", "object"); // true, or a schema that contains itself
    }
    json_end(&w->j);
}

static struct str written(struct arena *a, yyjson_val *schema, bool openapi)
{
    BUF_HERE(out, TEXT_MOST);
    struct walk w = {.a = a, .j = {.out = &out}, .root = schema, .openapi = openapi};
    write_schema(&w, NULL, schema);
    return (struct str){arena_str(a, buf_view(&out)), out.n};
}

struct str schema_gemini(struct arena *a, yyjson_val *schema)
{
    return written(a, schema, false);
}

struct str schema_openapi(struct arena *a, yyjson_val *schema)
{
    return written(a, schema, true);
}

// --- from OpenAPI ---------------------------------------------------------------

static void from_openapi(struct walk *w, const char *key, yyjson_val *schema);

static void from_each(struct walk *w, const char *key, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *name, *item;
    if (yyjson_is_arr(value)) {
        json_arr(&w->j, key);
        yyjson_arr_foreach(value, i, max, item) from_openapi(w, NULL, item);
    } else {
        json_obj(&w->j, key);
        yyjson_obj_foreach(value, i, max, name, item) from_openapi(w, yyjson_get_str(name), item);
    }
    json_end(&w->j);
}

static void from_type(struct walk *w, yyjson_val *value, bool nullable)
{
    char lower[32] = "";
    const char *type = yyjson_get_str(value);
    for (size_t i = 0; type && type[i] && i < sizeof(lower) - 1; i++)
        lower[i] = type[i] >= 'A' && type[i] <= 'Z' ? (char)(type[i] | 0x20) : type[i];
    if (!*lower || !strcmp(lower, "type_unspecified"))
        return;
    if (!nullable) {
        json_str(&w->j, "type", lower);
        return;
    }
    json_arr(&w->j, "type");
    json_str(&w->j, NULL, lower);
    json_str(&w->j, NULL, "null");
    json_end(&w->j);
}

// Bounds are 64 bit integers, which Google writes as texts.
static void from_number(struct walk *w, const char *name, yyjson_val *value)
{
    int64_t n;
    if (yyjson_is_str(value) && str_to_int(str_of(yyjson_get_str(value)), &n))
        json_int(&w->j, name, n);
    else
        json_raw(&w->j, name, json_text_of(w->a, value));
}

static void from_member(struct walk *w, const char *name, yyjson_val *value, bool nullable)
{
    static const char left_out[] = "nullable,propertyOrdering,property_ordering,example,title";
    static const char kept_formats[] = "date-time,date,time";
    if (list_has(left_out, name) ||
        (!strcmp(name, "format") && !list_has(kept_formats, yyjson_get_str(value))))
        return;
    if (!strcmp(name, "type"))
        from_type(w, value, nullable);
    else if (!strcmp(name, "anyOf") || !strcmp(name, "any_of"))
        from_each(w, "anyOf", value);
    else if (!strcmp(name, "properties"))
        from_each(w, name, value);
    else if (!strcmp(name, "items"))
        from_openapi(w, name, value);
    else if (!strncmp(name, "max", 3) || !strncmp(name, "min", 3))
        from_number(w, name, value);
    else
        json_raw(&w->j, name, json_text_of(w->a, value));
}

static void from_openapi(struct walk *w, const char *key, yyjson_val *schema)
{
    size_t i, max;
    yyjson_val *name, *value;
    bool nullable = json_bool_at(schema, "nullable", false);
    json_obj(&w->j, key);
    yyjson_obj_foreach(schema, i, max, name, value)
        from_member(w, yyjson_get_str(name), value, nullable);
    json_end(&w->j);
}

yyjson_val *schema_from_openapi(struct arena *a, yyjson_val *schema)
{
    BUF_HERE(out, TEXT_MOST);
    yyjson_val *root = NULL;
    struct walk w = {.a = a, .j = {.out = &out}};
    from_openapi(&w, NULL, schema);
    return json_read(a, buf_view(&out), &root) ? NULL : root;
}
