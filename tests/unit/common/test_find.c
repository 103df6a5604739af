// The searches of every processor, against the C library's.

// Both variants, whichever this machine would take.
#include "common/find.c" // NOLINT(bugprone-suspicious-include)

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

typedef size_t search(struct str hay, struct str needle);

static void agrees(search *find, struct str hay, struct str needle)
{
    const char *at = memmem(hay.p, hay.n, needle.p, needle.n);
    assert_int_equal(find(hay, needle), at ? (size_t)(at - hay.p) : hay.n);
}

#ifdef __SSE2__
static size_t narrow(struct str hay, struct str needle)
{
    return hay.n < needle.n ? hay.n : find_narrow(hay, needle);
}

static size_t wide(struct str hay, struct str needle)
{
    return hay.n < needle.n ? hay.n : find_wide(hay, needle);
}
#endif

// Few letters, so that halves of needles are everywhere; blocks of memory end where the text ends.
static void random_texts(search *find)
{
    unsigned seed = 7;
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)rand_r(&seed) % 150, m = 1 + (size_t)rand_r(&seed) % 20;
        char *hay = malloc(n + 1), *needle = malloc(m);
        for (size_t i = 0; i < n; i++)
            hay[i] = "ab\"_"[rand_r(&seed) % 4];
        for (size_t i = 0; i < m; i++)
            needle[i] = "ab\"_"[rand_r(&seed) % 4];
        if (m <= n && rand_r(&seed) % 2)
            memcpy(hay + (size_t)rand_r(&seed) % (n - m + 1), needle, m);
        char *tight = malloc(n ? n : 1);
        memcpy(tight, hay, n);
        agrees(find, (struct str){tight, n}, (struct str){needle, m});
        free(hay);
        free(needle);
        free(tight);
    }
}

static void texts_are_found(void **state)
{
    (void)state;
    random_texts(find_text);
#ifdef __SSE2__
    random_texts(narrow);
    if (__builtin_cpu_supports("avx2"))
        random_texts(wide);
#endif
    assert_int_equal(find_text(STR("abc"), STR("")), 0);
    assert_int_equal(find_text(STR(""), STR("a")), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found),
        cmocka_unit_test(line_ends_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
