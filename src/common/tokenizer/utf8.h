// Reading UTF-8 that may be broken or cut off.

#pragma once
#include <stddef.h>
#include <stdint.h>

enum { UTF8_BROKEN = 0xfffd }; // what a byte that is no UTF-8 reads as

// How many bytes the character with this first byte has; 1 for what is no first byte.
static inline size_t utf8_length(unsigned char first)
{
    if (first < 0xc2 || first > 0xf4)
        return 1;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

// Reads a character of more than one byte at p, of which n > 0 bytes are there. Its length; 0 when
// it is cut off but right so far.
static inline size_t utf8_read(const unsigned char *p, size_t n, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = utf8_length(*p);
    *c = length == 1 ? UTF8_BROKEN : *p & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (i == n)
            return 0;
        if ((p[i] & 0xc0) != 0x80) {
            *c = UTF8_BROKEN;
            return 1;
        }
        *c = *c << 6 | (p[i] & 0x3f);
    }
    if (length > 1 && (*c < least[length] || *c > 0x10ffff || (*c >> 11) == 0x1b)) {
        *c = UTF8_BROKEN;
        return 1;
    }
    return length;
}
