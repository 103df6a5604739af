// AWS's event stream: whatever comes is cut the same way under every split, what is broken stays
// unread, and what was read is written again.

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"
#include "input.h"
#include "relay/chat.h"

enum { FRAMES_MOST = 64, OUT_MOST = 1 << 24 };

struct frames {
    struct frame items[FRAMES_MOST];
    size_t count, bytes;
    bool broken;
};

static void cut(struct arena *a, struct cutter *c, struct str text, struct frames *out)
{
    struct frame f;
    while (out->count < FRAMES_MOST && !out->broken &&
           aws_eventstream_framing.next(c, text, false, a, &f)) {
        HOLDS(f.raw.p == text.p + out->bytes && f.payload.p);
        out->bytes += f.raw.n;
        HOLDS(out->bytes <= text.n && c->at == out->bytes);
        out->broken = f.broken != NULL;
        out->items[out->count++] = f;
    }
}

static void expect_same(const struct frames *one, const struct frames *two)
{
    HOLDS(one->count == two->count && one->broken == two->broken);
    for (size_t i = 0; i < one->count; i++) {
        HOLDS(str_eq(one->items[i].event, two->items[i].event));
        HOLDS(str_eq(one->items[i].payload, two->items[i].payload));
        HOLDS(one->items[i].failed == two->items[i].failed);
    }
}

static void put_number(char *p, uint32_t n)
{
    for (int i = 3; i >= 0; i--, n >>= 8)
        p[i] = (char)n;
}

// Makes the bytes one message with the right lengths and checksums, so that its headers are read.
static struct str mended(struct arena *a, struct str text, unsigned share)
{
    size_t headers = text.n * share / 256, total = text.n + 16;
    char *p = arena_raw(a, total);
    put_number(p, (uint32_t)total);
    put_number(p + 4, (uint32_t)headers);
    put_number(p + 8, hash_crc32(0, p, 8));
    memcpy(p + 12, text.p, text.n);
    put_number(p + total - 4, hash_crc32(0, p, total - 4));
    return (struct str){p, total};
}

static void expect_written(struct arena *a, const struct frame *f)
{
    BUF_HERE(out, OUT_MOST);
    struct cutter c = {0};
    struct frame again;
    if (f->broken || !f->event.n || f->event.n > UINT16_MAX || memchr(f->event.p, 0, f->event.n))
        return;
    aws_eventstream_write(&out, f->failed ? "exception" : "event", arena_str(a, f->event),
                          f->payload);
    HOLDS(aws_eventstream_framing.next(&c, buf_view(&out), false, a, &again));
    HOLDS(!again.broken && again.failed == f->failed && again.raw.n == out.n);
    HOLDS(str_eq(again.event, f->event) && str_eq(again.payload, f->payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned step = input_byte(&in), share = input_byte(&in);
    static struct frames whole, pieces;
    ARENA(a);
    struct cutter one = {0}, two = {0};
    struct str text = share ? mended(a, in.text, share) : in.text;
    whole.count = whole.bytes = pieces.count = pieces.bytes = 0;
    whole.broken = pieces.broken = false;
    cut(a, &one, text, &whole);
    for (size_t at = 0; at < text.n; at += step + 1)
        cut(a, &two, (struct str){text.p, at}, &pieces);
    cut(a, &two, text, &pieces);
    expect_same(&whole, &pieces);
    for (size_t i = 0; i < whole.count; i++)
        expect_written(a, &whole.items[i]);
    return 0;
}
