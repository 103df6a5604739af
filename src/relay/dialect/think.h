// Reasoning that a server leaves inside the text as <think>...</think> (conversion matrix 7.3), or
// as <thinking>...</thinking> (Amazon's first Nova models).

#pragma once
#include "relay/chat.h"

struct fence;

enum think_tag { THINK_SHORT, THINK_LONG }; // "think", "thinking"

struct think {
    struct chat_reader *r;
    struct chat_choice *c;
    enum think_tag tag;
    struct fence *then; // where the text behind it goes; NULL: to the reader
    enum { THINK_UNSEEN, THINK_INSIDE, THINK_BEHIND, THINK_OVER } at;
    struct buf held; // what may still turn out to be a tag
};

void think_init(struct think *t, struct chat_reader *r, struct chat_choice *c, enum think_tag tag);
struct err *think_text(struct think *t, struct str text);
struct err *think_end(struct think *t);
