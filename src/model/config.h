// Configs: what operators set, by key. Absent keys have their default (setting/).

#pragma once
#include "common/db/db.h"

struct config {
    int64_t id;
    const char *key, *value;
    int64_t updated_at;
};

extern const struct table config_table;

struct err *config_set(struct db *db, struct arena *a, const char *key, const char *value);
