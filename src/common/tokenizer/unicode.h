// The classes of characters that the pre-tokenizers tell apart.

#pragma once
#include <stddef.h>
#include <stdint.h>

// Bits, so that a set of classes is an "or"; the table holds the numbers of the bits.
enum char_class {
    CHAR_OTHER = 1 << 0,  // punctuation, symbols, controls, unassigned
    CHAR_UPPER = 1 << 1,  // Lu, Lt
    CHAR_LOWER = 1 << 2,  // Ll
    CHAR_LETTER = 1 << 3, // Lm, Lo: letters without case
    CHAR_MARK = 1 << 4,   // M
    CHAR_NUMBER = 1 << 5, // N
    CHAR_SPACE = 1 << 6,  // White_Space
};

enum { UNICODE_INDEX = 7172, UNICODE_BLOCKS = 231, UNICODE_BLOCK = 128 };

// From tools/gen/unicode.ts: one nibble per character, equal blocks stored once.
extern const uint8_t unicode_index[UNICODE_INDEX];
extern const uint8_t unicode_blocks[UNICODE_BLOCKS * UNICODE_BLOCK / 2];

static inline enum char_class unicode_class(uint32_t c)
{
    if (c >= UNICODE_INDEX * UNICODE_BLOCK)
        return CHAR_OTHER;
    size_t block = unicode_index[c / UNICODE_BLOCK];
    uint8_t two = unicode_blocks[(block * UNICODE_BLOCK + c % UNICODE_BLOCK) / 2];
    return (enum char_class)(1 << (c & 1 ? two >> 4 : two & 15));
}
