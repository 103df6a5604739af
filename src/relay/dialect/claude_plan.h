// How much a Claude may say and how it is told to think, on whichever platform it is served.

#pragma once
#include "relay/dialect/claude.h"

struct claude_plan {
    int64_t max_tokens, budget;
    enum { THINK_UNSAID, THINK_DISABLED, THINK_BUDGET, THINK_ADAPTIVE } thinking;
    const char *effort; // NULL: nothing is said
};

// `messages` are the repaired ones; `is_signed` knows the thinking that this platform takes back.
// What cannot be done is noted as dropped.
struct claude_plan claude_plan_of(const struct chat_request *in, const struct chat_target *to,
                                  const struct chat_message *messages,
                                  bool (*is_signed)(const struct chat_part *p));
// What neither Anthropic's API nor Bedrock's has a word for.
void claude_note_dropped(const struct chat_request *in, const struct chat_target *to);
// Which of them are said and taken beside this thinking; the others, if said, are noted as dropped.
struct claude_sampling {
    bool temperature, top_p, top_k;
};
struct claude_sampling claude_sampling_of(const struct chat_request *in,
                                          const struct chat_target *to, bool thinking);
// The member "thinking", if anything is to be said.
void claude_write_thinking(struct json *j, const struct chat_request *in,
                           const struct claude_plan *p);
