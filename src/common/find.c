// SSE2 where there is one, which is on every x86-64; the C library elsewhere.

#include "common/find.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static size_t find_slowly(struct str hay, size_t from, struct str needle)
{
    const char *at = memmem(hay.p + from, hay.n - from, needle.p, needle.n);
    return at ? (size_t)(at - hay.p) : hay.n;
}

#ifdef __SSE2__
enum { BLOCK = 16 };

static __m128i block(const char *p)
{
    return _mm_loadu_si128((const __m128i_u *)p);
}

// Places where the needle's first and last byte both fit are few: only those are compared.
size_t find_text(struct str hay, struct str needle)
{
    if (hay.n < needle.n)
        return hay.n;
    const __m128i first = _mm_set1_epi8(needle.p[0]);
    const __m128i last = _mm_set1_epi8(needle.p[needle.n - 1]);
    size_t at = 0, back = needle.n - 1;
    for (; at + back + BLOCK <= hay.n; at += BLOCK) {
        __m128i fits = _mm_and_si128(_mm_cmpeq_epi8(block(hay.p + at), first),
                                     _mm_cmpeq_epi8(block(hay.p + at + back), last));
        for (unsigned mask = (unsigned)_mm_movemask_epi8(fits); mask; mask &= mask - 1) {
            size_t place = at + (size_t)__builtin_ctz(mask);
            if (!memcmp(hay.p + place, needle.p, needle.n))
                return place;
        }
    }
    return find_slowly(hay, at, needle);
}

size_t find_line_end(struct str s)
{
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
    size_t at = 0;
    for (; at + BLOCK <= s.n; at += BLOCK) {
        __m128i b = block(s.p + at);
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(b, cr), _mm_cmpeq_epi8(b, lf));
        unsigned mask = (unsigned)_mm_movemask_epi8(ends);
        if (mask)
            return at + (size_t)__builtin_ctz(mask);
    }
    while (at < s.n && s.p[at] != '\r' && s.p[at] != '\n')
        at++;
    return at;
}
#else
size_t find_text(struct str hay, struct str needle)
{
    return hay.n < needle.n ? hay.n : find_slowly(hay, 0, needle);
}

size_t find_line_end(struct str s)
{
    size_t at = 0;
    while (at < s.n && s.p[at] != '\r' && s.p[at] != '\n')
        at++;
    return at;
}
#endif
