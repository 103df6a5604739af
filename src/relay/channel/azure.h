// Azure OpenAI's two forms of address (azure.md 1).

#pragma once
#include "relay/chat.h"

struct attempt;

// `other` of the channel is the API version. A date ("2024-10-21", "2025-04-01-preview") means the
// deployment form, where the model's name is in the path; "", "v1" and "preview" mean the v1 form.
struct err *azure_url(struct attempt *t);
bool azure_has_mode(enum relay_mode mode, const char *version);
