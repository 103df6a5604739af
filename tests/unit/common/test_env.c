// The environment and .env files.

#include "common/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"

static struct err *load(struct arena *a, const char *text)
{
    char path[] = "/tmp/tf-env-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    struct err *e = env_load(a, path);
    unlink(path);
    return e;
}

static void lines(void **state)
{
    (void)state;
    ARENA(a);
    assert_null(load(a, "# comment\n\n  TF_A = one \r\nexport TF_B=\"two words\"\nTF_C='it''s'\n"
                        "TF_D=\nTF_E=a=b#c\nTF_F=\"open\nTF_G=last"));
    assert_string_equal(getenv("TF_A"), "one");
    assert_string_equal(getenv("TF_B"), "two words");
    assert_string_equal(getenv("TF_C"), "it''s");
    assert_string_equal(getenv("TF_D"), "");
    assert_string_equal(getenv("TF_E"), "a=b#c");
    assert_string_equal(getenv("TF_F"), "\"open");
    assert_string_equal(getenv("TF_G"), "last");
}

static void what_is_set_wins(void **state)
{
    (void)state;
    ARENA(a);
    setenv("TF_SET", "before", 1);
    assert_null(load(a, "TF_SET=after\nTF_UNSET=after\n"));
    assert_string_equal(getenv("TF_SET"), "before");
    assert_string_equal(getenv("TF_UNSET"), "after");
}

static void long_lines(void **state)
{
    (void)state;
    ARENA(a);
    char *value = arena_alloc(a, 50001);
    memset(value, 'k', 50000);
    assert_null(load(a, arena_printf(a, "TF_LONG=%s\nTF_AFTER=1\n", value)));
    assert_string_equal(getenv("TF_LONG"), value);
    assert_string_equal(getenv("TF_AFTER"), "1");
}

static void wrong_lines(void **state)
{
    (void)state;
    ARENA(a);
    struct err *e = load(a, "TF_X=1\nsecret words\n");
    assert_ptr_equal(e->kind, &err_bad_request);
    assert_non_null(strstr(e->detail, ":2:"));
    assert_null(strstr(e->detail, "secret"));
    assert_non_null(load(a, "=value\n"));
}

static void no_file_is_fine(void **state)
{
    (void)state;
    ARENA(a);
    assert_null(env_load(a, "/nowhere/at/all"));
}

static void fallbacks(void **state)
{
    (void)state;
    setenv("TF_EMPTY", "", 1);
    setenv("TF_FULL", "x", 1);
    unsetenv("TF_NONE");
    assert_string_equal(env_text("TF_EMPTY", "f"), "f");
    assert_string_equal(env_text("TF_NONE", "f"), "f");
    assert_string_equal(env_text("TF_FULL", "f"), "x");
    assert_null(env_text("TF_NONE", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),           cmocka_unit_test(what_is_set_wins),
        cmocka_unit_test(long_lines),      cmocka_unit_test(wrong_lines),
        cmocka_unit_test(no_file_is_fine), cmocka_unit_test(fallbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
