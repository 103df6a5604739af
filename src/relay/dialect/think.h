// Reasoning that a server leaves inside the text as <think>...</think> (conversion matrix 7.3).

#pragma once
#include "relay/chat.h"

struct think {
    struct chat_reader *r;
    struct chat_choice *c;
    enum { THINK_UNSEEN, THINK_INSIDE, THINK_BEHIND, THINK_OVER } at;
    struct buf held; // what may still turn out to be a tag
};

void think_init(struct think *t, struct chat_reader *r, struct chat_choice *c);
struct err *think_text(struct think *t, struct str text);
struct err *think_end(struct think *t);
