// GET /v1/models, /v1beta/models and one of them: what this key may use, in the dialect that the
// path or the headers ask for.

#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "relay/state.h"

enum { ANSWER_MOST = 16 << 20, CLAUDE_PAGE_MOST = 1000, GEMINI_PAGE_MOST = 1000 };

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

// --- which of them ------------------------------------------------------------------------

// A part of all that may be seen: without a wish everything, for clients that know no pages.
struct page {
    const struct candidates **all;
    int count;
    int from, to; // of `all`; `to` is not in it
};

static struct err *read_size(struct relay *r, const char *name, int64_t most, int64_t *out)
{
    struct str text = url_query(r->arena, r->x->query, name);
    *out = INT32_MAX;
    if (!text.n)
        return NULL;
    if (!str_to_int(text, out) || *out < 1 || *out > most)
        return err_new(r->arena, &err_field_invalid, "%s", name);
    return NULL;
}

// Where the model stands that the client names; an unknown one is its mistake.
static struct err *find_at(struct relay *r, const struct page *p, const char *name, int *out)
{
    struct str id = url_query(r->arena, r->x->query, name);
    *out = -1;
    for (int i = 0; id.n && i < p->count && *out < 0; i++)
        if (str_is(id, p->all[i]->model))
            *out = i;
    return id.n && *out < 0 ? err_new(r->arena, &err_field_invalid, "%s", name) : NULL;
}

// limit, and after_id or before_id.
static struct err *page_claude(struct relay *r, struct page *p)
{
    int64_t size;
    int after, before;
    TRY(read_size(r, "limit", CLAUDE_PAGE_MOST, &size));
    TRY(find_at(r, p, "after_id", &after));
    TRY(find_at(r, p, "before_id", &before));
    p->from = after + 1;
    if (before >= 0 && after >= 0)
        return err_new(r->arena, &err_field_invalid, "before_id");
    if (before >= 0) {
        p->to = before;
        p->from = before > size ? before - (int)size : 0;
    } else if (p->to - p->from > size) {
        p->to = p->from + (int)size;
    }
    return NULL;
}

// pageSize, and pageToken: the last model of the page before.
static struct err *page_gemini(struct relay *r, struct page *p)
{
    int64_t size;
    int after;
    TRY(read_size(r, "pageSize", INT32_MAX, &size));
    TRY(find_at(r, p, "pageToken", &after));
    size = size > GEMINI_PAGE_MOST ? GEMINI_PAGE_MOST : size; // as Google does
    p->from = after + 1;
    if (p->to - p->from > size)
        p->to = p->from + (int)size;
    return NULL;
}

static struct err *page_read(struct relay *r, const struct form *form, struct page *p)
{
    *p = (struct page){.all = NEW_ARRAY(r->arena, const struct candidates *,
                                        (size_t)r->snapshot->ability_count + 1)};
    for (int i = 0; i < r->snapshot->ability_count; i++)
        if (may_see(r, &r->snapshot->abilities[i]))
            p->all[p->count++] = &r->snapshot->abilities[i];
    p->to = p->count;
    return form == &claude_form   ? page_claude(r, p)
           : form == &gemini_form ? page_gemini(r, p)
                                  : NULL;
}

static void write_ends(struct relay *r, struct json *j, const struct form *form,
                       const struct page *p)
{
    bool some = p->to > p->from, back = url_query(r->arena, r->x->query, "before_id").n;
    if (form == &claude_form) {
        json_bool(j, "has_more", back ? p->from > 0 : p->to < p->count);
        json_str(j, "first_id", some ? p->all[p->from]->model : NULL);
        json_str(j, "last_id", some ? p->all[p->to - 1]->model : NULL);
    } else if (form == &gemini_form && some && p->to < p->count) {
        json_str(j, "nextPageToken", p->all[p->to - 1]->model);
    }
}

static struct err *write_list(struct relay *r, struct json *j, const struct form *form)
{
    struct page p;
    TRY(page_read(r, form, &p));
    json_obj(j, NULL);
    if (form == &openai_form)
        json_str(j, "object", "list");
    json_arr(j, form->list);
    for (int i = p.from; i < p.to; i++)
        form->put(j, NULL, p.all[i]);
    json_end(j);
    write_ends(r, j, form, &p);
    json_end(j);
    return NULL;
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
    if (!id.n)
        return write_list(r, &j, form);
    struct str name = url_decode(r->arena, id, false);
    const char *model = name.p ? arena_str(r->arena, name) : "";
    const struct candidates *c = snapshot_candidates(r->snapshot, r->caller->group, model);
    if (!c || !may_see(r, c))
        return err_new(r->arena, &err_model_not_found, "%.191s", model);
    form->put(&j, NULL, c);
    return NULL;
}
