// A piece of text that need not end in NUL: views into requests, keys of tables.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_ARGS(s) (int)(s).n, (s).p // for "%.*s"

// Inline: most are called with literals, whose length the compiler knows.

static inline struct str str_of(const char *s) // NULL becomes the empty text
{
    return (struct str){s ? s : "", s ? strlen(s) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n));
}

static inline bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

static inline bool str_is_nocase(struct str a, const char *b) // ASCII only
{
    return a.n == strlen(b) && (a.n == 0 || !strncasecmp(a.p, b, a.n));
}

static inline bool str_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (n == 0 || !memcmp(s.p, prefix, n));
}

static inline struct str str_skip(struct str s, size_t n)
{
    size_t by = n < s.n ? n : s.n;
    return (struct str){by ? s.p + by : s.p, s.n - by};
}

struct str str_trim(struct str s); // spaces, tabs, CR, LF on both ends

// Cuts the first piece off *rest at `cut`; false when nothing is left.
// "a,,b" gives "a", "" and "b"; the empty text gives nothing.
bool str_next(struct str *rest, char cut, struct str *piece);

// A whole decimal number, nothing else around it. False on overflow or anything odd.
bool str_to_int(struct str s, int64_t *out);

// Same, for NUL-terminated texts that may be NULL (NULL equals "").
static inline bool text_eq(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

static inline bool text_is_empty(const char *s)
{
    return !s || !*s;
}

// One comma-separated list (or lines): is `item` in it? Blanks around items are ignored.
bool list_has(const char *list, const char *item);

int hex_digit(char c); // 0 to 15 in either case; -1 for anything else

// How long the character at the beginning is; 0 when it is none in well-formed UTF-8.
size_t utf8_char(struct str s);

// Well-formed UTF-8 without NUL: what every database we speak to accepts.
bool utf8_valid(struct str s);
