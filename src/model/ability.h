// Abilities: which channel serves which model for which group. Derived from the channels table.

#pragma once
#include "model/channel.h"

struct ability {
    int64_t id;
    const char *group, *model;
    int64_t channel_id;
    bool enabled;
    int64_t priority;
    int weight;
};

extern const struct table ability_table;

// Replaces the channel's rows by what its lists say; inside the caller's transaction.
struct err *ability_rebuild(struct db *db, struct arena *a, const struct channel *c);
struct err *ability_remove(struct db *db, struct arena *a, int64_t channel_id);
struct err *ability_enable(struct db *db, struct arena *a, int64_t channel_id, bool enabled);
