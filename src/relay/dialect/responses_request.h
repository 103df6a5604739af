// The conversation part of a Responses request.

#pragma once
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/responses.h"

struct responses_writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct openai_family *family;
    struct name_map *names;
    struct json j;
    bool own; // the caller speaks this dialect too
};

void responses_write_input(struct responses_writing *w); // "instructions" and "input"
