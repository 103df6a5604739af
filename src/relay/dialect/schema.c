// Rewriting JSON Schemas for providers that know less of them.

#include "relay/dialect/schema.h"

#include <string.h>

#include "common/arena.h"

static const char *const variants[] = {"anyOf", "oneOf", "allOf", NULL};

static bool is_one_of(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

static struct buf text_in(struct arena *a, yyjson_val *schema)
{
    struct buf b = BUF((size_t)64 << 20);
    buf_room(&b, json_text_of(a, schema).n * 2 + 64);
    return b;
}

static struct str keep(struct arena *a, struct buf *b)
{
    struct str text = {arena_str(a, buf_view(b)), b->n};
    buf_free(b);
    return text;
}

bool schema_is_object(yyjson_val *schema)
{
    if (!yyjson_is_obj(schema) || !text_eq(json_text_at(schema, "type"), "object"))
        return false;
    for (size_t i = 0; variants[i]; i++)
        if (yyjson_obj_get(schema, variants[i]))
            return false;
    return true;
}

// `seen`: names already written; the first schema of a name counts.
static void merge_properties(struct arena *a, struct json *j, yyjson_val *schema,
                             yyjson_mut_val *seen, yyjson_mut_doc *doc)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(yyjson_obj_get(schema, "properties"), i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (yyjson_mut_obj_get(seen, name))
            continue;
        yyjson_mut_obj_add_bool(doc, seen, name, true);
        json_raw(j, name, json_text_of(a, value));
    }
    for (size_t v = 0; variants[v]; v++)
        yyjson_arr_foreach(yyjson_obj_get(schema, variants[v]), i, max, value)
            merge_properties(a, j, value, seen, doc);
}

static void free_doc(yyjson_mut_doc **doc)
{
    yyjson_mut_doc_free(*doc);
}

// `names`: whether the schema may say what it is called.
static struct str object_of(struct arena *a, yyjson_val *schema, bool names)
{
    static const char *const replaced[] = {"type", "properties", "anyOf", "oneOf", "allOf", NULL};
    static const char *const called[] = {"$schema", "$id", NULL};
    bool named = yyjson_obj_get(schema, "$schema") || yyjson_obj_get(schema, "$id");
    if (!yyjson_is_obj(schema))
        return STR("{\"type\":\"object\",\"properties\":{}}");
    if (schema_is_object(schema) && (names || !named))
        return json_text_of(a, schema);
    bool merged = yyjson_obj_get(schema, "anyOf") || yyjson_obj_get(schema, "oneOf");
    __attribute__((cleanup(free_doc))) yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    struct buf out = text_in(a, schema);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    json_str(&j, "type", "object");
    json_obj(&j, "properties");
    merge_properties(a, &j, schema, yyjson_mut_obj(doc), doc);
    json_end(&j);
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(schema, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (!is_one_of(replaced, name) && !(merged && !strcmp(name, "required")) &&
            (names || !is_one_of(called, name)))
            json_raw(&j, name, json_text_of(a, value));
    }
    json_end(&j);
    return keep(a, &out);
}

struct str schema_object(struct arena *a, yyjson_val *schema)
{
    return object_of(a, schema, true);
}

struct str schema_nameless(struct arena *a, yyjson_val *schema)
{
    return object_of(a, schema, false);
}

static const char *const unsupported[] = {
    "minimum",       "maximum",   "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf",    "minLength", "maxLength",        "pattern",
    "minItems",      "maxItems",  "uniqueItems",      "minProperties",
    "maxProperties", "not",       "$schema",          NULL,
};
static const char *const formats[] = {
    "date-time", "time", "date", "duration", "email", "hostname",
    "uri",       "ipv4", "ipv6", "uuid",     NULL,
};
// Members whose value maps names to schemas, and those whose value is a schema or an array of them.
static const char *const maps[] = {"properties", "$defs", "definitions", NULL};
static const char *const nested[] = {"items", "anyOf", "allOf", "prefixItems", NULL};

static void limit(struct arena *a, struct json *j, const char *key, yyjson_val *schema);

static bool is_lost(const char *name, yyjson_val *value)
{
    if (!strcmp(name, "format"))
        return !yyjson_is_str(value) || !is_one_of(formats, yyjson_get_str(value));
    return is_one_of(unsupported, name);
}

static void write_description(struct arena *a, struct json *j, yyjson_val *schema)
{
    const char *said = json_text_at(schema, "description");
    struct buf notes = BUF((size_t)1 << 20);
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(schema, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (!is_lost(name, value) || !strcmp(name, "$schema"))
            continue;
        struct str text = json_text_of(a, value);
        buf_printf(&notes, "%s%s: %.*s", notes.n ? ", " : "", name, STR_ARGS(text));
    }
    if (said || notes.n)
        json_str(j, "description",
                 notes.n ? arena_printf(a, "%s%s(%s)", said ? said : "", said ? " " : "", notes.p)
                         : said);
    buf_free(&notes);
}

static void limit_each(struct arena *a, struct json *j, const char *key, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *name, *item;
    if (yyjson_is_arr(value)) {
        json_arr(j, key);
        yyjson_arr_foreach(value, i, max, item) limit(a, j, NULL, item);
    } else {
        json_obj(j, key);
        yyjson_obj_foreach(value, i, max, name, item) limit(a, j, yyjson_get_str(name), item);
    }
    json_end(j);
}

static void limit_member(struct arena *a, struct json *j, const char *name, yyjson_val *value)
{
    bool one = !strcmp(name, "oneOf");
    if (is_lost(name, value) || !strcmp(name, "description") ||
        !strcmp(name, "additionalProperties"))
        return;
    if (one || is_one_of(maps, name))
        limit_each(a, j, one ? "anyOf" : name, value);
    else if (is_one_of(nested, name) && yyjson_is_arr(value))
        limit_each(a, j, name, value);
    else if (is_one_of(nested, name))
        limit(a, j, name, value);
    else
        json_raw(j, name, json_text_of(a, value));
}

static void limit(struct arena *a, struct json *j, const char *key, yyjson_val *schema)
{
    if (!yyjson_is_obj(schema)) {
        json_raw(j, key, json_text_of(a, schema));
        return;
    }
    json_obj(j, key);
    if (yyjson_obj_get(schema, "$ref")) { // stands alone
        json_raw(j, "$ref", json_text_of(a, yyjson_obj_get(schema, "$ref")));
        if (yyjson_obj_get(schema, "$defs"))
            limit_each(a, j, "$defs", yyjson_obj_get(schema, "$defs"));
    } else {
        size_t i, max;
        yyjson_val *name, *value;
        yyjson_obj_foreach(schema, i, max, name, value)
            limit_member(a, j, yyjson_get_str(name), value);
        write_description(a, j, schema);
        if (yyjson_obj_get(schema, "properties") || text_eq(json_text_at(schema, "type"), "object"))
            json_bool(j, "additionalProperties", false);
    }
    json_end(j);
}

struct str schema_limited(struct arena *a, yyjson_val *schema)
{
    struct buf out = text_in(a, schema);
    struct json j = {.out = &out};
    limit(a, &j, NULL, schema);
    return keep(a, &out);
}

static bool requires_all(yyjson_val *schema)
{
    yyjson_val *required = yyjson_obj_get(schema, "required"), *key, *value, *item;
    size_t i, max, k, most;
    yyjson_obj_foreach(yyjson_obj_get(schema, "properties"), i, max, key, value)
    {
        bool found = false;
        yyjson_arr_foreach(required, k, most, item) found =
            found || yyjson_equals_str(item, yyjson_get_str(key));
        if (!found)
            return false;
    }
    return true;
}

static bool all_strict(yyjson_val *schemas)
{
    size_t i, max;
    yyjson_val *key, *item;
    yyjson_arr_foreach(schemas, i, max, item) if (!schema_is_strict(item)) return false;
    yyjson_obj_foreach(schemas, i, max, key, item) if (!schema_is_strict(item)) return false;
    return true;
}

static bool members_strict(yyjson_val *schema)
{
    static const char *const refused[] = {"oneOf", "allOf", "default", "patternProperties",
                                          "not",   NULL};
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(schema, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        bool several = is_one_of(maps, name) || !strcmp(name, "anyOf");
        if (is_one_of(refused, name) || (several && !all_strict(value)) ||
            (!strcmp(name, "items") && !schema_is_strict(value)))
            return false;
    }
    return true;
}

bool schema_is_strict(yyjson_val *schema)
{
    if (!yyjson_is_obj(schema))
        return false;
    bool object =
        yyjson_obj_get(schema, "properties") || text_eq(json_text_at(schema, "type"), "object");
    if (object && (json_bool_at(schema, "additionalProperties", true) || !requires_all(schema)))
        return false;
    return members_strict(schema);
}
