// The pre-tokenizers: where the first piece of a text ends. Tokens never cross pieces.
//
// They follow, by hand, the regular expressions that OpenAI publishes in tiktoken
// (tiktoken_ext/openai_public.py, version 0.14). Bytes that are no UTF-8 count as punctuation, one
// at a time.

#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"

// The length of the first piece of a text that is not empty; `last` says that nothing follows it.
// 0 when what follows could change the answer, never when it is the last.
size_t split_o200k(struct str text, bool last);
size_t split_cl100k(struct str text, bool last);
