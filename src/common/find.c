// AVX2 where there is one, else SSE2, which is on every x86-64; the C library elsewhere.

#include "common/find.h"

#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

static size_t find_slowly(struct str hay, size_t from, struct str needle)
{
    const char *at = memmem(hay.p + from, hay.n - from, needle.p, needle.n);
    return at ? (size_t)(at - hay.p) : hay.n;
}

#ifdef __SSE2__
enum { BLOCK = 16, WIDE = 32, PROBES_LEAST = 4 };

static __m128i block(const char *p)
{
    return _mm_loadu_si128((const __m128i_u *)p);
}

// Places where two bytes of the needle fit are few, and only those are compared. The outermost are
// often quotes, which fit everywhere in JSON: their neighbours tell more.
struct probe {
    size_t left, right, back;
};

static struct probe probe_of(struct str needle)
{
    size_t back = needle.n - 1;
    return needle.n < PROBES_LEAST ? (struct probe){0, back, back}
                                   : (struct probe){1, back - 1, back};
}

// The first of these places, by bits from `at` on, that holds the needle; hay.n if none does.
static size_t compare(struct str hay, struct str needle, size_t at, unsigned mask)
{
    for (; mask; mask &= mask - 1) {
        size_t place = at + (size_t)__builtin_ctz(mask);
        if (!memcmp(hay.p + place, needle.p, needle.n))
            return place;
    }
    return hay.n;
}

__attribute__((target("avx2"))) static size_t find_wide(struct str hay, struct str needle)
{
    const struct probe probe = probe_of(needle);
    const __m256i left = _mm256_set1_epi8(needle.p[probe.left]);
    const __m256i right = _mm256_set1_epi8(needle.p[probe.right]);
    size_t at = 0;
    for (; at + probe.back + WIDE <= hay.n; at += WIDE) {
        __m256i l = _mm256_loadu_si256((const __m256i_u *)(hay.p + at + probe.left));
        __m256i r = _mm256_loadu_si256((const __m256i_u *)(hay.p + at + probe.right));
        __m256i fits = _mm256_and_si256(_mm256_cmpeq_epi8(l, left), _mm256_cmpeq_epi8(r, right));
        unsigned mask = (unsigned)_mm256_movemask_epi8(fits);
        size_t place = mask ? compare(hay, needle, at, mask) : hay.n;
        if (place < hay.n)
            return place;
    }
    return find_slowly(hay, at, needle);
}

static size_t find_narrow(struct str hay, struct str needle)
{
    const struct probe probe = probe_of(needle);
    const __m128i left = _mm_set1_epi8(needle.p[probe.left]);
    const __m128i right = _mm_set1_epi8(needle.p[probe.right]);
    size_t at = 0;
    for (; at + probe.back + BLOCK <= hay.n; at += BLOCK) {
        __m128i fits = _mm_and_si128(_mm_cmpeq_epi8(block(hay.p + at + probe.left), left),
                                     _mm_cmpeq_epi8(block(hay.p + at + probe.right), right));
        unsigned mask = (unsigned)_mm_movemask_epi8(fits);
        size_t place = mask ? compare(hay, needle, at, mask) : hay.n;
        if (place < hay.n)
            return place;
    }
    return find_slowly(hay, at, needle);
}

size_t find_text(struct str hay, struct str needle)
{
    if (hay.n < needle.n || !needle.n)
        return needle.n ? hay.n : 0;
    return __builtin_cpu_supports("avx2") ? find_wide(hay, needle) : find_narrow(hay, needle);
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
