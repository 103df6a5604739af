// Weights per class of characters, and the sum over a text.
//
// The weights were fitted by least squares (tokens of o200k as the truth; 429 texts of 3,000
// characters: English prose, C, JavaScript, Markdown tables, and 22 other languages). Against
// o200k the sum is within 10 % for English, code and most languages, at worst 22 % below (Polish,
// Turkish) and 29 % above (Russian). For the other families they are multiplied by what new-api's
// estimator gives for them relative to OpenAI (words, numbers, CJK: ../shared/reference/ancestor.md
// 3.7). Nothing closer has been published for Claude 3 and later or for Gemini.

#include "common/tokenizer/approx.h"

#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

enum unit { NONE, LATIN, FOREIGN, NUMBER, CJK, SYMBOL, SIGN, EMOJI, LINE, SPACE, UNITS };

// In thousandths of a token: the first character of a run, and each further one after `free`.
static const struct {
    int first, next, free;
} weights[UNITS] = {
    [LATIN] = {630, 560, 7},   // letters below U+0250; a capital after a small one begins anew
    [FOREIGN] = {260, 325, 1}, // other letters, and marks
    [NUMBER] = {1470, 480, 1}, [CJK] = {540, 790, 1}, [SYMBOL] = {740, 210, 1}, // ASCII
    [SIGN] = {800, 800, 1}, // other punctuation and symbols
    [EMOJI] = {1500, 1500, 1}, [LINE] = {820, 80, 1}, [SPACE] = {310, 30, 1},
};

// Percent.
static const int factors[APPROX_FAMILIES][UNITS] = {
    [APPROX_CLAUDE] = {0, 111, 111, 105, 142, 100, 100, 122, 100, 100},
    [APPROX_GEMINI] = {0, 113, 113, 180, 80, 100, 100, 100, 100, 100},
    [APPROX_OTHER] = {0, 100, 100, 100, 100, 100, 100, 100, 100, 100},
};

static const struct {
    uint32_t first, last;
    enum unit unit;
} ranges[] = {
    {0x2600, 0x27bf, EMOJI}, {0x2e80, 0xa4cf, CJK}, {0xac00, 0xd7af, CJK},
    {0xf900, 0xfaff, CJK},   {0xff00, 0xffef, CJK}, {0x1f000, 0x1ffff, EMOJI},
    {0x20000, 0x3ffff, CJK},
};

static enum unit unit_of(uint32_t c, enum char_class class)
{
    if (class & CHAR_SPACE)
        return c == '\n' || c == '\r' ? LINE : SPACE;
    for (size_t i = 0; c >= ranges[0].first && i < sizeof(ranges) / sizeof(*ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return ranges[i].unit;
    if (class & CHAR_NUMBER)
        return NUMBER;
    if (class & CHAR_OTHER)
        return c < 0x80 ? SYMBOL : SIGN;
    return c < 0x250 ? LATIN : FOREIGN;
}

static void add(struct approx *a, uint32_t c)
{
    enum char_class class = unicode_class(c);
    enum unit unit = unit_of(c, class);
    bool hump = a->lower && class == CHAR_UPPER; // camelCase
    a->run = (int)unit == a->unit && !hump ? a->run + 1 : 0;
    a->unit = (int)unit;
    a->lower = class == CHAR_LOWER;
    int weight =
        a->run == 0 ? weights[unit].first : (a->run >= weights[unit].free ? weights[unit].next : 0);
    a->weight += weight * factors[a->family][unit];
}

void approx_add(struct approx *a, struct str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t i = 0; i < text.n;) {
        uint32_t c = p[i];
        size_t length = c < 0x80 ? 1 : utf8_read(p + i, text.n - i, &c);
        add(a, length ? c : UTF8_BROKEN);
        i += length ? length : 1;
    }
}

int64_t approx_tokens(const struct approx *a)
{
    enum { TOKEN = 1000 * 100 };
    return (a->weight + TOKEN - 1) / TOKEN;
}
