// Elements of a JSON array as frames: every byte belongs to one, under every split.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "relay/chat.h"

// "payload;" for every frame; a frame without payload is "-;".
static void cut(struct arena *a, struct str bytes, size_t step, struct buf *seen, struct buf *raw)
{
    BUF_HERE(in, 1 << 16);
    struct cutter c = {0};
    struct frame f;
    for (size_t at = 0; at < bytes.n; at += step) {
        size_t n = bytes.n - at < step ? bytes.n - at : step;
        buf_add(&in, bytes.p + at, n);
        while (array_framing.next(&c, buf_view(&in), at + n == bytes.n, a, &f)) {
            buf_str(seen, f.payload.p ? f.payload : STR("-"));
            buf_puts(seen, ";");
            buf_str(raw, f.raw);
        }
        buf_drop(&in, c.at);
        c.scanned = c.scanned > c.at ? c.scanned - c.at : 0;
        c.at = 0;
    }
}

static const struct {
    const char *bytes, *frames;
} cases[] = {
    {"[{\"a\":1}]", "{\"a\":1};-;"},
    {"[{\"a\":1},\r\n{\"b\":[1,{}]}]\n", "{\"a\":1};{\"b\":[1,{}]};-;"},
    {"[ {\"a\":\"]},{[\\\"\"} , {} ]", "{\"a\":\"]},{[\\\"\"};{};-;"},
    {"{\"error\":{}}", "{\"error\":{}};"},
    {"[]", "-;"},
    {"[{\"a\":", "{\"a\":;"}, // cut: not JSON, which its reader will say
};

static void cuts_elements(void **state)
{
    (void)state;
    ARENA(a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct str bytes = str_of(cases[i].bytes);
        for (size_t step = 1; step <= bytes.n; step++) {
            BUF_HERE(seen, 1 << 16);
            BUF_HERE(raw, 1 << 16);
            cut(a, bytes, step, &seen, &raw);
            assert_string_equal(seen.p, cases[i].frames);
            assert_string_equal(raw.p, cases[i].bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_elements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
