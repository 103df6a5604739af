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
const struct section *case_section(const struct section *first, const char *name); // NULL: none
struct str case_head(const struct section *first, const char *name, const char *fallback);
bool case_flag(const struct section *s, const char *flag); // among the words of its head
struct str case_word(const struct section *s, int n);      // n-th word of its head
