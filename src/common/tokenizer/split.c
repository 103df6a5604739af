// The regular expressions of o200k and cl100k as scanners; each function names the part it stands
// for.

#include "common/tokenizer/split.h"

#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

enum {
    LETTERS = CHAR_UPPER | CHAR_LOWER | CHAR_LETTER, // \p{L}
    HIGH = CHAR_UPPER | CHAR_LETTER | CHAR_MARK,     // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
    LOW = CHAR_LOWER | CHAR_LETTER | CHAR_MARK,      // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
    PUNCTUATION = CHAR_OTHER | CHAR_MARK,            // [^\s\p{L}\p{N}]
};

struct scan {
    const unsigned char *p;
    size_t n;
    bool last;
    bool short_of; // looked beyond what is there, and more may come
};

// The class of the character at `at`; 0 behind the end.
static unsigned peek(struct scan *s, size_t at, size_t *length)
{
    if (at < s->n && s->p[at] < 0x80) {
        *length = 1;
        return unicode_class(s->p[at]);
    }
    uint32_t c = 0;
    *length = at < s->n ? utf8_read(s->p + at, s->n - at, &c) : 0;
    if (*length)
        return unicode_class(c);
    if (!s->last) {
        s->short_of = true;
        return 0;
    }
    *length = at < s->n; // a cut-off character at the end of everything: broken bytes
    return at < s->n ? CHAR_OTHER : 0;
}

static int peek_byte(struct scan *s, size_t at)
{
    if (at < s->n)
        return s->p[at];
    s->short_of |= !s->last;
    return -1;
}

// Where the run of characters of these classes that begins at `at` ends.
static size_t run(struct scan *s, size_t at, unsigned classes)
{
    for (size_t length; peek(s, at, &length) & classes;)
        at += length;
    return at;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d): where it ends, or `at`.
static size_t contraction(struct scan *s, size_t at)
{
    if (peek_byte(s, at) != '\'')
        return at;
    int one = peek_byte(s, at + 1) | 0x20;
    if (one == 's' || one == 't' || one == 'm' || one == 'd')
        return at + 2;
    if (one != 'r' && one != 'v' && one != 'l')
        return at;
    int two = peek_byte(s, at + 2) | 0x20;
    return two == (one == 'l' ? 'l' : 'e') ? at + 3 : at;
}

// HIGH*LOW+: where it ends, or 0. The first part takes all it can and then gives back: as far as
// the last character that the second can begin with.
static size_t high_low(struct scan *s, size_t at)
{
    size_t shared = 0, length = 0;
    bool found = false;
    for (unsigned class; (class = peek(s, at, &length)) & HIGH; at += length)
        if (class & LOW) {
            shared = at;
            found = true;
        }
    size_t end = run(s, at, LOW);
    if (end > at)
        return end;
    return found ? run(s, shared, LOW) : 0;
}

// HIGH+LOW*: where it ends, or 0.
static size_t high(struct scan *s, size_t at)
{
    size_t end = run(s, at, HIGH);
    return end > at ? run(s, end, LOW) : 0;
}

// [^\r\n\p{L}\p{N}]?: its length at the beginning.
static size_t prefix(struct scan *s)
{
    size_t length = 0;
    unsigned class = peek(s, 0, &length);
    return class & (LETTERS | CHAR_NUMBER) || *s->p == '\r' || *s->p == '\n' ? 0 : length;
}

// The first two alternatives of o200k: a word, with its contraction.
static size_t word_o200k(struct scan *s)
{
    size_t before = prefix(s);
    size_t end = high_low(s, before);
    if (!end && before)
        end = high_low(s, 0); // a mark, which can be the word itself
    if (!end)
        end = high(s, before);
    return end ? contraction(s, end) : 0;
}

// [^\r\n\p{L}\p{N}]?\p{L}+
static size_t word_cl100k(struct scan *s)
{
    size_t before = prefix(s);
    size_t end = run(s, before, LETTERS);
    return end > before ? end : 0;
}

// \p{N}{1,3}
static size_t number(struct scan *s)
{
    size_t at = 0, length;
    for (int i = 0; i < 3 && peek(s, at, &length) & CHAR_NUMBER; i++)
        at += length;
    return at;
}

// " ?[^\s\p{L}\p{N}]+[\r\n]*", where o200k admits slashes among the line ends.
static size_t punctuation(struct scan *s, bool slashes)
{
    size_t at = *s->p == ' ';
    size_t end = run(s, at, PUNCTUATION);
    if (end == at)
        return 0;
    for (int c; (c = peek_byte(s, end)) == '\r' || c == '\n' || (slashes && c == '/');)
        end++;
    return end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ of o200k. cl100k has \s++$ before it: `tail_first`.
static size_t space(struct scan *s, bool tail_first)
{
    size_t end = 0, line = 0, before_last = 0, length;
    for (; peek(s, end, &length) & CHAR_SPACE; end += length) {
        before_last = end;
        if (s->p[end] == '\r' || s->p[end] == '\n')
            line = end + 1;
    }
    if (tail_first && end == s->n)
        return end;
    if (line)
        return line;
    return end == s->n || !before_last ? end : before_last;
}

static struct scan scan_of(struct str text, bool last)
{
    return (struct scan){.p = (const unsigned char *)text.p, .n = text.n, .last = last};
}

size_t split_o200k(struct str text, bool last)
{
    struct scan s = scan_of(text, last);
    size_t end = word_o200k(&s);
    if (!end)
        end = number(&s);
    if (!end)
        end = punctuation(&s, true);
    if (!end)
        end = space(&s, false);
    return s.short_of ? 0 : end;
}

size_t split_cl100k(struct str text, bool last)
{
    struct scan s = scan_of(text, last);
    size_t end = contraction(&s, 0);
    if (!end)
        end = word_cl100k(&s);
    if (!end)
        end = number(&s);
    if (!end)
        end = punctuation(&s, false);
    if (!end)
        end = space(&s, true);
    return s.short_of ? 0 : end;
}
