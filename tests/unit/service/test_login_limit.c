// How many guesses there are, for whom, and until when.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/arena.h"
#include "service/login_limit.h"

#define T(f) cmocka_unit_test(f)

// A guess that is wrong, unless it may not even be tried.
static bool may(struct arena *a, const char *ip, const char *name)
{
    struct err *e = login_limit_begin(a, ip, name, 5);
    if (!e)
        login_limit_end(ip, name, LOGIN_WRONG);
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
        assert_null(login_limit_begin(a, "1.0.0.3", "anna", 5));
        login_limit_end("1.0.0.3", "anna", LOGIN_RIGHT);
    }
    for (int i = 0; i < 300; i++) {
        assert_null(login_limit_begin(a, "1.0.0.3", "anna", 5));
        login_limit_end("1.0.0.3", "anna", LOGIN_UNTRIED);
    }
}

static _Atomic int tried, refused;

static void *guess(void *arg)
{
    ARENA(a);
    struct timespec a_while = {.tv_nsec = 20000000};
    if (login_limit_begin(a, "1.0.0.9", "anna", 5)) {
        refused++;
        return arg;
    }
    nanosleep(&a_while, NULL);
    tried++;
    login_limit_end("1.0.0.9", "anna", *(enum login_outcome *)arg);
    return arg;
}

static void guess_at_once(enum login_outcome outcome)
{
    pthread_t threads[20];
    tried = refused = 0;
    for (int i = 0; i < 20; i++)
        pthread_create(&threads[i], NULL, guess, &outcome);
    for (int i = 0; i < 20; i++)
        pthread_join(threads[i], NULL);
}

static void nobody_outruns_the_count(void **state)
{
    (void)state;
    guess_at_once(LOGIN_RIGHT);
    assert_int_equal(tried, 20); // whoever is right waits his turn
    guess_at_once(LOGIN_WRONG);
    assert_int_equal(tried, 5);
    assert_int_equal(refused, 15);
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
        T(a_name_has_so_many_guesses),
        T(success_does_not_count),
        T(nobody_outruns_the_count),
        T(an_address_has_a_hundred),
        T(ipv6_clients_are_known_by_their_network),
        T(forgets_nobody_for_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
