// A conversation written down: what a caller asks, what an upstream must be asked, what it answers,
// what the caller must get. README.md describes the form.

#pragma once
#include <stdbool.h>

#include "common/str.h"

struct arena;

struct section {
    struct section *next;
    struct str name, head, body; // "upstream answers", "200 text/event-stream crlf", the rest
    int line;
};

struct section *case_read(struct arena *a, const char *path);
// The conversation of the n-th caller with the m-th provider of a file, from 0; NULL: there are not
// so many. What is meant for this pair alone ("from Anthropic", "by /v1/messages") stands first.
struct section *case_pair(struct arena *a, const struct section *all, int caller, int provider);
const struct section *case_section(const struct section *first, const char *name); // NULL: none
struct str case_head(const struct section *first, const char *name, const char *fallback);
bool case_flag(const struct section *s, const char *flag); // among the words of its head
// Its bytes on the wire: line ends and the end of the body as the head's words say.
struct str case_bytes(struct arena *a, const struct section *s);
struct str case_word(const struct section *s, int n); // n-th word of its head
