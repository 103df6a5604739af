// A stream that is one JSON array: its elements are the payloads. What stands around them travels
// as frames without a payload, so that every byte belongs to one.

#include "relay/chat.h"

// Where the value that begins at `from` ends; 0 if that is not to be seen yet.
static size_t value_end(struct str all, size_t from, struct cutter *c)
{
    size_t i = c->scanned > from ? c->scanned : from;
    int depth = (int)c->seen.pieces;
    bool quoted = c->seen.lines, escaped = c->seen.after_cr;
    for (; i < all.n; i++) {
        char at = all.p[i];
        if (escaped)
            escaped = false;
        else if (quoted && at == '\\')
            escaped = true;
        else if (at == '"')
            quoted = !quoted;
        else if (!quoted && (at == '{' || at == '['))
            depth++;
        else if (!quoted && (at == '}' || at == ']') && --depth <= 0)
            return i + 1;
    }
    c->scanned = all.n;
    c->seen.pieces = (unsigned)depth;
    c->seen.lines = quoted;
    c->seen.after_cr = escaped;
    return 0;
}

static bool is_between(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '[' || c == ']';
}

static bool give(struct cutter *c, struct str all, size_t begin, size_t end, struct frame *out)
{
    *out = (struct frame){.raw = {all.p + c->at, end - c->at}};
    if (end > begin)
        out->payload = (struct str){all.p + begin, end - begin};
    *c = (struct cutter){.at = end, .scanned = end};
    return true;
}

static bool array_next(struct cutter *c, struct str all, bool last, struct arena *a,
                       struct frame *out)
{
    (void)a;
    size_t begin = c->at;
    while (begin < all.n && is_between(all.p[begin]))
        begin++;
    if (begin == all.n) // only what stands around: the end of the array, mostly
        return c->at < all.n && last ? give(c, all, begin, begin, out) : false;
    size_t end = value_end(all, begin, c);
    if (!end && !last)
        return false;
    return give(c, all, begin, end ? end : all.n, out);
}

const struct framing array_framing = {"array", "application/json", array_next};
