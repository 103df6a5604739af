// A table from text to pointer, filled once and then only read. Lives in an arena.

#pragma once
#include "common/str.h"

struct arena;

struct map {
    struct map_slot {
        struct str key;
        void *value;
    } *slots;
    size_t size, count; // size is a power of two, or 0
};

struct map map_new(struct arena *a, size_t expected);
void map_put(struct arena *a, struct map *m, struct str key, void *value); // the last one counts
void *map_get(const struct map *m, struct str key);                        // NULL if absent
