// Finding texts in bytes, a block at a time: what reads along with streams does little else.

#pragma once
#include "common/str.h"

// Where `needle` (not empty) first stands in `hay`; hay.n if nowhere.
size_t find_text(struct str hay, struct str needle);

// How many bytes stand before the first CR or LF; s.n if there is none.
size_t find_line_end(struct str s);
