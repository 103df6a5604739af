// Which language is chosen, and what its texts become.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "i18n/i18n.h"

#define T(f) cmocka_unit_test(f)

static void chooses_the_best_liked(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum language want;
    } cases[] = {
        {"", LANGUAGE_EN},
        {"fr", LANGUAGE_EN},
        {"zh", LANGUAGE_ZH},
        {"ZH-cn", LANGUAGE_ZH},
        {"zh_Hans", LANGUAGE_ZH},
        {"zhx", LANGUAGE_EN},
        {"en,zh", LANGUAGE_EN},
        {"en;q=0.5,zh;q=0.8", LANGUAGE_ZH},
        {"en; q=0.9, zh;q=0.8", LANGUAGE_EN},
        {"zh;q=0", LANGUAGE_EN},
        {"fr,zh;q=0.1", LANGUAGE_ZH},
        {"zh;q=", LANGUAGE_EN},
        {",;,=,zh-TW", LANGUAGE_ZH},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (i18n_language(str_of(cases[i].header)) != cases[i].want)
            fail_msg("%s", cases[i].header);
    assert_int_equal(i18n_language((struct str){0}), LANGUAGE_EN);
}

static void fills_the_hole_only_where_there_is_one(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(i18n_text(a, LANGUAGE_EN, "field_invalid", "name"),
                        "The value of name is not acceptable.");
    assert_string_equal(i18n_text(a, LANGUAGE_ZH, "field_invalid", "name"), "name 的值无效。");
    assert_null(strstr(i18n_text(a, LANGUAGE_EN, "db_failed", "SELECT secret"), "SELECT"));
    assert_string_equal(i18n_text(a, LANGUAGE_EN, "field_missing", NULL), " is required.");
}

static void an_unknown_code_stands_for_itself(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(i18n_text(a, LANGUAGE_ZH, "no_such_code", "x"), "no_such_code");
}

static void every_error_has_both_texts(void **state)
{
    (void)state;
    ARENA(a);
#define ERR(code, status, retry)                                                                   \
    assert_string_not_equal(i18n_text(a, LANGUAGE_EN, #code, ""), #code);                          \
    assert_string_not_equal(i18n_text(a, LANGUAGE_ZH, #code, ""),                                  \
                            i18n_text(a, LANGUAGE_EN, #code, ""));
#include "common/errors.def"
#undef ERR
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(chooses_the_best_liked),
        T(fills_the_hole_only_where_there_is_one),
        T(an_unknown_code_stands_for_itself),
        T(every_error_has_both_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
