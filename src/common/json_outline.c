// One pass: what stands between strings is copied unread, strings are read to their ends.

#include "common/json_outline.h"

#include <string.h>

#include "common/arena.h"
#include "common/find.h"

struct writer {
    struct arena *arena;
    struct outline *out;
    char *to;
    size_t room;
};

static bool put(struct writer *w, const char *bytes, size_t n)
{
    struct str *text = &w->out->text;
    if (n > w->room - text->n)
        return false;
    memcpy(w->to + text->n, bytes, n);
    text->n += n;
    return true;
}

// --- strings ------------------------------------------------------------------------------

// The code unit of "\uXXXX" at the beginning; -1 if there is none.
static int code_unit(struct str s)
{
    int unit = 0;
    if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

// How many bytes the escape at the beginning has; 0 when it is none. Halves of a surrogate pair
// stand together.
static size_t escape_length(struct str s)
{
    if (s.n > 1 && s.p[1] != 'u')
        return s.p[1] && strchr("\"\\/bfnrt", s.p[1]) ? 2 : 0;
    int unit = code_unit(s);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return 0;
    if (unit < 0xd800 || unit > 0xdbff)
        return 6;
    int second = code_unit(str_skip(s, 6));
    return second >= 0xdc00 && second <= 0xdfff ? 12 : 0;
}

// Most that is not ASCII is three bytes long. By those bytes, in the order of memory: the pattern
// 1110.... 10...... 10......, neither overlong nor half of a surrogate pair.
static size_t three_byte_run(struct str s)
{
    size_t n = 0;
    for (uint32_t word; s.n - n >= sizeof(word); n += 3) {
        const unsigned char *p = (const unsigned char *)s.p + n;
        word = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
        uint32_t lead = word & 0x200f;
        if ((word & 0xc0c0f0) != 0x8080e0 || lead == 0 || lead == 0x200d)
            break;
    }
    return n;
}

static size_t foreign_run(struct str s)
{
    size_t n = three_byte_run(s);
    return n ? n : utf8_char(s);
}

// Where the string whose opening quote was just passed has its closing one; s.n when it is not
// valid.
static size_t string_end(struct str s)
{
    for (size_t at = 0, step; (at += find_string_sign(str_skip(s, at))) < s.n; at += step) {
        struct str rest = str_skip(s, at);
        unsigned char sign = (unsigned char)rest.p[0];
        if (sign == '"')
            return at;
        step = sign == '\\' ? escape_length(rest) : sign < 0x80 ? 0 : foreign_run(rest);
        if (!step)
            break;
    }
    return s.n;
}

static bool is_name(struct str behind)
{
    size_t at = 0;
    while (at < behind.n && strchr(" \t\r\n", behind.p[at]) && behind.p[at])
        at++;
    return at < behind.n && behind.p[at] == ':';
}

static void note_cut(struct writer *w, size_t left_out)
{
    struct outline *o = w->out;
    if (o->count == o->room) {
        o->room = o->room ? o->room * 2 : 64;
        struct outline_cut *more = arena_raw(w->arena, sizeof(*more) * o->room);
        if (o->count)
            memcpy(more, o->cuts, sizeof(*more) * o->count);
        o->cuts = more;
    }
    size_t before = o->count ? o->cuts[o->count - 1].left_out : 0;
    o->cuts[o->count++] = (struct outline_cut){o->text.n, before + left_out};
}

static bool put_short(struct writer *w, struct str content)
{
    static const char dots[OUTLINE_KEPT + 1] =
        "................................................................"
        "................................................................"
        "................................................................"
        "................................................................";
    size_t plain = find_string_sign((struct str){content.p, OUTLINE_KEPT});
    if (!put(w, content.p, plain) || !put(w, dots, OUTLINE_KEPT - plain))
        return false;
    note_cut(w, content.n - OUTLINE_KEPT);
    return true;
}

// --- the text -----------------------------------------------------------------------------

static bool write_outline(struct writer *w, struct str text)
{
    while (text.n) {
        const char *quote = memchr(text.p, '"', text.n);
        size_t between = quote ? (size_t)(quote - text.p) + 1 : text.n;
        if (!put(w, text.p, between))
            return false;
        text = str_skip(text, between);
        if (!quote)
            return true;
        size_t end = string_end(text);
        if (end == text.n)
            return false;
        struct str content = {text.p, end};
        text = str_skip(text, end);
        bool cut = end > OUTLINE_LONG && !is_name(str_skip(text, 1));
        if (!(cut ? put_short(w, content) : put(w, content.p, content.n)) || !put(w, "\"", 1))
            return false;
        text = str_skip(text, 1);
    }
    return true;
}

bool json_outline(struct arena *a, struct str text, struct outline *out)
{
    *out = (struct outline){0};
    struct writer w = {a, out, arena_raw(a, text.n / 2 + 1), text.n / 2};
    out->text.p = w.to;
    return write_outline(&w, text);
}

size_t json_outline_place(const struct outline *o, size_t at)
{
    size_t from = 0, to = o->count; // the cuts before it are those up to from
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (o->cuts[middle].at <= at)
            from = middle + 1;
        else
            to = middle;
    }
    return at + (from ? o->cuts[from - 1].left_out : 0);
}
