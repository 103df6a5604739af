// The conversation part of a chat completions request.

#pragma once
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"

struct openai_writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct openai_family *family;
    struct name_map *names;
    struct json j;
    const struct chat_message *results; // whose images the next user message shows
    bool own;                           // the caller speaks OpenAI too
};

bool openai_has(const struct openai_writing *w, enum quirk q);
void openai_write_messages(struct openai_writing *w);
// A content part or a tool: an object with a type, and behind it the cache marker where understood.
void openai_begin_part(struct openai_writing *w, const char *type);
void openai_end_part(struct openai_writing *w, const char *cache_ttl);
