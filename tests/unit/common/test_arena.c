// Arenas: alignment, growth, what happens at the end of their life.

#include "common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void aligned_and_apart(void **state)
{
    (void)state;
    ARENA(a);
    unsigned char *pieces[300];
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = arena_alloc(a, i);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], (unsigned char)i);
}

static void zeroed_again_after_reset(void **state)
{
    (void)state;
    ARENA(a);
    memset(arena_raw(a, 1000), 0xff, 1000);
    arena_reset(a);
    const unsigned char *p = arena_alloc(a, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
}

static void large_pieces(void **state)
{
    (void)state;
    ARENA(a);
    char *small = arena_strdup(a, "small");
    char *large = arena_alloc(a, 3 * 1024 * 1024);
    large[3 * 1024 * 1024 - 1] = 'x';
    char *after = arena_strdup(a, "after");
    assert_string_equal(small, "small");
    assert_string_equal(after, "after");
    assert_true(arena_size(a) >= 3 * 1024 * 1024);
    arena_reset(a);
    assert_true(arena_size(a) <= 4096);
}

static void many_small_pieces_take_little_more(void **state)
{
    (void)state;
    ARENA(a);
    for (int i = 0; i < 100000; i++)
        arena_raw(a, 16);
    assert_true(arena_size(a) < 100000 * 16 + 512 * 1024);
}

static void texts(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(arena_strdup(a, NULL), "");
    assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(a, NULL, 0), "");
    assert_string_equal(arena_str(a, (struct str){"abc", 2}), "ab");
    assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(arena_printf(a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(a, "%10000d", 1)), 10000);
}

static char order[8];
static void note(void *which)
{
    strncat(order, which, 1);
}

static void deferred_calls(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    arena_defer(a, note, (void *)"1");
    arena_defer(a, note, (void *)"2");
    arena_reset(a);
    assert_string_equal(order, "21"); // newest first
    arena_defer(a, note, (void *)"3");
    arena_free(a);
    assert_string_equal(order, "213"); // each once
    arena_free(NULL);
}

static void heap(void **state)
{
    (void)state;
    char *p = mem_new(0), *copy = mem_strdup(NULL);
    assert_non_null(p);
    assert_string_equal(copy, "");
    p = mem_resize(p, 10);
    memset(p, 1, 10);
    free(p);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_apart),
        cmocka_unit_test(zeroed_again_after_reset),
        cmocka_unit_test(large_pieces),
        cmocka_unit_test(many_small_pieces_take_little_more),
        cmocka_unit_test(texts),
        cmocka_unit_test(deferred_calls),
        cmocka_unit_test(heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
