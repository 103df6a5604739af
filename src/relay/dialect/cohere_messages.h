// The conversation part of a v2 chat request.

#pragma once
#include "relay/dialect/cohere.h"
#include "relay/dialect/names.h"

struct cohere_writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct cohere_model *model;
    struct name_map *names;
    struct json j;
    struct chat_message *messages; // repaired
    enum cohere_format format;
    bool own; // the caller speaks this dialect too
};

// "messages", and "documents" where files are shown.
void cohere_write_messages(struct cohere_writing *w);
