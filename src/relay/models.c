// GET /v1/models, /v1beta/models and one of them: what this key may use, in the dialect that the
// path or the headers ask for.

#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "relay/state.h"

enum { ANSWER_MOST = 16 << 20 };

static bool may_see(const struct relay *r, const struct candidates *c)
{
    return c->count && !strcmp(c->group, r->caller->group) && caller_may_model(r->caller, c->model);
}

static void put_openai(struct json *j, const char *key, const struct candidates *c)
{
    json_obj(j, key);
    json_str(j, "id", c->model);
    json_str(j, "object", "model");
    json_int(j, "created", 1626777600);
    json_str(j, "owned_by", "token-factory");
    json_end(j);
}

static void put_claude(struct json *j, const char *key, const struct candidates *c)
{
    json_obj(j, key);
    json_str(j, "type", "model");
    json_str(j, "id", c->model);
    json_str(j, "display_name", c->model);
    json_str(j, "created_at", "2021-07-20T00:00:00Z");
    json_end(j);
}

static const char *const actions[] = {"generateContent", "streamGenerateContent", "countTokens"};

static void put_gemini(struct json *j, const char *key, const struct candidates *c)
{
    char name[256];
    snprintf(name, sizeof(name), "models/%s", c->model);
    json_obj(j, key);
    json_str(j, "name", name);
    json_str(j, "baseModelId", c->model);
    json_str(j, "version", "001");
    json_str(j, "displayName", c->model);
    json_arr(j, "supportedGenerationMethods");
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
        json_str(j, NULL, actions[i]);
    json_end(j);
    json_end(j);
}

static void put_cohere(struct json *j, const char *key, const struct candidates *c)
{
    json_obj(j, key);
    json_str(j, "name", c->model);
    json_raw(j, "endpoints", STR("[\"chat\"]"));
    json_bool(j, "is_deprecated", false);
    json_end(j);
}

typedef void put_model(struct json *j, const char *key, const struct candidates *c);

struct form {
    put_model *put;
    const char *list; // the member that has the models
};

static const struct form openai_form = {put_openai, "data"}, claude_form = {put_claude, "data"},
                         gemini_form = {put_gemini, "models"}, cohere_form = {put_cohere, "models"};

// Cohere has the path of OpenAI: its packages say who they are, and its parameters are its own.
static bool is_cohere(const struct relay *r)
{
    return str_starts(http_header(&r->x->headers, "x-fern-sdk-name"), "cohere") ||
           url_query(r->arena, r->x->query, "page_size").n ||
           url_query(r->arena, r->x->query, "endpoint").n;
}

// Google's clients have paths of their own, but may be told to use /v1.
static const struct form *form_of(const struct relay *r)
{
    if (http_header(&r->x->headers, "anthropic-version").p)
        return &claude_form;
    bool google =
        r->route->speaks == &gemini_dialect || http_header(&r->x->headers, "x-goog-api-key").p;
    if (google)
        return &gemini_form;
    return is_cohere(r) ? &cohere_form : &openai_form;
}

static void write_list(const struct relay *r, struct json *j, const struct form *form)
{
    const char *first = NULL, *last = NULL;
    json_obj(j, NULL);
    if (form == &openai_form)
        json_str(j, "object", "list");
    json_arr(j, form->list);
    for (int i = 0; i < r->snapshot->ability_count; i++) {
        const struct candidates *c = &r->snapshot->abilities[i];
        if (!may_see(r, c))
            continue;
        form->put(j, NULL, c);
        first = first ? first : c->model;
        last = c->model;
    }
    json_end(j);
    if (form == &claude_form) {
        json_bool(j, "has_more", false);
        json_str(j, "first_id", first);
        json_str(j, "last_id", last);
    }
    json_end(j);
}

// What stands behind ".../models/"; .n 0 where all are asked for.
static struct str asked_model(const struct relay *r)
{
    static const char mark[] = "/models/";
    struct str path = r->x->path;
    const char *at = memmem(path.p, path.n, mark, sizeof(mark) - 1);
    return at ? str_skip(path, (size_t)(at - path.p) + sizeof(mark) - 1) : (struct str){0};
}

struct err *relay_models(struct relay *r)
{
    const struct form *form = form_of(r);
    r->own_answer = true;
    r->out.limit = ANSWER_MOST;
    struct json j = {.out = &r->out};
    struct str id = asked_model(r);
    if (!id.n) {
        write_list(r, &j, form);
        return NULL;
    }
    struct str name = url_decode(r->arena, id, false);
    const char *model = name.p ? arena_str(r->arena, name) : "";
    const struct candidates *c = snapshot_candidates(r->snapshot, r->caller->group, model);
    if (!c || !may_see(r, c))
        return err_new(r->arena, &err_model_not_found, "%.191s", model);
    form->put(&j, NULL, c);
    return NULL;
}
