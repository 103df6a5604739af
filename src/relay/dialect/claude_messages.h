// The conversation part of a messages request.

#pragma once
#include "relay/dialect/claude.h"
#include "relay/dialect/names.h"

struct claude_writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct claude_model *model;
    struct name_map *names;
    struct json j;
    struct chat_message *messages; // repaired
    enum claude_format format;
    bool own;      // the caller speaks this dialect too
    bool thinking; // is switched on
    bool budgeted; // ... with a budget: no tool may be forced
    int skip;      // cache markers to leave out: the first ones beyond the allowed four
    int role;      // of the message that is open; -1 none
};

void claude_write_messages(struct claude_writing *w);
void claude_write_system(struct claude_writing *w);
void claude_write_marker(struct claude_writing *w, const char *ttl); // "cache_control", if any
