// What a Responses reply is made of: the items of its output, and the object around them.

#pragma once
#include "relay/chat.h"

// One item. Its text is that of the message, the refusal, the summary, the arguments, the custom
// tool's input or, of a raw one, the item itself.
struct responses_item {
    enum part_kind kind;
    const char *id, *call_id, *name, *space; // name: in its namespace, if there is one
    bool custom;                             // a custom tool's call
    const char *status;                      // "in_progress", "completed", "incomplete"
    struct str text, state, logprobs;        // state: encrypted_content
    struct str annotations;                  // of a text, comma-separated
};

// A new item with the `n`-th id of this reply; `base` as responses_base gave it.
struct responses_item responses_item_begin(struct chat_writer *w, const char *base, int n,
                                           enum part_kind kind, const char *call_id,
                                           const char *name);
// As it is shown when it begins (`open`): without its content.
void responses_item_write(struct json *j, const char *key, const struct responses_item *item,
                          bool open);
// The content part of a message, the part of a summary.
void responses_part_write(struct json *j, const char *key, const struct responses_item *item,
                          struct str text);
// A call that was cut off must not be run.
bool responses_is_whole(struct str arguments);
// What a reasoning item carries; another dialect's always carries something, so that it is known
// when it comes back: OpenAI would look for it by its id.
struct str responses_state(struct chat_writer *w, const struct dialect *maker, bool redacted,
                           struct str state, struct str text);

// The response object, but for what changes: written once, used by three events or more.
struct responses_object {
    struct str head, tail;
    const char *base; // of the ids of its items
};
void responses_object_begin(struct chat_writer *w, struct str id, struct str model,
                            struct responses_object *out);
// How the reply stands.
struct responses_standing {
    const char *status;             // "in_progress", "completed", "incomplete", "failed"
    const char *incomplete;         // why it is, or NULL
    const struct chat_error *error; // how it failed, or NULL
};
// `items`: comma-separated JSON.
void responses_object_write(struct buf *out, const struct responses_object *o,
                            const struct responses_standing *standing, struct str items,
                            const struct chat_usage *usage);
// "completed" or "incomplete", and why.
struct responses_standing responses_standing(enum chat_stop reason, bool refused);
