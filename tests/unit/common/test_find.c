// The searches of every processor, against the C library's.

// What other machines would take, too.
#include "common/find.c" // NOLINT(bugprone-suspicious-include)

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

typedef size_t search(struct str hay, const struct str *texts, size_t count);

static void agrees(search *find, struct str hay, const struct str *texts, size_t count)
{
    size_t nearest = hay.n;
    for (size_t i = 0; i < count; i++) {
        const char *at = memmem(hay.p, hay.n, texts[i].p, texts[i].n);
        if (at && (size_t)(at - hay.p) < nearest)
            nearest = (size_t)(at - hay.p);
    }
    assert_int_equal(find(hay, texts, count), nearest);
}

// Few letters, so that halves of texts are everywhere; blocks of memory end where the text ends.
static void random_texts(search *find)
{
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand_r(&seed) % 200, count = 1 + (size_t)rand_r(&seed) % FIND_MOST;
        struct str texts[FIND_MOST];
        char *hay = malloc(n ? n : 1);
        for (size_t i = 0; i < n; i++)
            hay[i] = "ab\"_"[rand_r(&seed) % 4];
        for (size_t i = 0; i < count; i++) {
            size_t m = FIND_LEAST + (size_t)rand_r(&seed) % (FIND_LONGEST - FIND_LEAST + 1);
            char *text = malloc(m);
            for (size_t j = 0; j < m; j++)
                text[j] = "ab\"_"[rand_r(&seed) % 4];
            if (m <= n && rand_r(&seed) % 4 == 0)
                memcpy(hay + (size_t)rand_r(&seed) % (n - m + 1), text, m);
            texts[i] = (struct str){text, m};
        }
        agrees(find, (struct str){hay, n}, texts, count);
        for (size_t i = 0; i < count; i++)
            free((char *)texts[i].p);
        free(hay);
    }
}

static void texts_are_found(void **state)
{
    (void)state;
    random_texts(find_nearest);
    random_texts(nearest_slowly);
    struct str one = STR("abcd");
    assert_int_equal(find_nearest(STR(""), &one, 1), 0);
    assert_int_equal(find_nearest(STR("abcd"), &one, 1), 0);
    assert_int_equal(find_nearest(STR("abcd"), NULL, 0), 4);
}

// With `end` at `at` of n bytes, as much of it as there is place for.
static void empty_line(size_t n, size_t at, struct str end, size_t expected)
{
    char *text = malloc(n ? n : 1);
    memset(text, 'x', n);
    memcpy(text + at, end.p, end.n < n - at ? end.n : n - at);
    assert_int_equal(find_empty_line((struct str){text, n}), expected);
    assert_int_equal(empty_line_slowly((struct str){text, n}, 0), expected);
    free(text);
}

static void empty_lines_are_found(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++)
        for (size_t at = 0; at <= n; at++) {
            empty_line(n, at, STR("\n\n"), at + 1 < n ? at : n);
            empty_line(n, at, STR("\r"), at);
            empty_line(n, at, STR("\n"), n);
        }
}

static void line_ends_are_found(void **state)
{
    (void)state;
    char text[100];
    for (size_t n = 0; n < sizeof(text); n++)
        for (size_t at = 0; at <= n; at++) {
            memset(text, 'x', n);
            if (at < n)
                text[at] = at % 2 ? '\r' : '\n';
            assert_int_equal(find_line_end((struct str){text, n}), at);
        }
}

static void string_signs_are_found(void **state)
{
    (void)state;
    static const char signs[] = "\"\\\n\x1f\x80\xff";
    char text[100];
    for (size_t n = 0; n < sizeof(text); n++)
        for (size_t at = 0; at <= n; at++) {
            memset(text, at % 3 ? ' ' : '\x7f', n);
            if (at < n)
                text[at] = signs[at % (sizeof(signs) - 1)];
            assert_int_equal(find_string_sign((struct str){text, n}), at);
            assert_int_equal(string_sign_slowly((struct str){text, n}, 0), at);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found),
        cmocka_unit_test(line_ends_are_found),
        cmocka_unit_test(string_signs_are_found),
        cmocka_unit_test(empty_lines_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
