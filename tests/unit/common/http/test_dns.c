// The name cache: literals, single flight, freshness, failures remembered, forgetting.

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/http/dns.h"
#include "common/lane.h"

struct world {
    struct loop *loop;
    struct dns *dns;
    bool closed;
};

struct asked {
    struct dns_query query;
    int answers;
    struct asked *forgets; // at its answer
};

static void on_answer(struct dns_query *q)
{
    struct asked *a = (struct asked *)q;
    a->answers++;
    if (a->forgets)
        dns_forget(&a->forgets->query);
}

static enum dns_state ask(struct world *w, const char *host, struct asked *a)
{
    a->query.on_answer = on_answer;
    return dns_lookup(w->dns, host, &a->query);
}

static void turn(struct world *w)
{
    uv_run(&w->loop->uv, UV_RUN_ONCE);
}

static void release(struct asked *a)
{
    dns_release(a->query.answer);
    a->query.answer = NULL;
}

static int setup(void **state)
{
    static struct world w;
    w = (struct world){.loop = loop_new(0)};
    w.dns = dns_new(w.loop);
    *state = &w;
    return 0;
}

static void on_closed(void *w)
{
    ((struct world *)w)->closed = true;
}

static int teardown(void **state)
{
    struct world *w = *state;
    dns_close(w->dns, on_closed, w);
    while (!w->closed)
        turn(w);
    loop_stop(w->loop);
    uv_run(&w->loop->uv, UV_RUN_DEFAULT);
    loop_free(w->loop);
    return 0;
}

static void test_literals(void **state)
{
    (void)state;
    struct dns_answer *a = dns_literal("192.0.2.7");
    assert_non_null(a);
    assert_int_equal(a->count, 1);
    assert_int_equal(a->at[0].v4.sin_addr.s_addr, inet_addr("192.0.2.7"));
    dns_release(a);
    a = dns_literal("2001:db8::1");
    assert_non_null(a);
    assert_int_equal(a->at[0].any.sa_family, AF_INET6);
    dns_release(a);
    assert_null(dns_literal("localhost"));
    assert_null(dns_literal("127.1"));
    assert_null(dns_literal(""));
}

static void test_single_flight_then_cached(void **state)
{
    struct world *w = *state;
    struct asked a[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(w, "localhost", &a[i]), DNS_WAITS);
    assert_int_equal(dns_asked(w->dns), 1);
    while (!a[2].answers)
        turn(w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a[i].answers, 1);
        assert_non_null(a[i].query.answer);
        assert_true(a[i].query.answer->count >= 1);
        release(&a[i]);
    }
    assert_int_equal(ask(w, "localhost", &a[0]), DNS_READY);
    release(&a[0]);
    assert_int_equal(dns_asked(w->dns), 1);
}

// Without a round of the loop, so that the clock stands still.
static void learn(struct world *w)
{
    dns_learn(w->dns, "localhost", dns_literal("127.0.0.1"));
}

static void test_stale_while_refreshed(void **state)
{
    struct world *w = *state;
    struct asked a = {0};
    learn(w);
    w->loop->now_ms += DNS_FRESH_MS - 1;
    assert_int_equal(ask(w, "localhost", &a), DNS_READY);
    release(&a);
    assert_int_equal(dns_asked(w->dns), 0);
    w->loop->now_ms += 1;
    assert_int_equal(ask(w, "localhost", &a), DNS_READY);
    release(&a);
    assert_int_equal(dns_asked(w->dns), 1); // refreshed behind our back, once
    assert_int_equal(ask(w, "localhost", &a), DNS_READY);
    release(&a);
    assert_int_equal(dns_asked(w->dns), 1);
}

static void test_too_old_is_asked_again(void **state)
{
    struct world *w = *state;
    struct asked a = {0};
    learn(w);
    w->loop->now_ms += DNS_STALE_MS;
    assert_int_equal(ask(w, "localhost", &a), DNS_WAITS);
    while (!a.answers)
        turn(w);
    assert_non_null(a.query.answer);
    release(&a);
}

static void test_failure_is_remembered(void **state)
{
    struct world *w = *state;
    struct asked a = {0};
    assert_int_equal(ask(w, "no..such", &a), DNS_WAITS);
    while (!a.answers)
        turn(w);
    assert_null(a.query.answer);
    assert_non_null(a.query.why);
    assert_int_equal(ask(w, "no..such", &a), DNS_FAILED);
    assert_non_null(a.query.why);
    assert_int_equal(dns_asked(w->dns), 1);
    w->loop->now_ms += DNS_FAILED_MS;
    assert_int_equal(ask(w, "no..such", &a), DNS_WAITS);
    assert_int_equal(dns_asked(w->dns), 2);
    dns_forget(&a.query);
}

static void test_forgotten_is_not_called(void **state)
{
    struct world *w = *state;
    struct asked first = {0}, second = {0}, third = {0}, later = {0};
    first.forgets = &second;
    assert_int_equal(ask(w, "localhost", &first), DNS_WAITS);
    assert_int_equal(ask(w, "localhost", &second), DNS_WAITS);
    assert_int_equal(ask(w, "localhost", &third), DNS_WAITS);
    dns_forget(&third.query); // the tail: the next one must still be found
    assert_int_equal(ask(w, "localhost", &later), DNS_WAITS);
    while (!later.answers)
        turn(w);
    assert_int_equal(first.answers, 1);
    assert_int_equal(second.answers, 0);
    assert_int_equal(third.answers, 0);
    release(&first);
    release(&later);
}

static void test_closed_while_asking(void **state)
{
    struct world *w = *state;
    struct asked a = {0};
    assert_int_equal(ask(w, "localhost", &a), DNS_WAITS);
    dns_forget(&a.query); // teardown closes at once
    assert_int_equal(a.answers, 0);
}

static void test_names_are_bounded(void **state)
{
    struct world *w = *state;
    struct asked a = {0};
    char long_name[300];
    memset(long_name, 'a', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(ask(w, long_name, &a), DNS_FAILED);
    assert_int_equal(ask(w, "", &a), DNS_FAILED);
    assert_int_equal(dns_asked(w->dns), 0);
}

static void test_many_names(void **state)
{
    struct world *w = *state;
    struct asked kept = {0}, a = {0};
    assert_int_equal(ask(w, "localhost", &kept), DNS_WAITS); // must survive all the others
    for (int i = 0; i < 3 * DNS_NAMES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d.test", i);
        dns_learn(w->dns, name, dns_literal("192.0.2.1"));
        assert_int_equal(ask(w, name, &a), DNS_READY);
        release(&a);
    }
    while (!kept.answers)
        turn(w);
    assert_non_null(kept.query.answer);
    release(&kept);
    assert_int_equal(ask(w, "n0.test", &a), DNS_WAITS); // long gone
    dns_forget(&a.query);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_literals),
        TEST(test_single_flight_then_cached),
        TEST(test_stale_while_refreshed),
        TEST(test_too_old_is_asked_again),
        TEST(test_failure_is_remembered),
        TEST(test_forgotten_is_not_called),
        TEST(test_closed_while_asking),
        TEST(test_names_are_bounded),
        TEST(test_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
