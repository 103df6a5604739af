// GET /v1/models and /v1/models/{id}: what this key may use, in the dialect its headers ask for.

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

typedef void put_model(struct json *j, const char *key, const struct candidates *c);

static void write_list(const struct relay *r, struct json *j, put_model *put, bool claude)
{
    const char *first = NULL, *last = NULL;
    json_obj(j, NULL);
    if (!claude)
        json_str(j, "object", "list");
    json_arr(j, "data");
    for (int i = 0; i < r->snapshot->ability_count; i++) {
        const struct candidates *c = &r->snapshot->abilities[i];
        if (!may_see(r, c))
            continue;
        put(j, NULL, c);
        first = first ? first : c->model;
        last = c->model;
    }
    json_end(j);
    if (claude) {
        json_bool(j, "has_more", false);
        json_str(j, "first_id", first);
        json_str(j, "last_id", last);
    }
    json_end(j);
}

struct err *relay_models(struct relay *r)
{
    static const char prefix[] = "/v1/models/";
    bool claude = http_header(&r->x->headers, "anthropic-version").p != NULL;
    put_model *put = claude ? put_claude : put_openai;
    r->out.limit = ANSWER_MOST;
    struct json j = {.out = &r->out};
    struct str path = r->x->path;
    struct str id = str_starts(path, prefix) ? str_skip(path, strlen(prefix)) : (struct str){0};
    if (!id.n) {
        write_list(r, &j, put, claude);
        return NULL;
    }
    struct str name = url_decode(r->arena, id, false);
    const char *model = name.p ? arena_str(r->arena, name) : "";
    const struct candidates *c = snapshot_candidates(r->snapshot, r->caller->group, model);
    if (!c || !may_see(r, c))
        return err_new(r->arena, &err_model_not_found, "%.191s", model);
    put(&j, NULL, c);
    return NULL;
}
