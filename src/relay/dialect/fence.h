// Models asked in words for JSON put it between code fences all the same: ```json ... ```

#pragma once
#include "relay/chat.h"

struct fence {
    struct chat_reader *r;
    struct chat_choice *c;
    enum { FENCE_UNSEEN, FENCE_INSIDE, FENCE_NONE } at;
    struct buf held; // what may still belong to a fence
};

void fence_init(struct fence *f, struct chat_reader *r, struct chat_choice *c);
struct err *fence_text(struct fence *f, struct str text);
struct err *fence_end(struct fence *f); // before the text's block is closed

// The words in which such a model is asked for what in->format says.
struct str format_prompt(struct arena *a, const struct chat_request *in);
