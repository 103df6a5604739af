// Server-sent events: a stream cut anywhere gives the same frames, and no byte is lost.

#include <string.h>

#include "common/arena.h"
#include "input.h"
#include "relay/chat.h"

enum { FRAMES_MOST = 256 };

struct frames {
    struct frame items[FRAMES_MOST];
    size_t count, bytes;
};

static void cut(struct arena *a, struct cutter *c, struct str text, bool last, struct frames *out)
{
    struct frame f;
    while (out->count < FRAMES_MOST && sse_framing.next(c, text, last, a, &f)) {
        HOLDS(f.raw.p == text.p + out->bytes);
        out->bytes += f.raw.n;
        HOLDS(out->bytes <= text.n);
        out->items[out->count++] = f;
    }
}

static bool says_something(const struct frame *f)
{
    return f->payload.p != NULL;
}

// Payloads and events in order; where comments and blank lines are cut may differ.
static void expect_same(const struct frames *one, const struct frames *two)
{
    size_t k = 0;
    for (size_t i = 0; i < one->count; i++) {
        if (!says_something(&one->items[i]))
            continue;
        while (k < two->count && !says_something(&two->items[k]))
            k++;
        HOLDS(k < two->count);
        HOLDS(str_eq(one->items[i].payload, two->items[k].payload));
        HOLDS(str_eq(one->items[i].event, two->items[k].event));
        k++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned step = input_byte(&in), first = input_byte(&in);
    static struct frames whole, pieces;
    ARENA(a);
    struct cutter one = {0}, two = {0};
    whole.count = whole.bytes = pieces.count = pieces.bytes = 0;
    cut(a, &one, in.text, true, &whole);
    for (size_t at = first; at < in.text.n; at += step + 1)
        cut(a, &two, (struct str){in.text.p, at}, false, &pieces);
    cut(a, &two, in.text, true, &pieces);
    if (whole.count < FRAMES_MOST && pieces.count < FRAMES_MOST) {
        HOLDS(whole.bytes == in.text.n);
        HOLDS(pieces.bytes == in.text.n);
        expect_same(&whole, &pieces);
        expect_same(&pieces, &whole);
    }
    return 0;
}
