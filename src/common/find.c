// AVX2 where there is one, else SSE2, which is on every x86-64; the C library elsewhere.

#include "common/find.h"

#include <string.h>

static size_t nearest_slowly(struct str hay, const struct str *texts, size_t count)
{
    size_t nearest = hay.n;
    for (size_t i = 0; i < count; i++) {
        size_t reach = nearest + texts[i].n - 1; // one that begins later is no nearer
        const char *at = memmem(hay.p, reach < hay.n ? reach : hay.n, texts[i].p, texts[i].n);
        if (at)
            nearest = (size_t)(at - hay.p);
    }
    return nearest;
}

static size_t empty_line_slowly(struct str s, size_t at)
{
    while (at < s.n && s.p[at] != '\r' && (s.p[at] != '\n' || at + 1 == s.n || s.p[at + 1] != '\n'))
        at++;
    return at;
}

static size_t string_sign_slowly(struct str s, size_t at)
{
    while (at < s.n && s.p[at] >= ' ' && (unsigned char)s.p[at] < 0x80 && s.p[at] != '"' &&
           s.p[at] != '\\')
        at++;
    return at;
}

#ifdef __SSE2__
#include <immintrin.h>

enum { BLOCK = 16, WIDE = 32 };

// A text may stand where two of its bytes do. The outermost are often quotes, which stand
// everywhere in JSON: their neighbours tell more.
struct probes {
    __m256i left[FIND_MOST], right[FIND_MOST];
    const struct str *texts;
    size_t count, longest;
};

__attribute__((target("avx2"))) static void probes_init(struct probes *p, const struct str *texts,
                                                        size_t count)
{
    p->texts = texts;
    p->count = count;
    p->longest = 0;
    for (size_t i = 0; i < FIND_MOST; i++) {
        struct str text = texts[i < count ? i : count - 1];
        p->left[i] = _mm256_set1_epi8(text.p[1]);
        p->right[i] = _mm256_set1_epi8(text.p[text.n - 2]);
        if (text.n > p->longest)
            p->longest = text.n;
    }
}

static bool stands_at(const struct probes *p, const char *place)
{
    for (size_t i = 0; i < p->count; i++) {
        struct str text = p->texts[i];
        if (place[1] == text.p[1] && place[text.n - 2] == text.p[text.n - 2] &&
            !memcmp(place, text.p, text.n))
            return true;
    }
    return false;
}

// Of the places from `at` on, by bits, the first where a text stands.
static bool settle(const struct probes *p, const char *at, unsigned mask, size_t *offset)
{
    for (; mask; mask &= mask - 1) {
        *offset = (size_t)__builtin_ctz(mask);
        if (stands_at(p, at + *offset))
            return true;
    }
    return false;
}

// Of the places whose whole text lies inside; *end is where others begin.
__attribute__((target("avx2"))) static bool scan(const struct probes *p, struct str hay,
                                                 size_t *end)
{
    size_t back[FIND_MOST], at = 0, offset;
    for (size_t i = 0; i < FIND_MOST; i++)
        back[i] = p->texts[i < p->count ? i : p->count - 1].n - 2;
    for (; at + p->longest - 1 + WIDE <= hay.n; at += WIDE) {
        const char *here = hay.p + at;
        __m256i left = _mm256_loadu_si256((const __m256i_u *)(here + 1)),
                fits = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (size_t i = 0; i < FIND_MOST; i++) {
            __m256i right = _mm256_loadu_si256((const __m256i_u *)(here + back[i]));
            fits = _mm256_or_si256(fits, _mm256_and_si256(_mm256_cmpeq_epi8(left, p->left[i]),
                                                          _mm256_cmpeq_epi8(right, p->right[i])));
        }
        unsigned mask = (unsigned)_mm256_movemask_epi8(fits);
        if (mask && settle(p, here, mask, &offset)) {
            *end = at + offset;
            return true;
        }
    }
    *end = at;
    return false;
}

// What is left at the end is searched with zeros behind it, which are in no text.
__attribute__((target("avx2"))) static size_t nearest_wide(struct str hay, const struct str *texts,
                                                           size_t count)
{
    char padded[2 * (WIDE + FIND_LONGEST)] = {0};
    struct probes p;
    size_t at, more;
    probes_init(&p, texts, count);
    if (scan(&p, hay, &at))
        return at;
    struct str rest = {padded, hay.n - at + p.longest - 1 + WIDE};
    memcpy(padded, hay.p + at, hay.n - at);
    return scan(&p, rest, &more) ? at + more : hay.n;
}

size_t find_nearest(struct str hay, const struct str *texts, size_t count)
{
    if (!hay.n || !count)
        return hay.n;
    return __builtin_cpu_supports("avx2") ? nearest_wide(hay, texts, count)
                                          : nearest_slowly(hay, texts, count);
}

static __m128i block(const char *p)
{
    return _mm_loadu_si128((const __m128i_u *)p);
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

__attribute__((target("avx2"))) static size_t empty_line_wide(struct str s)
{
    const __m256i cr = _mm256_set1_epi8('\r'), lf = _mm256_set1_epi8('\n');
    size_t at = 0;
    for (; at + WIDE < s.n; at += WIDE) {
        __m256i b = _mm256_loadu_si256((const __m256i_u *)(s.p + at));
        __m256i next = _mm256_loadu_si256((const __m256i_u *)(s.p + at + 1));
        __m256i twice = _mm256_and_si256(_mm256_cmpeq_epi8(b, lf), _mm256_cmpeq_epi8(next, lf));
        unsigned mask =
            (unsigned)_mm256_movemask_epi8(_mm256_or_si256(twice, _mm256_cmpeq_epi8(b, cr)));
        if (mask)
            return at + (size_t)__builtin_ctz(mask);
    }
    return empty_line_slowly(s, at);
}

size_t find_empty_line(struct str s)
{
    return __builtin_cpu_supports("avx2") ? empty_line_wide(s) : empty_line_slowly(s, 0);
}

__attribute__((target("avx2"))) static size_t string_sign_wide(struct str s)
{
    const __m256i quotes = _mm256_set1_epi8('"'), slashes = _mm256_set1_epi8('\\');
    const __m256i space = _mm256_set1_epi8(' '); // what is outside ASCII is negative
    size_t at = 0;
    for (; at + WIDE <= s.n; at += WIDE) {
        __m256i b = _mm256_loadu_si256((const __m256i_u *)(s.p + at));
        __m256i found =
            _mm256_or_si256(_mm256_cmpeq_epi8(b, quotes), _mm256_cmpeq_epi8(b, slashes));
        found = _mm256_or_si256(found, _mm256_cmpgt_epi8(space, b));
        unsigned mask = (unsigned)_mm256_movemask_epi8(found);
        if (mask)
            return at + (size_t)__builtin_ctz(mask);
    }
    return string_sign_slowly(s, at);
}

size_t find_string_sign(struct str s)
{
    return __builtin_cpu_supports("avx2") ? string_sign_wide(s) : string_sign_slowly(s, 0);
}
#else
size_t find_string_sign(struct str s)
{
    return string_sign_slowly(s, 0);
}

size_t find_nearest(struct str hay, const struct str *texts, size_t count)
{
    return nearest_slowly(hay, texts, count);
}

size_t find_empty_line(struct str s)
{
    return empty_line_slowly(s, 0);
}

size_t find_line_end(struct str s)
{
    size_t at = 0;
    while (at < s.n && s.p[at] != '\r' && s.p[at] != '\n')
        at++;
    return at;
}
#endif
