// The snapshot: channels, abilities, prices and settings as one immutable structure, so that a
// request sees one consistent world. Built by a worker, swapped by pointer, freed when its last
// reader is done.

#pragma once
#include <stdatomic.h>

#include "common/db/db.h"
#include "common/map.h"
#include "model/channel.h"
#include "service/health.h"
#include "service/limit.h"
#include "service/pricing.h"
#include "setting/setting.h"

// What others have worked out from a snapshot and keep for as long as it lives: memory of
// mem_new. The list only grows.
struct derived {
    struct derived *next;
};
struct derived_list {
    _Atomic(struct derived *) first;
    _Atomic int count;
};

struct snapshot_key {
    const char *text;
    struct health *health;
    struct derived_list *derived;
};

struct snapshot_pair {
    struct str name, value; // value: text, or JSON text for parameters
};

struct snapshot_channel {
    struct channel row;
    struct snapshot_key *keys;
    int key_count;
    struct map models;                      // model_mapping: asked for -> const char * sent
    struct snapshot_pair *headers, *params; // header_override, param_override
    int header_count, param_count;
    struct limits limits;
    bool limited; // any of them
};

struct snapshot_limits {
    struct limits global, address, api;
    struct map users, models; // group, model -> struct limits *; "*": all others
    bool callers;             // may apply to a caller: global, users or models
};

struct candidate {
    const struct snapshot_channel *channel;
    int64_t priority;
    int weight;
};

// Who serves one model for one group, highest priority first.
struct candidates {
    struct candidate *items;
    int count;
    const char *group, *model;
};

struct snapshot {
    struct arena *arena;
    _Atomic int refs;
    struct settings settings;
    struct snapshot_channel *channels;
    int channel_count;
    struct candidates *abilities; // sorted by group, then model
    int ability_count;
    struct map by_ability; // "group\nmodel" -> struct candidates *
    struct map prices;     // model -> struct price *
    struct map groups;     // group -> int64_t *, its ratio in millionths
    struct snapshot_limits limits;
};

// Builds the first one; later ones are built by whoever publishes a change, before he goes on.
struct err *snapshot_setup(struct db_pool *pool, struct arena *a);
void snapshot_stop(void);

// False, and not taken, if there are too many already.
bool snapshot_keep(struct derived_list *list, struct derived *item);

const struct snapshot *snapshot_hold(void); // any thread
void snapshot_release(const struct snapshot *held);

const struct candidates *snapshot_candidates(const struct snapshot *s, const char *group,
                                             const char *model);                 // NULL if nobody
const struct price *snapshot_price(const struct snapshot *s, const char *model); // NULL: unpriced
// Of one map of s->limits; NULL: none.
const struct limits *snapshot_limits_of(const struct map *m, const char *name);
// What the group costs for this user's group, in millionths; false: there is no such group.
bool snapshot_group_ratio(const struct snapshot *s, const char *user_group, const char *group,
                          int64_t *ratio);
bool snapshot_group_usable(const struct snapshot *s, const char *user_group, const char *group);
