// DSNs: every form, what is decoded, and that no error shows a password.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/db/dsn.h"
#include "common/db/remote.h"
#include "unit/common/db/fixture.h"

static void schemes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sqlite:/a/b", "sqlite"},
        {"postgres://a@b/c", "postgres"},
        {"postgresql://a@b/c", "postgres"},
        {"mysql://a@b/c", "mysql"},
        {"mariadb://a@b/c", "mysql"},
        {"me:secret@tcp(h:1)/db", "mysql"},
        {"me@unix(/s)/db", "mysql"},
        {"postgres:a", NULL},
        {"mysql", NULL},
        {"me:secret@h/db", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *got = dsn_scheme(cases[i][0]);
        assert_true(!got == !cases[i][1] && text_eq(got, cases[i][1]));
    }
}

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *dsn;
        struct dsn want;
    } cases[] = {
        {"mysql://u:p@h:33/d", {"u", "p", "h", "", "d", 33, ""}},
        {"mysql://u@h/d", {"u", "", "h", "", "d", 0, ""}},
        {"mysql://h/d", {"", "", "h", "", "d", 0, ""}},
        {"mysql://h:/d", {"", "", "h", "", "d", 0, ""}},
        {"mysql://u:@h/d?", {"u", "", "h", "", "d", 0, ""}},
        {"mysql://u%40x:p%3a%2F%3F@h/d%20e?a=b&c=d", {"u@x", "p:/?", "h", "", "d e", 0, "a=b&c=d"}},
        {"mysql://u:p@q@h/d", {"u", "p@q", "h", "", "d", 0, ""}},
        {"mysql://u:p:q@h/d", {"u", "p:q", "h", "", "d", 0, ""}},
        {"mysql://u:p@[::1]:4/d", {"u", "p", "::1", "", "d", 4, ""}},
        {"mysql://[::1]/d", {"", "", "::1", "", "d", 0, ""}},
        {"u:p@tcp(h:33)/d?charset=utf8", {"u", "p", "h", "", "d", 33, "charset=utf8"}},
        {"u:p%41@tcp(h)/d", {"u", "p%41", "h", "", "d", 0, ""}},
        {"u:a/b@tcp(x)/?@tcp([::1]:3)/d", {"u", "a/b@tcp(x)/?", "::1", "", "d", 3, ""}},
        {"u@unix(/run/my.sock)/d", {"u", "", "", "/run/my.sock", "d", 0, ""}},
    };
    ARENA(a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct dsn got, want = cases[i].want;
        assert_fine(dsn_parse(a, cases[i].dsn, &got));
        assert_string_equal(got.user, want.user);
        assert_string_equal(got.password, want.password);
        assert_string_equal(got.host, want.host);
        assert_string_equal(got.socket, want.socket);
        assert_string_equal(got.database, want.database);
        assert_string_equal(got.options, want.options);
        assert_int_equal(got.port, want.port);
    }
}

static void malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "mysql://u:secret@h",        "mysql://u:secret@h/",        "mysql://u:secret@h:x/d",
        "mysql://u:secret@h:0/d",    "mysql://u:secret@h:70000/d", "mysql://u:secret%4@h/d",
        "mysql://u:secret%zz@h/d",   "mysql://u:secret%00@h/d",    "mysql://u:secret%@h/d",
        "mysql://u:secret@[::1/d",   "mysql://u:secret@[::1]x/d",  "u:secret@tcp(h:1/d",
        "u:secret@tcp(h:1)",         "u:secret@tcp(h:1)/",         "u:secret@tcp(h:1)d",
        "u:secret@tcp(h:secret)/db",
    };
    ARENA(a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct dsn out;
        struct err *e = dsn_parse(a, bad[i], &out);
        assert_err(db_unavailable, e);
        assert_null(strstr(e->detail, "secret"));
    }
}

static void options(void **state)
{
    (void)state;
    ARENA(a);
    const char *rest = "a=b%26c&d=&e=f=g", *name, *value;
    static const char *const want[][2] = {{"a", "b&c"}, {"d", ""}, {"e", "f=g"}};
    for (size_t i = 0; i < 3; i++) {
        assert_fine(dsn_option(a, &rest, &name, &value));
        assert_string_equal(name, want[i][0]);
        assert_string_equal(value, want[i][1]);
    }
    assert_fine(dsn_option(a, &rest, &name, &value));
    assert_null(name);
    rest = "a";
    assert_err(db_unavailable, dsn_option(a, &rest, &name, &value));
    rest = "a=%g0";
    assert_err(db_unavailable, dsn_option(a, &rest, &name, &value));
}

static void assert_number(const char *text, enum field_type type, bool fits, double want)
{
    struct field_value v = {.type = type};
    assert_true(number_of(str_of(text), &v) == fits);
    if (fits)
        assert_true((type == FIELD_REAL ? v.r : (double)v.i) == want);
}

static void numbers(void **state)
{
    (void)state;
    assert_number("14", FIELD_BIG, true, 14);
    assert_number("-14.000", FIELD_BIG, true, -14);
    assert_number("14.010", FIELD_BIG, false, 0);
    assert_number("14.", FIELD_BIG, true, 14);
    assert_number("9223372036854775807", FIELD_BIG, true, 9223372036854775807.0);
    assert_number("9223372036854775808", FIELD_BIG, false, 0);
    assert_number("2147483648", FIELD_INT, false, 0);
    assert_number("-2147483648", FIELD_INT, true, -2147483648.0);
    assert_number("1e+15", FIELD_BIG, true, 1e15);
    assert_number("1e+17", FIELD_BIG, false, 0); // a double cannot tell its neighbours
    assert_number("1.5e0", FIELD_BIG, false, 0);
    assert_number("", FIELD_BIG, false, 0);
    assert_number("x", FIELD_BIG, false, 0);
    assert_number("1.25", FIELD_REAL, true, 1.25);
    assert_number("7", FIELD_REAL, true, 7);
    assert_number("NaN", FIELD_REAL, false, 0);
    assert_number("1e999", FIELD_REAL, false, 0);
    assert_number("1x", FIELD_REAL, false, 0);
    assert_number("", FIELD_REAL, false, 0);
}

static void messages(void **state)
{
    (void)state;
    ARENA(a);
    assert_string_equal(without_quoted(a, "Duplicate entry 'it's' for key 'k'", '\''),
                        "Duplicate entry '...'");
    assert_string_equal(without_quoted(a, "bigint out of range", '"'), "bigint out of range");
    assert_string_equal(without_quoted(a, "value \"x\" is bad", '"'), "value \"...\" is bad");
    assert_string_equal(without_quoted(a, "it's", '\''), "it's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes), cmocka_unit_test(forms),   cmocka_unit_test(malformed),
        cmocka_unit_test(options), cmocka_unit_test(numbers), cmocka_unit_test(messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
