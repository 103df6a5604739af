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

// What is passed over ends where frames end, and whatever it leaves is read as ever.
static void passing_over(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t upto, at;
        int64_t spoken;
    } passed[] = {
        {"data: a\n\ndata: b\n\ndata: c\n\n", SIZE_MAX, 27, 2},
        {"data: a\n\ndata: b\n\ndata: c\n\n", 26, 18, 1}, // the last one does not end before it
        {"data: a\n\ndata: b\n\ndata: c\n", SIZE_MAX, 18, 1},
        {"data: a\n\n: b\n\nevent: c\ndata: c\n\n", SIZE_MAX, 32, 1},
        {"data: a\n\n\n\ndata: b\n\n", SIZE_MAX, 20, 1}, // empty lines say nothing
        {"data: a\n\ndata: b\r\n\r\ndata: c\n\n", SIZE_MAX, 9, 0},
        {"data: a\n\ndata: b\n\ndata: c\r\rdata: d\n\n", SIZE_MAX, 18, 1},
    };
    for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
        ARENA(a);
        BUF_HERE(whole, 1000);
        BUF_HERE(rest, 1000);
        struct str all = str_of(passed[i].bytes);
        struct cutter c = {0}, plain;
        struct frame f;
        assert_int_equal(sse_framing.pass(&c, all, SIZE_MAX), 0); // where nothing began
        assert_int_equal(c.at, 0);
        assert_true(sse_framing.next(&c, all, false, a, &f));
        plain = c;
        assert_int_equal(sse_framing.pass(&c, all, passed[i].upto), passed[i].spoken);
        assert_int_equal(c.at, passed[i].at);
        while (sse_framing.next(&c, all, true, a, &f))
            note(&rest, &f);
        while (sse_framing.next(&plain, all, true, a, &f))
            if (plain.at > passed[i].at)
                note(&whole, &f);
        assert_string_equal(rest.p, whole.p);
    }
    struct cutter c = {0};
    struct frame f;
    struct str all = STR("data: a\n\ndata: b\n\n");
    assert_true(sse_framing.next(&c, all, false, NULL, &f));
    assert_false(sse_framing.next(&c, (struct str){all.p, 12}, false, NULL, &f));
    assert_int_equal(sse_framing.pass(&c, all, SIZE_MAX), 0); // in the midst of one
    assert_int_equal(c.at, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(splits), cmocka_unit_test(no_waiting),
                                       cmocka_unit_test(passing_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
