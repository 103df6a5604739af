// Legal ids and tool names: the rules of OpenAI and Anthropic differ only in their length.

#include "relay/dialect/names.h"

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"

struct name_map {
    size_t n, max;
    enum name_rule rule;
    struct {
        const char *name, *wire;
    } pair[];
};

static bool is_legal(const char *s, size_t max)
{
    size_t n = 0;
    for (; s[n]; n++) {
        char c = s[n];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
        if (!ok || n >= max)
            return false;
    }
    return n > 0;
}

static const char *digest_of(struct arena *a, const char *s, size_t bytes)
{
    unsigned char digest[SHA256_SIZE];
    hash_sha256(str_of(s), digest);
    return hash_hex(a, digest, bytes);
}

const char *id_legal(struct arena *a, const char *id, size_t max)
{
    if (id && is_legal(id, max))
        return id;
    return arena_printf(a, "call_%s", digest_of(a, id ? id : "", 12));
}

static bool fits(const struct name_map *map, const char *name)
{
    bool begins = map->rule != NAME_LETTERED || !strchr("-0123456789", *name);
    bool joined = map->rule != NAME_WORDS || !strchr(name, '-');
    return begins && joined && is_legal(name, map->max);
}

// MCP names such as "server.tool" get underscores; long ones end in a digest.
static const char *legal_name(struct arena *a, const struct name_map *map, const char *name)
{
    if (fits(map, name))
        return name;
    size_t max = map->max;
    bool bare = !*name || (map->rule == NAME_LETTERED && strchr("-0123456789", *name));
    char *legal = arena_printf(a, "%s%s", bare ? "_" : "", name);
    for (char *c = legal; *c; c++)
        if (!is_legal((char[]){*c, 0}, 1) || (*c == '-' && map->rule == NAME_WORDS))
            *c = '_';
    if (strlen(legal) <= max)
        return legal;
    return arena_printf(a, "%.*s_%s", (int)max - 9, legal, digest_of(a, name, 4));
}

static bool is_taken(const struct name_map *map, const struct chat_tool *tools, const char *wire)
{
    for (const struct chat_tool *t = tools; t; t = t->next)
        if (t->name && !strcmp(t->name, wire))
            return true;
    for (size_t i = 0; i < map->n; i++)
        if (!strcmp(map->pair[i].wire, wire))
            return true;
    return false;
}

// Holds only the names that had to change.
struct name_map *name_map_ruled(struct arena *a, const struct chat_tool *tools, size_t max,
                                enum name_rule rule)
{
    size_t count = 0;
    for (const struct chat_tool *t = tools; t; t = t->next)
        count++;
    struct name_map *map = arena_alloc(a, sizeof(*map) + count * sizeof(map->pair[0]));
    map->max = max;
    map->rule = rule;
    for (const struct chat_tool *t = tools; t; t = t->next) {
        if (!t->name || fits(map, t->name))
            continue;
        const char *base = legal_name(a, map, t->name), *wire = base;
        for (int i = 2; is_taken(map, tools, wire); i++)
            wire = arena_printf(a, "%.*s_%d", (int)max - 5, base, i);
        map->pair[map->n].name = t->name;
        map->pair[map->n++].wire = wire;
    }
    return map;
}

struct name_map *name_map_new(struct arena *a, const struct chat_tool *tools, size_t max)
{
    return name_map_ruled(a, tools, max, NAME_ANY);
}

const char *name_to_wire(struct arena *a, const struct name_map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (!strcmp(map->pair[i].name, name))
            return map->pair[i].wire;
    return legal_name(a, map, name);
}

struct str name_from_wire(const struct name_map *map, struct str wire)
{
    for (size_t i = 0; map && i < map->n; i++)
        if (str_is(wire, map->pair[i].wire))
            return str_of(map->pair[i].name);
    return wire;
}
