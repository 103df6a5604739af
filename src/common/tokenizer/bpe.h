// Byte pair encoding of one piece of text, with a table of common/tokenizer/ranks.h.

#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

struct ranks;

// Takes tokens: counts them, and with `ids` writes down their ranks as far as there is room.
struct bpe_out {
    int64_t count;
    uint32_t *ids; // NULL: only count
    int64_t room;
};

// Any piece of at least one byte. Time is n log n; pieces beyond BPE_SHORT bytes take some thirty
// bytes of heap for each of theirs meanwhile.
enum { BPE_SHORT = 96 };
void bpe_encode(const struct ranks *r, struct str piece, struct bpe_out *out);
