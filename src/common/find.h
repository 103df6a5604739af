// Finding texts in bytes, a block at a time: what reads along with streams does little else.

#pragma once
#include "common/str.h"

// Where the nearest of these texts begins in `hay`; hay.n if none is there. All are looked for at
// once: up to FIND_MOST, each of FIND_LEAST to FIND_LONGEST bytes, none of them NUL.
enum { FIND_MOST = 5, FIND_LEAST = 4, FIND_LONGEST = 32 };
size_t find_nearest(struct str hay, const struct str *texts, size_t count);

// How many bytes stand before the first CR or LF; s.n if there is none.
size_t find_line_end(struct str s);

// How many bytes stand before the first LF that another one follows, or before the first CR,
// whichever is nearer; s.n if there is neither.
size_t find_empty_line(struct str s);

// How many bytes stand before the first that a reader of a JSON string must look at: a quote, a
// backslash, a control character, a byte outside ASCII; s.n if there is none.
size_t find_string_sign(struct str s);
