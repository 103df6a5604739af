// A JSON text with its long strings cut short. What a gateway asks of a conversation stands in its
// short members; the conversation itself, which may have megabytes, need only be known to be valid.

#pragma once
#include "common/str.h"

struct arena;

enum {
    OUTLINE_LONG = 1024, // bytes of a string between its quotes that are not cut
    OUTLINE_KEPT = 256   // bytes that stand for a longer one
};

// Behind this byte of the outline, so many bytes of the text were left out, in all.
struct outline_cut {
    size_t at, left_out;
};

struct outline {
    struct str text;
    struct outline_cut *cuts; // by at
    size_t count, room;
};

// Names of members are never cut. A string that is cut keeps what it begins with, as far as that is
// ASCII without escapes, and dots take the place of the rest. What was cut out is valid: the text
// is JSON exactly if its outline is.
// False where an outline does not pay (short strings only), and where a string is not valid.
bool json_outline(struct arena *a, struct str text, struct outline *out);

// The place in the text of a place in the outline that is not inside a cut string.
size_t json_outline_place(const struct outline *o, size_t at);
