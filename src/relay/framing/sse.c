// Server-sent events: cutting a stream at its empty lines, whatever the line ends.
// (WHATWG HTML 9.2.6)

#include <string.h>

#include "common/arena.h"
#include "common/find.h"
#include "relay/chat.h"

// "name: value" or "name"; false for anything else.
static bool field_value(struct str line, const char *name, struct str *value)
{
    if (!line.n || line.p[0] != name[0])
        return false; // as for every second line
    size_t n = strlen(name);
    if (!str_starts(line, name) || (line.n > n && line.p[n] != ':'))
        return false;
    *value = str_skip(line, n + 1);
    if (value->n && value->p[0] == ' ')
        *value = str_skip(*value, 1);
    return true;
}

static struct str without_bom(struct str line)
{
    return str_starts(line, "\xef\xbb\xbf") ? str_skip(line, 3) : line;
}

static void note_line(struct cutter *c, struct str all, size_t begin, size_t end)
{
    struct str line = {all.p + begin, end - begin}, value;
    if (!c->seen.began)
        line = without_bom(line);
    c->seen.began = c->seen.lines = true;
    if (field_value(line, "data", &value)) {
        if (c->seen.pieces++)
            return;
        c->seen.payload = (size_t)(value.p - all.p) - c->at;
        c->seen.payload_n = value.n;
    } else if (field_value(line, "event", &value)) {
        c->seen.event = (size_t)(value.p - all.p) - c->at;
        c->seen.event_n = value.n;
    }
}

// Several data lines are one payload with line feeds between them.
static struct str join_pieces(struct arena *a, struct str raw)
{
    char *text = arena_raw(a, raw.n + 1);
    size_t n = 0;
    bool first = true;
    for (struct str rest = raw, value; rest.n;) {
        struct str line = {rest.p, find_line_end(rest)};
        if (field_value(without_bom(line), "data", &value)) {
            if (!first)
                text[n++] = '\n';
            first = false;
            memcpy(text + n, value.p, value.n);
            n += value.n;
        }
        rest = str_skip(rest, line.n + 1);
    }
    return (struct str){text, n};
}

static bool give(struct cutter *c, struct str all, size_t end, struct arena *a, struct frame *out)
{
    const char *base = all.p + c->at;
    *out = (struct frame){.raw = {base, end - c->at}};
    if (c->seen.event_n)
        out->event = (struct str){base + c->seen.event, c->seen.event_n};
    if (c->seen.pieces == 1)
        out->payload = (struct str){base + c->seen.payload, c->seen.payload_n};
    else if (c->seen.pieces > 1)
        out->payload = join_pieces(a, out->raw);
    bool began = c->seen.began;
    *c = (struct cutter){.at = end, .scanned = end, .seen.began = began};
    return true;
}

// Where the line after the one ending at `eol` begins; 0 if a line feed may still belong to this
// end. An empty line after a lone CR ends the frame at once: such a stream never has line feeds,
// and waiting for the next byte would hold the frame back.
static size_t next_line(struct cutter *c, struct str all, size_t eol, bool empty, bool last)
{
    if (all.p[eol] == '\n') {
        c->seen.after_cr = false;
        return eol + 1;
    }
    if (empty && c->seen.after_cr)
        return eol + 1;
    if (eol + 1 == all.n && !last)
        return 0;
    c->seen.after_cr = eol + 1 == all.n || all.p[eol + 1] != '\n';
    return eol + (c->seen.after_cr ? 1 : 2);
}

static bool sse_next(struct cutter *c, struct str all, bool last, struct arena *a,
                     struct frame *out)
{
    while (c->scanned < all.n) {
        size_t eol = c->scanned + find_line_end(str_skip(all, c->scanned));
        size_t begin = c->at + c->seen.line;
        c->scanned = eol;
        if (eol == all.n)
            break;
        size_t next = next_line(c, all, eol, eol == begin, last);
        if (!next)
            return false;
        if (eol == begin && c->seen.lines)
            return give(c, all, next, a, out);
        if (eol > begin)
            note_line(c, all, begin, eol);
        c->seen.line = next - c->at;
        c->scanned = next;
    }
    if (!last || c->at >= all.n)
        return false;
    if (c->at + c->seen.line < all.n)
        note_line(c, all, c->at + c->seen.line, all.n);
    return give(c, all, all.n, a, out);
}

// Only where a frame begins and lines end in LF alone, as all providers write them.
static int64_t sse_pass(struct cutter *c, struct str all, size_t upto)
{
    int64_t spoken = 0;
    bool between = c->scanned == c->at && c->seen.began;
    all.n = upto < all.n ? upto : all.n;
    while (between) {
        size_t end = c->at + find_empty_line(str_skip(all, c->at));
        if (end >= all.n || all.p[end] == '\r')
            break;
        spoken += all.p[c->at] != ':' && all.p[c->at] != '\n';
        c->at = c->scanned = end + 2;
    }
    return spoken;
}

const struct framing sse_framing = {"sse", "text/event-stream", sse_next, sse_pass};
