// Open addressing, at most half full.

#include "common/map.h"

#include "common/arena.h"
#include "common/hash.h"

struct map map_new(struct arena *a, size_t expected)
{
    size_t size = 8;
    while (size < expected * 2)
        size *= 2;
    return (struct map){NEW_ARRAY(a, struct map_slot, size), size, 0};
}

static struct map_slot *slot_of(const struct map *m, struct str key)
{
    size_t at = (size_t)hash_table(key.p, key.n) & (m->size - 1);
    while (m->slots[at].key.p && !str_eq(m->slots[at].key, key))
        at = (at + 1) & (m->size - 1);
    return &m->slots[at];
}

static void grow(struct arena *a, struct map *m)
{
    struct map larger = map_new(a, m->size);
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].key.p)
            *slot_of(&larger, m->slots[i].key) = m->slots[i];
    larger.count = m->count;
    *m = larger;
}

void map_put(struct arena *a, struct map *m, struct str key, void *value)
{
    if (!m->size || m->count * 2 >= m->size)
        grow(a, m);
    struct map_slot *slot = slot_of(m, key);
    m->count += !slot->key.p;
    *slot = (struct map_slot){key.p ? key : STR(""), value};
}

void *map_get(const struct map *m, struct str key)
{
    return m->size ? slot_of(m, key)->value : NULL;
}
