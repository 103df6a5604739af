// Text views: comparing, cutting, numbers, lists, UTF-8.

#include "common/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void comparing(void **state)
{
    (void)state;
    struct str none = {0};
    assert_true(str_eq(STR("ab"), (struct str){"abc", 2}));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_false(str_eq(STR("ab"), STR("aB")));
    assert_true(str_eq(none, STR("")));
    assert_true(str_is(str_of(NULL), ""));
    assert_true(str_is_nocase(STR("Content-Type"), "content-TYPE"));
    assert_false(str_is_nocase(STR("Content-Typ"), "content-type"));
    assert_true(str_is_nocase(none, ""));
    assert_true(str_starts(STR("Bearer x"), "Bearer "));
    assert_false(str_starts(STR("Bear"), "Bearer "));
    assert_true(str_starts(none, ""));
    assert_true(text_eq(NULL, "") && text_eq("a", "a") && !text_eq("a", NULL));
    assert_true(text_is_empty(NULL) && text_is_empty("") && !text_is_empty(" "));
}

static void cutting(void **state)
{
    (void)state;
    assert_true(str_is(str_skip(STR("abc"), 2), "c"));
    assert_int_equal(str_skip(STR("abc"), 9).n, 0);
    assert_int_equal(str_skip((struct str){0}, 9).n, 0);
    assert_true(str_is(str_trim(STR(" \t a b \r\n")), "a b"));
    assert_int_equal(str_trim(STR(" \n ")).n, 0);
}

static void assert_pieces(const char *text, const char *const *want)
{
    struct str rest = str_of(text), piece;
    for (; *want; want++) {
        assert_true(str_next(&rest, ',', &piece));
        assert_true(str_is(piece, *want));
    }
    assert_false(str_next(&rest, ',', &piece));
}

static void pieces(void **state)
{
    (void)state;
    assert_pieces("a,,b", (const char *const[]){"a", "", "b", NULL});
    assert_pieces("", (const char *const[]){NULL});
    assert_pieces(",", (const char *const[]){"", NULL});
    assert_pieces("a,", (const char *const[]){"a", NULL});
    assert_pieces("abc", (const char *const[]){"abc", NULL});
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"42", 42},
        {"-42", -42},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "--1",
                                      "1e3",
                                      "٣",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    int64_t v;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(str_to_int(str_of(good[i].text), &v));
        assert_true(v == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(str_to_int(str_of(bad[i]), &v));
    assert_true(str_to_int((struct str){"123", 2}, &v) && v == 12);
}

static void lists(void **state)
{
    (void)state;
    assert_true(list_has("a, b ,c", "b"));
    assert_true(list_has("a\nb\r\nc", "b")); // lines, too
    assert_true(list_has("a,b\nc,d", "d"));
    assert_true(list_has("a\n\nb", "b"));
    assert_false(list_has("ab,bc", "b"));
    assert_false(list_has("", "a"));
    assert_false(list_has(NULL, "a"));
    assert_false(list_has("a b", "a"));
}

static void utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain",
                                       "é漢字🙂",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xf0\x90\x80\x80"};
    static const char *const bad[] = {
        "\x80",
        "a\xff",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xe6\xbc",
        "\xf0\x9f\x99",
        "\xc3(",
        "\xe6\xbc(",
        "a\xe6",
        "\xf0\x9f\x99(",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(utf8_valid(str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(utf8_valid(str_of(bad[i])));
    assert_false(utf8_valid((struct str){"a\0b", 3}));
    assert_true(utf8_valid((struct str){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing), cmocka_unit_test(cutting), cmocka_unit_test(pieces),
        cmocka_unit_test(numbers),   cmocka_unit_test(lists),   cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
