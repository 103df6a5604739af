// The token table of one encoding as it lies in the program: written by tools/gen/ranks.c at build
// time, used in place, so that it costs no start-up and only the pages that are looked at.
//
//   struct ranks | slots | marks | keys
//
// A key is one byte of length and the token's bytes. Keys stand in the order of their ranks, so a
// key's place ("at") orders tokens as their ranks do, and the frequent ones lie together. A slot is
// 0 or at | tag << RANKS_AT_BITS, found by open addressing from the hash. marks[i] is the place of
// the key with rank i * RANKS_MARK. Numbers are in the byte order of the machine that builds.

#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { RANKS_AT_BITS = 21, RANKS_MARK = 64, RANKS_NONE = -1 };

struct ranks {
    uint32_t slots;   // how many
    uint32_t tokens;  // ranks 0 ... tokens - 1
    uint32_t longest; // bytes of the longest token
    uint32_t keys_at; // from the beginning of this struct
};

static inline uint64_t ranks_word(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t ranks_half(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t ranks_mix(uint64_t a, uint64_t b)
{
    __uint128_t v = (__uint128_t)(a ^ 0xa0761d6478bd642fu) * (b ^ 0xe7037ed1a0b428dbu);
    return (uint64_t)v ^ (uint64_t)(v >> 64);
}

// Of at least one byte.
static inline uint64_t ranks_hash(const unsigned char *p, size_t n)
{
    if (n < 4)
        return ranks_mix((uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1], n);
    if (n < 8)
        return ranks_mix(ranks_half(p), (uint64_t)ranks_half(p + n - 4) << 8 | n);
    uint64_t hash = n;
    for (size_t i = 0; i + 8 < n; i += 8)
        hash = ranks_mix(hash, ranks_word(p + i));
    return ranks_mix(hash, ranks_word(p + n - 8));
}

static inline uint32_t ranks_slot(uint64_t hash, uint32_t slots)
{
    return (uint32_t)((hash >> 32) * slots >> 32);
}

static inline uint32_t ranks_tag(uint64_t hash)
{
    return (uint32_t)hash >> RANKS_AT_BITS;
}
