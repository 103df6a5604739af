// Writes the description from routes.def, the field tables and openapi.def.

#include "router/openapi.h"

#include <string.h>

#include "common/arena.h"
#include "controller/account.h"
#include "controller/channel.h"
#include "controller/channel_keys.h"
#include "controller/channel_tag.h"
#include "controller/dashboard.h"
#include "controller/log.h"
#include "controller/option.h"
#include "controller/pricing.h"
#include "controller/setup.h"
#include "controller/status.h"
#include "controller/token.h"
#include "controller/user.h"
#include "model/channel.h"
#include "model/log.h"
#include "model/token.h"
#include "router/router.h"

struct schema {
    const char *name;
    const struct table *table;  // a record,
    const struct field *fields; // a request,
    const char *members;        // or an answer written by hand
};

static const struct schema schemas[] = {
#define TABLE_SCHEMA(name_, table_) {#name_, &(table_), NULL, NULL},
#define FORM_SCHEMA(name_, fields_) {#name_, NULL, fields_, NULL},
#define TEXT_SCHEMA(name_, members_) {#name_, NULL, NULL, members_},
#define MEMBERS(name_, members_)
#define DOC(handler_, query_, body_, data_, summary_)
#include "router/openapi.def"
#undef TABLE_SCHEMA
#undef FORM_SCHEMA
#undef TEXT_SCHEMA
#undef MEMBERS
};

static const struct schema more_members[] = {
#define TABLE_SCHEMA(name_, table_)
#define FORM_SCHEMA(name_, fields_)
#define TEXT_SCHEMA(name_, members_)
#define MEMBERS(name_, members_) {#name_, NULL, NULL, members_},
#include "router/openapi.def"
#undef MEMBERS
#undef DOC
};

struct doc {
    struct err *(*handler)(struct http *x);
    const char *query, *body, *data, *summary;
};

static const struct doc docs[] = {
#define MEMBERS(name_, members_)
#define DOC(handler_, query_, body_, data_, summary_) {handler_, query_, body_, data_, summary_},
#include "router/openapi.def"
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct doc *doc_of(const struct route *route)
{
    for (size_t i = 0; i < COUNT(docs); i++)
        if (docs[i].handler == route->handler)
            return &docs[i];
    return NULL;
}

static const struct schema *schema_named(struct str name)
{
    for (size_t i = 0; i < COUNT(schemas); i++)
        if (str_is(name, schemas[i].name))
            return &schemas[i];
    return NULL;
}

// --- types ----------------------------------------------------------------------------------

static bool ends_with(struct str s, const char *ending)
{
    size_t n = strlen(ending);
    return s.n > n && !memcmp(s.p + s.n - n, ending, n);
}

// "string", "Token", "Token[]", "Group{}"
static void put_type(struct http *x, struct json *j, const char *key, struct str type)
{
    json_obj(j, key);
    if (ends_with(type, "[]") || ends_with(type, "{}")) {
        bool list = ends_with(type, "[]");
        json_str(j, "type", list ? "array" : "object");
        put_type(x, j, list ? "items" : "additionalProperties", (struct str){type.p, type.n - 2});
    } else if (type.p[0] >= 'A' && type.p[0] <= 'Z') {
        json_str(j, "$ref", arena_printf(x->arena, "#/components/schemas/%.*s", STR_ARGS(type)));
    } else if (!str_is(type, "any")) {
        json_strn(j, "type", type);
    }
    json_end(j);
}

static void put_members(struct http *x, struct json *j, const char *members)
{
    struct str rest = str_of(members), member, name;
    while (str_next(&rest, ' ', &member))
        if (str_next(&member, ':', &name))
            put_type(x, j, arena_str(x->arena, name), member);
}

static const char *type_name(enum field_type type)
{
    static const char *const names[] = {
        [FIELD_BOOL] = "boolean", [FIELD_INT] = "integer", [FIELD_BIG] = "integer",
        [FIELD_REAL] = "number",  [FIELD_TEXT] = "string",
    };
    return names[type];
}

static void put_range(struct json *j, const struct field *f)
{
    if (f->min == 0 && f->max == 0)
        return;
    bool text = f->type == FIELD_TEXT;
    if (!text || f->min > 0)
        json_real(j, text ? "minLength" : "minimum", f->min);
    json_real(j, text ? "maxLength" : "maximum", f->max);
}

static void put_field_body(struct json *j, const struct field *f)
{
    json_str(j, "type", type_name(f->type));
    put_range(j, f);
    if (f->def)
        json_str(j, "x-default", f->def);
    if (f->flags & ADMIN)
        json_bool(j, "x-admin", true);
    json_end(j);
}

static void put_field(struct json *j, const struct field *f)
{
    json_obj(j, f->name);
    put_field_body(j, f);
}

// --- schemas --------------------------------------------------------------------------------

enum view { AS_ANSWER, AS_INPUT, AS_PATCH };

static bool shown(const struct field *f, enum view view)
{
    if (view == AS_ANSWER)
        return !(f->flags & SECRET);
    if (f->flags & KEY)
        return view == AS_PATCH;
    return !(f->flags & READONLY);
}

static bool required(const struct field *f, enum view view)
{
    if (view == AS_PATCH)
        return f->flags & KEY;
    return view == AS_ANSWER ? !(f->flags & ADMIN) : f->flags & REQUIRED;
}

static const char *members_of(const char *name)
{
    for (size_t i = 0; i < COUNT(more_members); i++)
        if (!strcmp(more_members[i].name, name))
            return more_members[i].members;
    return "";
}

static void put_required(struct json *j, const struct field *fields, enum view view,
                         const char *members)
{
    struct str rest = str_of(members), member, name;
    json_arr(j, "required");
    for (const struct field *f = fields; f->name; f++)
        if (shown(f, view) && required(f, view))
            json_str(j, NULL, f->name);
    while (str_next(&rest, ' ', &member))
        if (str_next(&member, ':', &name))
            json_strn(j, NULL, name);
    json_end(j);
}

static void put_record(struct http *x, struct json *j, const char *name, const char *suffix,
                       const struct field *fields, enum view view)
{
    const char *members = view == AS_ANSWER ? members_of(name) : "";
    json_obj(j, arena_printf(x->arena, "%s%s", name, suffix));
    json_str(j, "type", "object");
    json_obj(j, "properties");
    for (const struct field *f = fields; f->name; f++)
        if (shown(f, view))
            put_field(j, f);
    put_members(x, j, members);
    json_end(j);
    put_required(j, fields, view, members);
    json_end(j);
}

static void put_schema(struct http *x, struct json *j, const struct schema *s)
{
    if (s->table) {
        put_record(x, j, s->name, "", s->table->fields, AS_ANSWER);
        put_record(x, j, s->name, "Input", s->table->fields, AS_INPUT);
        put_record(x, j, s->name, "Patch", s->table->fields, AS_PATCH);
    } else if (s->fields) {
        put_record(x, j, s->name, "", s->fields, AS_INPUT);
    } else {
        json_obj(j, s->name);
        json_str(j, "type", "object");
        json_obj(j, "properties");
        put_members(x, j, s->members);
        json_end(j);
        json_end(j);
    }
}

// --- paths ----------------------------------------------------------------------------------

static void begin_parameter(struct json *j, const char *name, const char *in)
{
    json_obj(j, NULL);
    json_str(j, "name", name);
    json_str(j, "in", in);
    json_bool(j, "required", !strcmp(in, "path"));
}

static void put_parameter(struct http *x, struct json *j, const char *name, const char *in,
                          const char *type)
{
    begin_parameter(j, name, in);
    put_type(x, j, "schema", str_of(type));
    json_end(j);
}

// "/api/token/:id" -> "/api/token/{id}"; names the pieces as parameters if j is there.
static const char *braced(struct http *x, struct json *j, const char *path)
{
    struct str rest = str_of(path), piece;
    const char *out = "";
    str_next(&rest, '/', &piece);
    while (str_next(&rest, '/', &piece)) {
        bool named = str_starts(piece, ":");
        if (named)
            piece = str_skip(piece, 1);
        if (named && j)
            put_parameter(x, j, arena_str(x->arena, piece), "path",
                          str_is(piece, "id") ? "integer" : "string");
        out = arena_printf(x->arena, named ? "%s/{%.*s}" : "%s/%.*s", out, STR_ARGS(piece));
    }
    return out;
}

static const char *sort_keys(struct http *x, const struct field *fields)
{
    const char *keys = "";
    for (const struct field *f = fields; f->name; f++)
        if (f->flags & SORT)
            keys = arena_printf(x->arena, "%s%s%s", keys, *keys ? "," : "", f->name);
    return keys;
}

static void put_list_parameters(struct http *x, struct json *j, const struct field *fields)
{
    put_parameter(x, j, "p", "query", "integer");
    put_parameter(x, j, "page_size", "query", "integer");
    begin_parameter(j, "sort", "query");
    json_str(j, "description", "A field, or with - before it the other way");
    json_obj(j, "schema");
    json_str(j, "type", "string");
    json_str(j, "x-keys", sort_keys(x, fields));
    json_end(j);
    json_end(j);
    for (const struct field *f = fields; f->name; f++)
        if (f->flags & FILTER)
            put_parameter(x, j, f->name, "query", type_name(f->type));
}

static struct str page_of(const struct doc *doc)
{
    struct str data = str_of(doc->data);
    return str_starts(data, "page ") ? str_skip(data, 5) : (struct str){0};
}

static void put_parameters(struct http *x, struct json *j, const struct route *route,
                           const struct doc *doc)
{
    struct str rest = str_of(doc->query), member, name, item = page_of(doc);
    json_arr(j, "parameters");
    braced(x, j, route->path);
    if (item.p)
        put_list_parameters(x, j, schema_named(item)->table->fields);
    while (str_next(&rest, ' ', &member))
        if (str_next(&member, ':', &name))
            put_parameter(x, j, arena_str(x->arena, name), "query", arena_str(x->arena, member));
    json_end(j);
}

static void begin_json(struct json *j)
{
    json_obj(j, "content");
    json_obj(j, "application/json");
}

static void put_page(struct http *x, struct json *j, struct str item)
{
    json_obj(j, "data");
    json_str(j, "type", "object");
    json_obj(j, "properties");
    put_members(x, j,
                "page:integer page_size:integer total:integer total_more:boolean "
                "next_cursor:string searched_to:integer");
    json_obj(j, "items");
    json_str(j, "type", "array");
    put_type(x, j, "items", item);
    json_end(j);
    json_end(j);
    json_arr(j, "required");
    json_str(j, NULL, "page_size");
    json_str(j, NULL, "items");
    json_end(j);
    json_end(j);
}

static void put_answer(struct http *x, struct json *j, const struct doc *doc)
{
    struct str item = page_of(doc);
    json_obj(j, "responses");
    json_obj(j, "200");
    json_str(j, "description", "Done");
    begin_json(j);
    json_obj(j, "schema");
    json_str(j, "type", "object");
    json_obj(j, "properties");
    put_members(x, j, "success:boolean message:string");
    if (item.p)
        put_page(x, j, item);
    else if (*doc->data)
        put_type(x, j, "data", str_of(doc->data));
    for (int i = 0; i < 5; i++) // properties, schema, application/json, content, 200
        json_end(j);
    json_obj(j, "default");
    json_str(j, "$ref", "#/components/responses/Failure");
    json_end(j);
    json_end(j);
}

static void put_operation(struct http *x, struct json *j, const struct route *route,
                          const struct doc *doc)
{
    const char *method = route->method;
    char lower[8] = {0};
    for (size_t i = 0; method[i] && i < sizeof(lower) - 1; i++)
        lower[i] = (char)(method[i] | 0x20);
    json_obj(j, lower);
    json_str(j, "summary", doc->summary);
    json_int(j, "x-role", route->who);
    if (route->who == ROLE_GUEST) {
        json_arr(j, "security");
        json_end(j);
    }
    put_parameters(x, j, route, doc);
    if (*doc->body) {
        json_obj(j, "requestBody");
        json_bool(j, "required", true);
        begin_json(j);
        put_type(x, j, "schema", str_of(doc->body));
        for (int i = 0; i < 3; i++)
            json_end(j);
    }
    put_answer(x, j, doc);
    json_end(j);
}

static bool is_first(const struct route *routes, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (routes[i].kind == ROUTE_MANAGEMENT && !strcmp(routes[i].path, routes[at].path))
            return false;
    return routes[at].kind == ROUTE_MANAGEMENT;
}

static void put_paths(struct http *x, struct json *j)
{
    size_t count = 0;
    const struct route *routes = router_routes(&count);
    json_obj(j, "paths");
    for (size_t i = 0; i < count; i++) {
        if (!is_first(routes, i))
            continue;
        json_obj(j, braced(x, NULL, routes[i].path));
        for (size_t k = i; k < count; k++) {
            const struct doc *doc = doc_of(&routes[k]);
            if (routes[k].kind == ROUTE_MANAGEMENT && doc &&
                !strcmp(routes[k].path, routes[i].path))
                put_operation(x, j, &routes[k], doc);
        }
        json_end(j);
    }
    json_end(j);
}

static void put_failure(struct http *x, struct json *j)
{
    json_obj(j, "responses");
    json_obj(j, "Failure");
    json_str(j, "description", "The status says the truth; code is stable, message is for people");
    begin_json(j);
    json_obj(j, "schema");
    json_str(j, "type", "object");
    json_obj(j, "properties");
    put_members(x, j, "success:boolean message:string code:string field:string");
    for (int i = 0; i < 6; i++) // properties, schema, application/json, content, Failure, responses
        json_end(j);
}

static void put_security(struct json *j)
{
    json_obj(j, "securitySchemes");
    json_obj(j, "session");
    json_str(j, "type", "apiKey");
    json_str(j, "in", "cookie");
    json_str(j, "name", "tf_session");
    json_end(j);
    json_obj(j, "accessToken");
    json_str(j, "type", "http");
    json_str(j, "scheme", "bearer");
    json_end(j);
    json_end(j);
}

static void put_components(struct http *x, struct json *j)
{
    json_obj(j, "components");
    json_obj(j, "schemas");
    for (size_t i = 0; i < COUNT(schemas); i++)
        put_schema(x, j, &schemas[i]);
    json_end(j);
    put_failure(x, j);
    put_security(j);
    json_end(j);
}

struct err *api_openapi_show(struct http *x)
{
    struct json j = {.out = &x->out};
    buf_clear(&x->out);
    json_obj(&j, NULL);
    json_str(&j, "openapi", "3.1.0");
    json_obj(&j, "info");
    json_str(&j, "title", "Token Factory: management");
    json_str(&j, "version", TF_VERSION);
    json_end(&j);
    json_arr(&j, "security");
    json_obj(&j, NULL);
    json_arr(&j, "session");
    json_end(&j);
    json_end(&j);
    json_obj(&j, NULL);
    json_arr(&j, "accessToken");
    json_end(&j);
    json_end(&j);
    json_end(&j);
    put_paths(x, &j);
    put_components(x, &j);
    return http_done(x, &j);
}
