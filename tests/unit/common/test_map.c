// A table from text to pointer: everything put is found, nothing else.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/map.h"

static int one = 1, two = 2;

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map unset = {0};
    ARENA(a);
    struct map m = map_new(a, 0);
    assert_null(map_get(&unset, STR("x")));
    assert_null(map_get(&m, STR("x")));
    assert_null(map_get(&m, STR("")));
    map_put(a, &unset, STR("x"), &one); // a zeroed map grows, too
    assert_ptr_equal(map_get(&unset, STR("x")), &one);
}

static void the_last_one_counts(void **state)
{
    (void)state;
    ARENA(a);
    struct map m = map_new(a, 4);
    map_put(a, &m, STR("x"), &one);
    map_put(a, &m, STR("x"), &two);
    assert_ptr_equal(map_get(&m, STR("x")), &two);
    assert_int_equal(m.count, 1);
    map_put(a, &m, STR("x"), NULL);
    assert_null(map_get(&m, STR("x")));
}

static void keys_are_whole_texts(void **state)
{
    (void)state;
    ARENA(a);
    struct map m = map_new(a, 4);
    map_put(a, &m, STR(""), &one);
    map_put(a, &m, (struct str){"ab\0c", 4}, &two);
    assert_ptr_equal(map_get(&m, STR("")), &one);
    assert_ptr_equal(map_get(&m, (struct str){0}), &one); // NULL is the empty text
    map_put(a, &m, (struct str){0}, &two);
    assert_int_equal(m.count, 2);
    assert_ptr_equal(map_get(&m, (struct str){"ab\0c", 4}), &two);
    assert_null(map_get(&m, (struct str){"ab\0d", 4}));
    assert_null(map_get(&m, STR("ab")));
}

static void growing_loses_nothing(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static int values[MANY];
    ARENA(a);
    struct map m = map_new(a, 1);
    for (int i = 0; i < MANY; i++) {
        map_put(a, &m, str_of(arena_printf(a, "key %d", i)), &values[i]);
        assert_true(m.count * 2 <= m.size); // at most half full, or a miss would not end
    }
    assert_int_equal(m.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(map_get(&m, str_of(arena_printf(a, "key %d", i))), &values[i]);
        assert_null(map_get(&m, str_of(arena_printf(a, "key %d.", i))));
    }
}

static void what_was_expected_fits(void **state)
{
    (void)state;
    ARENA(a);
    for (size_t expected = 0; expected < 300; expected++) {
        struct map m = map_new(a, expected);
        size_t size = m.size;
        assert_true(size >= expected * 2 && (size & (size - 1)) == 0);
        for (size_t i = 0; i < expected; i++)
            map_put(a, &m, str_of(arena_printf(a, "%zu", i)), &one);
        assert_int_equal(m.size, size);
        arena_reset(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing), cmocka_unit_test(the_last_one_counts),
        cmocka_unit_test(keys_are_whole_texts),     cmocka_unit_test(growing_loses_nothing),
        cmocka_unit_test(what_was_expected_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
