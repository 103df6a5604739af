// Conversations as strict providers want them.

#pragma once
#include "relay/chat.h"

// Every call is answered directly behind the turn that made it, in the order of the calls, once: a
// missing answer is made up as an interrupted one, the last of several counts, an answer to nothing
// becomes user text, whatever stood between follows. Ids used twice are told apart. (OpenAI and
// Anthropic both answer 400 to anything else; conversion matrix 6.1.)
struct chat_message *history_repair(struct arena *a, const struct chat_message *in);

// The tools that were called, in the order of their first calls; without descriptions and schemas.
struct chat_tool *history_tools(struct arena *a, const struct chat_message *messages);
// How many cache markers stand in the system prompts and the messages.
int history_markers(const struct chat_part *system, const struct chat_message *messages);
