// The models of the groups that new users may use, with their prices.

#include "controller/pricing.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "service/snapshot.h"

static const char newcomer[] = "default"; // the group that prices are shown to

static bool visible(const struct snapshot *s, const char *group, int64_t *ratio)
{
    return snapshot_group_usable(s, newcomer, group) &&
           snapshot_group_ratio(s, newcomer, group, ratio);
}

static void put_micro(struct json *j, const char *key, int64_t micro)
{
    json_real(j, key, (double)micro / MICRO);
}

static void put_price(struct json *j, const struct price *p)
{
    static const struct price none = {0};
    json_bool(j, "priced", p != NULL);
    p = p ? p : &none;
    json_bool(j, "per_call", p->per_call);
    put_micro(j, "call_price", p->call_price);
    put_micro(j, "model_ratio", p->model_ratio);
    put_micro(j, "completion_ratio", p->completion_ratio);
    put_micro(j, "cache_ratio", p->cache_ratio);
    put_micro(j, "create_cache_ratio", p->create_ratio);
    put_micro(j, "create_cache_1h_ratio", p->create_1h_ratio);
}

static int by_model(const void *a, const void *b)
{
    const struct candidates *one = *(const struct candidates *const *)a;
    const struct candidates *two = *(const struct candidates *const *)b;
    int way = strcmp(one->model, two->model);
    return way ? way : strcmp(one->group, two->group);
}

// Abilities lie by group; here a model stands once, with its groups.
static void put_models(struct http *x, struct json *j, const struct snapshot *s)
{
    const struct candidates **seen =
        NEW_ARRAY(x->arena, const struct candidates *, (size_t)s->ability_count + 1);
    size_t n = 0;
    int64_t ratio = 0;
    for (int i = 0; i < s->ability_count; i++)
        if (visible(s, s->abilities[i].group, &ratio))
            seen[n++] = &s->abilities[i];
    qsort((void *)seen, n, sizeof(*seen), by_model);
    json_arr(j, "models");
    for (size_t i = 0, k = 0; i < n; i = k) {
        json_obj(j, NULL);
        json_str(j, "model", seen[i]->model);
        json_arr(j, "groups");
        for (k = i; k < n && !strcmp(seen[k]->model, seen[i]->model); k++)
            json_str(j, NULL, seen[k]->group);
        json_end(j);
        put_price(j, snapshot_price(s, seen[i]->model));
        json_end(j);
    }
    json_end(j);
}

static void put_groups(struct http *x, struct json *j, const struct snapshot *s)
{
    yyjson_val *groups, *name, *text;
    size_t i, max;
    json_obj(j, "groups");
    if (!json_read(x->arena, str_of(s->settings.ratio.user_usable_groups), &groups))
        yyjson_obj_foreach(groups, i, max, name, text)
        {
            int64_t ratio = 0;
            if (!visible(s, yyjson_get_str(name), &ratio))
                continue;
            json_obj(j, yyjson_get_str(name));
            json_str(j, "desc", yyjson_is_str(text) ? yyjson_get_str(text) : "");
            put_micro(j, "ratio", ratio);
            json_end(j);
        }
    json_end(j);
}

struct err *api_pricing_list(struct http *x)
{
    struct json j = http_data(x);
    const struct snapshot *s = snapshot_hold();
    json_obj(&j, "data");
    put_groups(x, &j, s);
    put_models(x, &j, s);
    snapshot_release(s);
    return http_done(x, &j);
}
