// Buffers: always terminated, never past the limit.

#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void growing(void **state)
{
    (void)state;
    BUF_HERE(b, 100000);
    assert_string_equal(b.p, "");
    for (int i = 0; i < 10000; i++) {
        buf_puts(&b, "ab");
        assert_int_equal(b.p[b.n], '\0');
    }
    assert_int_equal(b.n, 20000);
    assert_false(b.overflow);
    assert_memory_equal(b.p + 19998, "ab", 3);
}

static void limit_is_exact(void **state)
{
    (void)state;
    BUF_HERE(b, 10);
    buf_puts(&b, "0123456789");
    assert_false(b.overflow);
    assert_string_equal(b.p, "0123456789");
    buf_add(&b, "", 0);
    assert_false(b.overflow);
    buf_puts(&b, "x");
    assert_true(b.overflow);
    assert_string_equal(b.p, "0123456789");
}

static void overflow_sticks(void **state)
{
    (void)state;
    BUF_HERE(b, 4);
    buf_puts(&b, "12345");
    buf_puts(&b, "1"); // would fit, but what is before it is missing
    assert_true(b.overflow);
    assert_int_equal(b.n, 0);
    assert_null(buf_room(&b, 1));
    buf_clear(&b);
    buf_printf(&b, "%d", 1234);
    assert_false(b.overflow);
    assert_string_equal(b.p, "1234");
    buf_printf(&b, "%d", 5);
    assert_true(b.overflow);
}

static void all_ways_in(void **state)
{
    (void)state;
    BUF_HERE(b, 1000);
    buf_str(&b, STR("s"));
    buf_str(&b, (struct str){0});
    buf_printf(&b, "%s%c", "p", 'f');
    buf_printf(&b, "%s", "");
    buf_int(&b, 0);
    buf_int(&b, -7);
    buf_int(&b, INT64_MIN);
    buf_int(&b, INT64_MAX);
    assert_string_equal(b.p, "spf0-7-92233720368547758089223372036854775807");
}

static void in_place(void **state)
{
    (void)state;
    BUF_HERE(b, 1000);
    char *room = buf_room(&b, 500);
    assert_non_null(room);
    room[0] = 'h';
    room[1] = 'i';
    buf_grew(&b, 2);
    assert_string_equal(b.p, "hi");
    buf_grew(&b, 0);
    assert_int_equal(b.n, 2);
}

static void dropping(void **state)
{
    (void)state;
    BUF_HERE(b, 1000);
    buf_drop(&b, 0);
    buf_puts(&b, "abcdef");
    buf_drop(&b, 2);
    assert_string_equal(b.p, "cdef");
    buf_drop(&b, 4);
    assert_string_equal(b.p, "");
    assert_int_equal(buf_view(&b).n, 0);
}

static void used_again(void **state)
{
    (void)state;
    struct buf b = BUF(10);
    buf_free(&b);
    buf_puts(&b, "abc");
    buf_free(&b);
    assert_string_equal(b.p, "");
    buf_puts(&b, "def");
    assert_true(str_is(buf_view(&b), "def"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growing),         cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(overflow_sticks), cmocka_unit_test(all_ways_in),
        cmocka_unit_test(in_place),        cmocka_unit_test(dropping),
        cmocka_unit_test(used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
