// Passwords: what is allowed, what fits, and that a stored hash cannot make us work for nothing.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "service/password.h"

#define T(f) cmocka_unit_test(f)

static void only_the_right_one_fits(void **state)
{
    (void)state;
    ARENA(a);
    const char *first, *second;
    bool right;
    assert_null(password_hash(a, "correct horse", &first));
    assert_null(password_hash(a, "correct horse", &second));
    assert_string_not_equal(first, second);
    assert_non_null(strstr(first, "$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_null(password_check(a, "correct horse", first, &right));
    assert_true(right);
    assert_null(password_check(a, "correct horsE", first, &right));
    assert_false(right);
    assert_null(password_check(a, "", first, &right));
    assert_false(right);
}

// Whoever does not exist costs as much as somebody who does.
static void nobody_takes_as_long(void **state)
{
    (void)state;
    ARENA(a);
    const char *known;
    bool right;
    assert_null(password_hash(a, "correct horse", &known));
    int64_t begin = clock_steady_ms();
    for (int i = 0; i < 4; i++)
        assert_null(password_check(a, "wrong", known, &right));
    int64_t middle = clock_steady_ms();
    for (int i = 0; i < 4; i++)
        assert_null(password_check(a, "wrong", "", &right));
    int64_t end = clock_steady_ms();
    assert_false(right);
    assert_true((end - middle) * 4 > middle - begin);
}

static void refuses_expensive_hashes(void **state)
{
    (void)state;
    ARENA(a);
    static const char *const odd[] = {"$argon2id$v=19$m=4194304,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "$argon2id$v=19$m=19456,t=2000,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "$2a$10$abcdefghijklmnopqrstuv", "plain text"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        bool right = true;
        struct err *e = password_check(a, "plain text", odd[i], &right);
        assert_non_null(e);
        assert_ptr_equal(e->kind, &err_internal);
        assert_false(right);
    }
}

static void counts_characters(void **state)
{
    (void)state;
    ARENA(a);
    char most[PASSWORD_MAX + 2];
    memset(most, 'x', sizeof(most));
    most[PASSWORD_MAX + 1] = '\0';
    assert_non_null(password_allowed(a, "anna", most));
    most[PASSWORD_MAX] = '\0';
    assert_null(password_allowed(a, "anna", most));
    assert_non_null(password_allowed(a, "anna", "1234567"));
    assert_null(password_allowed(a, "anna", "12345678"));
    assert_non_null(password_allowed(a, "anna", "密码密码密码密"));
    assert_null(password_allowed(a, "anna", "密码密码密码密码"));
    assert_non_null(password_allowed(a, "anna-lena", "anna-lena"));
    assert_non_null(password_allowed(a, "anna", "\xff\xff\xff\xff\xff\xff\xff\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(only_the_right_one_fits),
        T(nobody_takes_as_long),
        T(refuses_expensive_hashes),
        T(counts_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
