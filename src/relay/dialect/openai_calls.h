// Tool calls of a chat completions reply, put in order: blocks are sequential, while providers
// interleave arguments, leave out indexes and ids, and repeat names.

#pragma once
#include "relay/chat.h"

struct call;

struct calls {
    struct chat_reader *r;
    struct chat_choice *c;
    struct call *first, *last;
    struct call *live; // whose block is open; those before it are done, those behind it wait
    struct buf late_thinking, late_text; // came while a call was not complete
};

// Of a call; some servers send the object instead of its text.
struct str openai_arguments(struct arena *a, yyjson_val *call);

void calls_init(struct calls *s, struct chat_reader *r, struct chat_choice *c);
struct err *calls_read(struct calls *s, yyjson_val *in);     // an element of tool_calls
struct err *calls_read_old(struct calls *s, yyjson_val *in); // function_call
// Keeps the text back if a call's arguments have not ended: true if it did.
bool calls_hold(struct calls *s, enum part_kind kind, struct str text);
struct err *calls_end(struct calls *s); // sends what waits
