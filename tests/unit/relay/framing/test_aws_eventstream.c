// Messages of AWS's event stream: the published form, every split, every damaged byte.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/chat.h"

// messageStart with {"role":"assistant"}, as AWS's own codec writes it.
static const char VECTOR[] =
    "000000760000005296d5fade0b3a6576656e742d7479706507000c6d6573736167655374617274"
    "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
    "0d3a6d6573736167652d747970650700056576656e74"
    "7b22726f6c65223a22617373697374616e74227d6fa8c599";

static struct str bytes_of(struct arena *a, const char *hex)
{
    size_t n = strlen(hex) / 2;
    char *bytes = arena_raw(a, n);
    for (size_t i = 0; i < n; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *high = strchr(digits, hex[2 * i]), *low = strchr(digits, hex[2 * i + 1]);
        assert_true(high && low);
        bytes[i] = (char)((high - digits) << 4 | (low - digits));
    }
    return (struct str){bytes, n};
}

static void note(struct buf *out, const struct frame *f)
{
    if (f->broken) {
        buf_printf(out, "!%s;", f->broken);
        return;
    }
    buf_printf(out, "%s%.*s|%.*s;", f->failed ? "?" : "", STR_ARGS(f->event), STR_ARGS(f->payload));
}

// "event|payload;" for every message, "?" before a failure, "!why;" for what cannot be read.
static void cut(struct arena *a, struct str bytes, size_t step, struct buf *seen, struct buf *raw)
{
    BUF_HERE(in, 1 << 20);
    struct cutter c = {0};
    struct frame f = {0};
    for (size_t at = 0; at < bytes.n && !f.broken; at += step) {
        size_t n = bytes.n - at < step ? bytes.n - at : step;
        buf_add(&in, bytes.p + at, n);
        bool last = at + n == bytes.n;
        while (!f.broken && aws_eventstream_framing.next(&c, buf_view(&in), last, a, &f)) {
            note(seen, &f);
            buf_str(raw, f.raw);
        }
        buf_drop(&in, c.at);
        c = (struct cutter){0};
    }
}

static void published(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(out, 4096);
    BUF_HERE(seen, 4096);
    BUF_HERE(raw, 4096);
    struct str vector = bytes_of(a, VECTOR);
    aws_eventstream_write(&out, "event", "messageStart", STR("{\"role\":\"assistant\"}"));
    assert_int_equal(out.n, vector.n);
    assert_memory_equal(out.p, vector.p, vector.n);
    cut(a, vector, vector.n, &seen, &raw);
    assert_string_equal(seen.p, "messageStart|{\"role\":\"assistant\"};");
}

static void every_split(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(all, 4096);
    aws_eventstream_write(&all, "event", "a", STR("{}"));
    aws_eventstream_write(&all, "event", "b", STR(""));
    aws_eventstream_write(&all, "exception", "throttlingException", STR("{\"message\":\"slow\"}"));
    aws_eventstream_write(&all, "exception", "c", STR(""));
    for (size_t step = 1; step <= all.n; step++) {
        BUF_HERE(seen, 4096);
        BUF_HERE(raw, 4096);
        cut(a, buf_view(&all), step, &seen, &raw);
        assert_string_equal(seen.p, "a|{};b|;?throttlingException|{\"message\":\"slow\"};?c|{};");
        assert_true(str_eq(buf_view(&raw), buf_view(&all)));
    }
}

static void half_a_message_is_none(void **state)
{
    (void)state;
    ARENA(a);
    struct str vector = bytes_of(a, VECTOR);
    for (size_t n = 0; n < vector.n; n++) {
        struct cutter c = {0};
        struct frame f;
        assert_false(aws_eventstream_framing.next(&c, (struct str){vector.p, n}, true, a, &f));
    }
}

// Whichever bit was turned on the way, it is seen: at once where the prelude says so.
static void every_damage(void **state)
{
    (void)state;
    ARENA(a);
    struct str vector = bytes_of(a, VECTOR);
    char damaged[256];
    for (size_t bit = 0; bit < vector.n * 8; bit++) {
        struct cutter c = {0};
        struct frame f = {0};
        memcpy(damaged, vector.p, vector.n);
        damaged[bit / 8] ^= (char)(1 << bit % 8);
        struct str bytes = {damaged, bit < 96 ? 12 : vector.n};
        assert_true(aws_eventstream_framing.next(&c, bytes, false, a, &f));
        assert_non_null(f.broken);
        assert_non_null(f.payload.p);
        assert_int_equal(f.raw.n, bytes.n);
    }
}

// Made with AWS's own codec (@smithy/core): an error message, and headers of every type.
static const struct {
    const char *hex, *seen;
} others[] = {
    {"0000005e0000004e7365c2540d3a6d6573736167652d747970650700056572726f720b3a6572726f722d636f"
     "646507000d696e7465726e616c4572726f720e3a6572726f722d6d65737361676507000a4974202262726f6b"
     "65227ee8f19b",
     "?internalError|{\"message\":\"It \\\"broke\\\"\"};"},
    {"0000007b00000069df4ed74b0161000162010163020101640300020165040000000301670600030102030168"
     "080000000000000000016909000000000000000000000000000000010b3a6576656e742d747970650700086d"
     "657461646174610d3a6d6573736167652d747970650700056576656e747b7d775460e2",
     "metadata|{};"},
    {"00000027000000157b1ec8960d3a6d6573736167652d74797065070004776861747b7de8a9afd6",
     "!neither an event nor a failure;"},
    {"00000012000000007f021b8b7b7d2f9261fa", "!neither an event nor a failure;"},
};

static void other_headers(void **state)
{
    (void)state;
    ARENA(a);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        BUF_HERE(seen, 4096);
        BUF_HERE(raw, 4096);
        cut(a, bytes_of(a, others[i].hex), 7, &seen, &raw);
        assert_string_equal(seen.p, others[i].seen);
    }
}

static void bounded(void **state)
{
    (void)state;
    ARENA(a);
    BUF_HERE(seen, 4096);
    BUF_HERE(raw, 4096);
    // a message of 2 GiB whose prelude has the right checksum
    cut(a, bytes_of(a, "7fffffff00000010b1736a41"), 12, &seen, &raw);
    assert_string_equal(seen.p, "!impossible lengths;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),
        cmocka_unit_test(every_split),
        cmocka_unit_test(half_a_message_is_none),
        cmocka_unit_test(every_damage),
        cmocka_unit_test(other_headers),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
