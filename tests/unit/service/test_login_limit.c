// How many guesses there are, for whom, and until when.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "service/login_limit.h"

#define T(f) cmocka_unit_test(f)

static bool may(struct arena *a, const char *ip, const char *name)
{
    struct err *e = login_limit_begin(a, ip, name, 5);
    if (e) {
        assert_ptr_equal(e->kind, &err_login_limited);
        assert_in_range(e->retry_after, 1, LOGIN_WINDOW_SECONDS);
    }
    return !e;
}

static void a_name_has_so_many_guesses(void **state)
{
    (void)state;
    ARENA(a);
    for (int i = 0; i < 5; i++)
        assert_true(may(a, "1.0.0.1", "anna"));
    assert_false(may(a, "1.0.0.1", "anna"));
    assert_true(may(a, "1.0.0.1", "bert"));
    assert_true(may(a, "1.0.0.2", "anna"));
}

static void success_does_not_count(void **state)
{
    (void)state;
    ARENA(a);
    for (int i = 0; i < 300; i++) {
        assert_true(may(a, "1.0.0.3", "anna"));
        login_limit_passed("1.0.0.3", "anna");
    }
}

static void an_address_has_a_hundred(void **state)
{
    (void)state;
    ARENA(a);
    for (int i = 0; i < LOGIN_FAILURES_PER_ADDRESS; i++)
        assert_true(may(a, "1.0.0.4", arena_printf(a, "name %d", i)));
    assert_false(may(a, "1.0.0.4", "somebody new"));
    assert_true(may(a, "1.0.0.5", "somebody new"));
}

static void ipv6_clients_are_known_by_their_network(void **state)
{
    (void)state;
    ARENA(a);
    for (int i = 0; i < 5; i++)
        assert_true(may(a, arena_printf(a, "2001:db8::%d", i + 1), "anna"));
    assert_false(may(a, "2001:db8::ffff", "anna"));
    assert_true(may(a, "2001:db8:0:1::1", "anna"));
}

static void forgets_nobody_for_strangers(void **state)
{
    (void)state;
    ARENA(a);
    for (int i = 0; i < 5; i++)
        assert_true(may(a, "1.0.0.6", "anna"));
    for (int i = 0; i < 2000; i++)
        may(a, arena_printf(a, "7.%d.%d.1", i / 200, i % 200), "anna");
    assert_false(may(a, "1.0.0.6", "anna"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_name_has_so_many_guesses),   T(success_does_not_count),
        T(an_address_has_a_hundred),     T(ipv6_clients_are_known_by_their_network),
        T(forgets_nobody_for_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
