// Building the snapshot from SQL, and handing it out.

#include "service/snapshot.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/log.h"
#include "model/ability.h"
#include "service/change.h"

// --- prices -----------------------------------------------------------------------

enum { DERIVED_MOST = 64 };
enum { CREATE_RATIO = 1250000, CREATE_1H_NUMERATOR = 8, CREATE_1H_DENOMINATOR = 5 }; // 1.25; x 1.6

static yyjson_val *read_map(struct arena *a, const char *text)
{
    yyjson_val *root = NULL;
    return json_read(a, str_of(text), &root) ? NULL : root;
}

// The model's ratio in the operator's map, else in the default one, else `fallback`.
struct ratio_map {
    yyjson_val *own, *usual;
};

static int64_t ratio_of(const struct ratio_map *m, const char *model, int64_t fallback)
{
    yyjson_val *v = yyjson_obj_get(m->own, model);
    int64_t micro;
    if (!v)
        v = yyjson_obj_get(m->usual, model);
    return v && price_micro(yyjson_get_num(v), &micro) ? micro : fallback;
}

static struct ratio_map ratio_map(struct arena *a, const char *own, const char *usual)
{
    return (struct ratio_map){read_map(a, own), read_map(a, usual)};
}

static void add_ratio_prices(struct snapshot *s, const struct ratio_setting *usual)
{
    struct arena *a = s->arena;
    const struct ratio_setting *r = &s->settings.ratio;
    struct ratio_map completion = ratio_map(a, r->completion_ratio, usual->completion_ratio);
    struct ratio_map cache = ratio_map(a, r->cache_ratio, usual->cache_ratio);
    struct ratio_map create = ratio_map(a, r->create_cache_ratio, usual->create_cache_ratio);
    struct ratio_map create_1h = ratio_map(a, r->create_cache_1h_ratio, "{}");
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(read_map(a, r->model_ratio), i, max, name, value)
    {
        const char *model = yyjson_get_str(name);
        struct price *p = NEW(a, struct price);
        if (!price_micro(yyjson_get_num(value), &p->model_ratio))
            continue;
        p->completion_ratio = ratio_of(&completion, model, MICRO);
        p->cache_ratio = ratio_of(&cache, model, MICRO);
        p->create_ratio = ratio_of(&create, model, CREATE_RATIO);
        p->create_1h_ratio = ratio_of(
            &create_1h, model, p->create_ratio * CREATE_1H_NUMERATOR / CREATE_1H_DENOMINATOR);
        map_put(a, &s->prices, str_of(model), p);
    }
}

static void add_call_prices(struct snapshot *s)
{
    size_t i, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(read_map(s->arena, s->settings.ratio.model_price), i, max, name, value)
    {
        struct price *p = NEW(s->arena, struct price);
        p->per_call = true;
        if (price_micro(yyjson_get_num(value), &p->call_price))
            map_put(s->arena, &s->prices, str_of(yyjson_get_str(name)), p);
    }
}

static void add_group(struct snapshot *s, const char *key, yyjson_val *value)
{
    int64_t *ratio = NEW(s->arena, int64_t);
    if (price_micro(yyjson_get_num(value), ratio))
        map_put(s->arena, &s->groups, str_of(key), ratio);
}

// Groups by their name; by "user's group\nused group" where a pair has its own ratio.
static void add_groups(struct snapshot *s)
{
    const struct ratio_setting *r = &s->settings.ratio;
    size_t i, max, k, inner;
    yyjson_val *name, *value, *used, *ratio;
    yyjson_obj_foreach(read_map(s->arena, r->group_ratio), i, max, name, value)
        add_group(s, yyjson_get_str(name), value);
    yyjson_obj_foreach(read_map(s->arena, r->group_group_ratio), i, max, name, value)
    {
        yyjson_obj_foreach(value, k, inner, used, ratio) add_group(
            s, arena_printf(s->arena, "%s\n%s", yyjson_get_str(name), yyjson_get_str(used)), ratio);
    }
}

static struct err *build_prices(struct snapshot *s, struct db *db)
{
    const char *odd;
    TRY(settings_load(db, s->arena, &s->settings, &odd));
    if (*odd)
        log_warn("stored options that no longer fit are left at their defaults: %s", odd);
    struct settings usual;
    settings_default(s->arena, &usual);
    s->prices = map_new(s->arena, 256);
    s->groups = map_new(s->arena, 16);
    add_ratio_prices(s, &usual.ratio);
    add_call_prices(s);
    add_groups(s);
    return NULL;
}

// --- limits -----------------------------------------------------------------------

static void read_limits(yyjson_val *v, struct limits *out)
{
    static const char *const names[LIMIT_UNITS] = {
        [LIMIT_RPM] = "rpm",
        [LIMIT_TPM] = "tpm",
        [LIMIT_RPD] = "rpd",
        [LIMIT_CONCURRENT] = "concurrency",
    };
    for (int u = 0; u < LIMIT_UNITS; u++)
        out->most[u] = json_int_at(v, names[u], 0);
}

static struct map read_limit_map(struct arena *a, const char *text)
{
    yyjson_val *root = read_map(a, text), *name, *value;
    struct map m = map_new(a, yyjson_obj_size(root));
    size_t i, max;
    yyjson_obj_foreach(root, i, max, name, value)
    {
        struct limits *l = NEW(a, struct limits);
        read_limits(value, l);
        map_put(a, &m, str_of(yyjson_get_str(name)), l);
    }
    return m;
}

static void add_limits(struct snapshot *s)
{
    const struct limit_setting *from = &s->settings.limit;
    struct snapshot_limits *l = &s->limits;
    read_limits(read_map(s->arena, from->global), &l->global);
    read_limits(read_map(s->arena, from->address), &l->address);
    read_limits(read_map(s->arena, from->api), &l->api);
    l->users = read_limit_map(s->arena, from->users);
    l->models = read_limit_map(s->arena, from->models);
    l->callers = limits_any(&l->global) || l->users.count || l->models.count;
}

const struct limits *snapshot_limits_of(const struct map *m, const char *name)
{
    if (!m->count)
        return NULL;
    const struct limits *own = map_get(m, str_of(name));
    return own ? own : map_get(m, STR("*"));
}

// --- channels ---------------------------------------------------------------------

static int count_lines(const char *text)
{
    int n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void read_keys(struct arena *a, struct snapshot_channel *c)
{
    yyjson_val *states = read_map(a, c->row.key_states);
    struct str rest = str_of(c->row.key), key;
    c->keys = NEW_ARRAY(a, struct snapshot_key, count_lines(c->row.key));
    while (str_next(&rest, '\n', &key)) {
        if (!str_trim(key).n)
            continue;
        const char *text = arena_str(a, str_trim(key));
        struct health *h = health_of(c->row.id, text);
        atomic_store(&h->off, yyjson_obj_get(states, h->key_id) != NULL);
        c->keys[c->key_count++] = (struct snapshot_key){text, h, NEW(a, struct derived_list)};
    }
    if (!c->key_count) // an upstream without keys still has its health
        c->keys[c->key_count++] =
            (struct snapshot_key){"", health_of(c->row.id, ""), NEW(a, struct derived_list)};
}

static struct snapshot_pair *read_pairs(struct arena *a, const char *text, bool as_json, int *count)
{
    yyjson_val *root = read_map(a, text), *name, *value;
    struct snapshot_pair *pairs = NEW_ARRAY(a, struct snapshot_pair, yyjson_obj_size(root) + 1);
    size_t i, max;
    *count = 0;
    yyjson_obj_foreach(root, i, max, name, value)
    {
        struct str v = as_json || !yyjson_is_str(value)
                           ? json_text_of(a, value)
                           : (struct str){yyjson_get_str(value), yyjson_get_len(value)};
        pairs[(*count)++] = (struct snapshot_pair){str_of(yyjson_get_str(name)), v};
    }
    return pairs;
}

static void read_mapping(struct arena *a, struct snapshot_channel *c)
{
    yyjson_val *root = read_map(a, c->row.model_mapping), *name, *value;
    size_t i, max;
    c->models = map_new(a, yyjson_obj_size(root));
    yyjson_obj_foreach(root, i, max, name, value)
    {
        if (yyjson_is_str(value))
            map_put(a, &c->models, str_of(yyjson_get_str(name)), (void *)yyjson_get_str(value));
    }
}

static struct err *build_channels(struct snapshot *s, struct db *db)
{
    struct rows rows;
    TRY(db_list(db, s->arena, &channel_table, &rows, "status = ? ORDER BY id", P((int)STATUS_ON)));
    const struct channel *items = rows.items;
    s->channels = NEW_ARRAY(s->arena, struct snapshot_channel, rows.count + 1);
    for (size_t i = 0; i < rows.count; i++) {
        struct snapshot_channel *c = &s->channels[s->channel_count++];
        c->row = items[i];
        read_keys(s->arena, c);
        read_mapping(s->arena, c);
        c->headers = read_pairs(s->arena, c->row.header_override, false, &c->header_count);
        c->params = read_pairs(s->arena, c->row.param_override, true, &c->param_count);
        c->limits = LIMITS_OF_ROW(&c->row);
        c->limited = limits_any(&c->limits);
    }
    return NULL;
}

static const struct snapshot_channel *channel_of(const struct snapshot *s, int64_t id)
{
    int from = 0, to = s->channel_count;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (s->channels[middle].row.id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < s->channel_count && s->channels[from].row.id == id ? &s->channels[from] : NULL;
}

// The rows come ordered by group, model and falling priority: one run of them is one ability.
static struct err *build_abilities(struct snapshot *s, struct db *db)
{
    struct rows rows;
    TRY(db_list(db, s->arena, &ability_table, &rows,
                "id > 0 ORDER BY [group], model, priority DESC, channel_id"));
    const struct ability *items = rows.items;
    struct candidate *all = NEW_ARRAY(s->arena, struct candidate, rows.count + 1);
    s->abilities = NEW_ARRAY(s->arena, struct candidates, rows.count + 1);
    s->by_ability = map_new(s->arena, rows.count);
    struct candidates *c = NULL;
    for (size_t i = 0; i < rows.count; i++) {
        const struct snapshot_channel *channel = channel_of(s, items[i].channel_id);
        if (!c || strcmp(c->group, items[i].group) != 0 || strcmp(c->model, items[i].model) != 0) {
            c = &s->abilities[s->ability_count++];
            *c = (struct candidates){all, 0, items[i].group, items[i].model};
            const char *key = arena_printf(s->arena, "%s\n%s", c->group, c->model);
            map_put(s->arena, &s->by_ability, str_of(key), c);
        }
        if (!channel || !items[i].enabled)
            continue; // the model is known all the same: "unavailable" is not "no such model"
        *all++ = (struct candidate){channel, items[i].priority, items[i].weight};
        c->count++;
    }
    return NULL;
}

// --- handing out --------------------------------------------------------------------

static struct {
    pthread_rwlock_t lock; // of `now`, held for an addition only
    struct snapshot *now;
    struct db_pool *pool;
    pthread_mutex_t building;
} current = {.lock = PTHREAD_RWLOCK_INITIALIZER, .building = PTHREAD_MUTEX_INITIALIZER};

const struct snapshot *snapshot_hold(void)
{
    pthread_rwlock_rdlock(&current.lock);
    struct snapshot *s = current.now;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    pthread_rwlock_unlock(&current.lock);
    return s;
}

bool snapshot_keep(struct derived_list *list, struct derived *item)
{
    if (atomic_fetch_add(&list->count, 1) >= DERIVED_MOST) {
        atomic_fetch_sub(&list->count, 1);
        return false;
    }
    item->next = atomic_load(&list->first);
    while (!atomic_compare_exchange_weak(&list->first, &item->next, item))
        ;
    return true;
}

static void free_derived(const struct snapshot_channel *c)
{
    for (int i = 0; i < c->key_count; i++) {
        struct derived *item = atomic_load(&c->keys[i].derived->first), *next;
        for (; item; item = next) {
            next = item->next;
            free(item);
        }
    }
}

static void snapshot_free(struct snapshot *s)
{
    for (int i = 0; i < s->channel_count; i++)
        free_derived(&s->channels[i]);
    arena_free(s->arena);
}

void snapshot_release(const struct snapshot *held)
{
    struct snapshot *s = (struct snapshot *)held;
    if (s && atomic_fetch_sub(&s->refs, 1) == 1)
        snapshot_free(s);
}

static struct err *build(struct arena *a)
{
    struct arena *own = arena_new();
    struct snapshot *s = NEW(own, struct snapshot);
    s->arena = own;
    atomic_init(&s->refs, 1);
    DB(db);
    struct err *e = db_lease(current.pool, a, &db);
    if (!e)
        e = build_prices(s, db);
    if (!e)
        add_limits(s);
    if (!e)
        e = build_channels(s, db);
    if (!e)
        e = build_abilities(s, db);
    if (e) {
        e = err_new(a, e->kind, "%s", e->detail);
        arena_free(own);
        return e;
    }
    pthread_rwlock_wrlock(&current.lock);
    struct snapshot *before = current.now;
    current.now = s;
    pthread_rwlock_unlock(&current.lock);
    snapshot_release(before);
    return NULL;
}

// On the publisher's thread, which has just committed: the next request sees the change.
static struct err *on_change(struct arena *a, int64_t id)
{
    (void)id;
    pthread_mutex_lock(&current.building);
    struct err *e = build(a);
    pthread_mutex_unlock(&current.building);
    return e;
}

struct err *snapshot_setup(struct db_pool *pool, struct arena *a)
{
    current.pool = pool;
    TRY(build(a));
    change_listen(CHANGE_CHANNELS, on_change);
    change_listen(CHANGE_SETTINGS, on_change);
    return NULL;
}

void snapshot_stop(void)
{
    snapshot_release(current.now);
    current.now = NULL;
}

// --- asking -----------------------------------------------------------------------

// Looks up "first\nsecond" without allocating for names of usual length.
static void *pair_get(const struct map *m, const char *first, const char *second)
{
    char key[512];
    size_t n = strlen(first), k = strlen(second);
    if (n + k + 1 > sizeof(key))
        return NULL;
    char *end = mempcpy(key, first, n);
    *end++ = '\n';
    memcpy(end, second, k);
    return map_get(m, (struct str){key, n + k + 1});
}

const struct candidates *snapshot_candidates(const struct snapshot *s, const char *group,
                                             const char *model)
{
    return pair_get(&s->by_ability, group, model);
}

const struct price *snapshot_price(const struct snapshot *s, const char *model)
{
    return map_get(&s->prices, str_of(model));
}

bool snapshot_group_ratio(const struct snapshot *s, const char *user_group, const char *group,
                          int64_t *ratio)
{
    const int64_t *pair = pair_get(&s->groups, user_group, group);
    const int64_t *plain = map_get(&s->groups, str_of(group));
    if (!pair && !plain)
        return false;
    *ratio = pair ? *pair : *plain;
    return true;
}

bool snapshot_group_usable(const struct snapshot *s, const char *user_group, const char *group)
{
    if (!strcmp(user_group, group))
        return true;
    ARENA(a);
    return yyjson_obj_get(read_map(a, s->settings.ratio.user_usable_groups), group) != NULL;
}
