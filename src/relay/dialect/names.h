// Ids and tool names made legal for a provider, the same way every time, and restored in answers.

#pragma once
#include "relay/chat.h"

// Unchanged if it matches [A-Za-z0-9_-]{1,max}, else "call_" and a digest: stateless, so that call
// and result agree and a prompt stays the same from turn to turn (caches depend on it).
const char *id_legal(struct arena *a, const char *id, size_t max);

struct name_map;
struct name_map *name_map_new(struct arena *a, const struct chat_tool *tools, size_t max);
// The same where a name must begin with a letter or an underscore (Gemini), or has no dash
// (Cohere).
enum name_rule { NAME_ANY, NAME_LETTERED, NAME_WORDS };
struct name_map *name_map_ruled(struct arena *a, const struct chat_tool *tools, size_t max,
                                enum name_rule rule);
const char *name_to_wire(struct arena *a, const struct name_map *map, const char *name);
struct str name_from_wire(const struct name_map *map, struct str wire);
