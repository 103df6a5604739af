// Text views: comparing, cutting, reading numbers.

#include "common/str.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_skip(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_next(struct str *rest, char cut, struct str *piece)
{
    if (!rest->p || rest->n == 0)
        return false;
    const char *at = memchr(rest->p, cut, rest->n);
    if (!at) {
        *piece = *rest;
        *rest = (struct str){0};
        return true;
    }
    *piece = (struct str){rest->p, (size_t)(at - rest->p)};
    *rest = str_skip(*rest, piece->n + 1);
    return true;
}

bool str_to_int(struct str s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    if (negative)
        s = str_skip(s, 1);
    if (s.n == 0)
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        int digit = s.p[i] - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return false; // counted downwards, so that INT64_MIN fits
    }
    if (!negative && v == INT64_MIN)
        return false;
    *out = negative ? v : -v;
    return true;
}

bool list_has(const char *list, const char *item)
{
    struct str rest = str_of(list), line, piece;
    while (str_next(&rest, '\n', &line))
        while (str_next(&line, ',', &piece))
            if (str_is(str_trim(piece), item))
                return true;
    return false;
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Length of the sequence that begins with this byte; 0 if none may.
static size_t utf8_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef)
        return 3;
    return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

// The second byte rules out overlong forms, surrogates and what lies above U+10FFFF.
static bool utf8_second(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return second >= 0x80 && second <= 0xbf;
    }
}

size_t utf8_char(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = s.n ? utf8_length(*p) : 0;
    if (n == 0 || s.n < n || (n > 1 && !utf8_second(p[0], p[1])))
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

// How many bytes in front are ASCII and not NUL, in steps of eight.
static size_t plain_run(const unsigned char *p, const unsigned char *end)
{
    const uint64_t tops = 0x8080808080808080, ones = 0x0101010101010101;
    size_t n = 0;
    for (uint64_t word; (size_t)(end - p) >= n + sizeof(word); n += sizeof(word)) {
        memcpy(&word, p + n, sizeof(word));
        if ((word | (word - ones)) & tops) // with the top bits clear, only a NUL borrows
            break;
    }
    return n;
}

bool utf8_valid(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    while (p < end) {
        p += plain_run(p, end);
        if (p == end)
            break;
        size_t n = *p ? utf8_char((struct str){(const char *)p, (size_t)(end - p)}) : 0;
        if (!n)
            return false;
        p += n;
    }
    return true;
}
