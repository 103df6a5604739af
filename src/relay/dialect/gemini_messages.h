// The conversation part of a generateContent request.

#pragma once
#include "relay/dialect/gemini.h"
#include "relay/dialect/names.h"

struct gemini_writing {
    struct arena *a;
    const struct chat_request *in;
    const struct chat_target *to;
    const struct gemini_model *model;
    struct name_map *names;
    struct json j;
    enum gemini_format format;
    const char *role;                // of the content that is open; NULL none
    const struct chat_message *turn; // the latest of the model: its calls have the names
    struct str signature;            // of the next call
    bool called;                     // this turn has written a call
};

bool gemini_wants_bytes(const struct chat_target *to, const struct chat_part *p);
void gemini_write_contents(struct gemini_writing *w);
void gemini_write_system(struct gemini_writing *w);
