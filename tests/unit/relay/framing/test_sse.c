// Frames of server-sent events: line ends, joined data, and the same frames under every split.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/chat.h"

// "event|payload;" for every frame; a frame without payload is "-".
static void note(struct buf *out, const struct frame *f)
{
    if (f->event.n) {
        buf_str(out, f->event);
        buf_puts(out, "|");
    }
    if (f->payload.p)
        buf_str(out, f->payload);
    else
        buf_puts(out, "-");
    buf_puts(out, ";");
}

// Feeds `step` bytes at a time and forgets what was read, as a relay does.
static void cut(struct arena *a, struct str bytes, size_t step, struct buf *seen, struct buf *raw)
{
    BUF_HERE(in, 1 << 16);
    struct cutter c = {0};
    struct frame f;
    for (size_t at = 0; at < bytes.n; at += step) {
        size_t n = bytes.n - at < step ? bytes.n - at : step;
        buf_add(&in, bytes.p + at, n);
        while (sse_framing.next(&c, buf_view(&in), at + n == bytes.n, a, &f)) {
            note(seen, &f);
            buf_str(raw, f.raw);
        }
        assert_true(c.scanned >= c.at && c.scanned <= in.n);
        buf_drop(&in, c.at);
        c.scanned -= c.at;
        c.at = 0;
    }
}

static const struct {
    const char *bytes, *frames;
} rows[] = {
    {"data: a\n\n", "a;"},
    {"data:a\n\n", "a;"},
    {"data:  a\n\n", " a;"},
    {"data: a\r\n\r\ndata: b\r\n\r\n", "a;b;"},
    {"data: a\r\rdata: b\r\r", "a;b;"},
    {"data: a\n\r\ndata: b\r\n\n", "a;b;"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "a;"},
    {"\xef\xbb\xbf\r\ndata: a\r\n\r\n", "a;"},
    {"\n\n\ndata: a\n\n\n\n", "a;-;"},
    {": ping\n\ndata: a\n\n", "-;a;"},
    {"event: e\ndata: a\n\n", "e|a;"},
    {"event:e\nid: 7\nretry: 3\ndata: a\nother: x\n\n", "e|a;"},
    {"event: e\n\ndata: a\n\n", "e|-;a;"},
    {"data: a\ndata: b\ndata:\ndata: c\n\n", "a\nb\n\nc;"},
    {"data: a\r\ndata: b\r\n\r\n", "a\nb;"},
    {"data\n\ndata:\n\n", ";;"},
    {"dataset: x\ndata: a\n\n", "a;"},
    {"data: a", "a;"},
    {"data: a\n", "a;"},
    {"data: a\n\ndata: b", "a;b;"},
    {"data: a\r", "a;"},
    {"data: a\r\n\r", "a;"},
    {"data: \xc3\xa9\xe2\x82\xac\n\n", "\xc3\xa9\xe2\x82\xac;"},
    {"data: 0123456789abcdef0123456789\n\n", "0123456789abcdef0123456789;"},
};

static void check_row(size_t i, struct str bytes, size_t step)
{
    ARENA(a);
    BUF_HERE(seen, 1 << 16);
    BUF_HERE(raw, 1 << 16);
    cut(a, bytes, step, &seen, &raw);
    if (strcmp(seen.p, rows[i].frames) != 0)
        fail_msg("row %zu, step %zu: %s", i, step, seen.p);
    assert_true(str_eq(buf_view(&raw), bytes)); // every byte is in one frame
}

static void splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str bytes = str_of(rows[i].bytes);
        for (size_t step = 1; step <= bytes.n; step++)
            check_row(i, bytes, step);
    }
}

// A frame of a stream that ends its lines with CR alone is not held back for the next byte.
static void no_waiting(void **state)
{
    (void)state;
    ARENA(a);
    struct cutter c = {0};
    struct frame f;
    assert_true(sse_framing.next(&c, STR("data: a\r\r"), false, a, &f));
    assert_true(str_is(f.payload, "a"));
    c = (struct cutter){0};
    assert_false(sse_framing.next(&c, STR("data: a\r\n\r"), false, a, &f));
    assert_true(sse_framing.next(&c, STR("data: a\r\n\r\n"), false, a, &f));
    assert_int_equal(f.raw.n, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(splits), cmocka_unit_test(no_waiting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
