// Subjects, tickets and the table: who may, who must wait, and that nobody gets out of it.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "service/limit.h"

#define T(f) cmocka_unit_test_setup(f, forget)

enum { NOON = 1000000000 };

static int forget(void **state)
{
    (void)state;
    limit_forget_all();
    return 0;
}

static const struct limits none;

static bool may(struct limit_ticket *t, enum limit_scope scope, int64_t id,
                const struct limits *limits, int64_t tokens, int64_t now_ms)
{
    struct limit_refusal why = {0};
    bool fine = limit_take(t, &(struct limit_who){scope, id}, limits, tokens, now_ms, &why);
    if (!fine) {
        assert_int_equal(why.scope, scope);
        assert_true(why.wait_ms > 0);
    }
    return fine;
}

// One that ends at once, having used what was estimated.
static bool once(enum limit_scope scope, int64_t id, const struct limits *limits, int64_t tokens,
                 int64_t now_ms)
{
    struct limit_ticket t = {0};
    bool fine = may(&t, scope, id, limits, tokens, now_ms);
    limit_settle(&t, tokens, now_ms);
    return fine;
}

static int count(enum limit_scope scope, int64_t id, const struct limits *limits, int tries,
                 int64_t now_ms)
{
    int n = 0;
    for (int i = 0; i < tries; i++)
        n += once(scope, id, limits, 0, now_ms);
    return n;
}

static void each_subject_has_its_own(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_RPM] = 5}};
    assert_int_equal(count(LIMIT_TOKEN, 1, &l, 20, NOON), 5);
    assert_int_equal(count(LIMIT_TOKEN, 2, &l, 20, NOON), 5);
    assert_int_equal(count(LIMIT_USER, 1, &l, 20, NOON), 5);
    assert_int_equal(count(LIMIT_CHANNEL, 1, &l, 20, NOON), 5);
    assert_int_equal(count(LIMIT_TOKEN, 1, &l, 20, NOON + 12000), 1);
}

static void all_units_must_fit_or_none_is_charged(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_RPM] = 5, [LIMIT_TPM] = 100, [LIMIT_RPD] = 7}};
    assert_true(once(LIMIT_TOKEN, 3, &l, 90, NOON));
    for (int i = 0; i < 10; i++)
        assert_false(once(LIMIT_TOKEN, 3, &l, 50, NOON)); // the requests are not charged
    for (int i = 0; i < 4; i++)
        assert_true(once(LIMIT_TOKEN, 3, &l, 0, NOON));
    assert_false(once(LIMIT_TOKEN, 3, &l, 0, NOON));
    assert_true(once(LIMIT_TOKEN, 3, &l, 0, NOON + 60000));
    assert_true(once(LIMIT_TOKEN, 3, &l, 0, NOON + 60000));
    assert_false(once(LIMIT_TOKEN, 3, &l, 0, NOON + 60000)); // seven in a day
}

static void tokens_are_put_right_in_the_end(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_TPM] = 1000}};
    struct limit_ticket t = {0};
    assert_true(may(&t, LIMIT_TOKEN, 4, &l, 800, NOON));
    assert_false(once(LIMIT_TOKEN, 4, &l, 300, NOON));
    limit_settle(&t, 100, NOON);
    assert_true(once(LIMIT_TOKEN, 4, &l, 300, NOON));
    assert_true(may(&t, LIMIT_TOKEN, 4, &l, 1, NOON));
    limit_settle(&t, 2000, NOON); // three times what there was
    assert_false(once(LIMIT_TOKEN, 4, &l, 1, NOON + 80000));
    assert_true(once(LIMIT_TOKEN, 4, &l, 1, NOON + 85000));
}

static void so_many_at_a_time(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_CONCURRENT] = 3}};
    struct limit_ticket t[4] = {0};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            assert_true(may(&t[i], LIMIT_USER, 5, &l, 0, NOON));
        assert_false(may(&t[3], LIMIT_USER, 5, &l, 0, NOON + 3600000)); // time does not help
        limit_settle(&t[1], 0, NOON);
        limit_settle(&t[1], 0, NOON); // an empty ticket holds nothing
        assert_true(may(&t[3], LIMIT_USER, 5, &l, 0, NOON));
        assert_false(may(&t[1], LIMIT_USER, 5, &l, 0, NOON));
        for (int i = 0; i < 4; i++)
            limit_settle(&t[i], 0, NOON);
    }
}

static void what_never_began_is_given_back(void **state)
{
    (void)state;
    struct limits l = {.most = {2, 100, 2, 1}};
    for (int i = 0; i < 20; i++) {
        struct limit_ticket t = {0};
        assert_true(may(&t, LIMIT_TOKEN, 6, &l, 60, NOON));
        limit_undo(&t, 0, NOON);
    }
    struct limits a = {.most = {[LIMIT_RPM] = 3, [LIMIT_CONCURRENT] = 1}};
    for (int i = 0; i < 3; i++) { // but what an address has sent it has sent
        struct limit_ticket t = {0};
        struct limit_who who = {LIMIT_ADDRESS, .name = "10.0.0.1"};
        struct limit_refusal why;
        assert_true(limit_take(&t, &who, &a, 0, NOON, &why));
        limit_undo(&t, 0, NOON);
    }
    struct limit_who who = {LIMIT_ADDRESS, .name = "10.0.0.1"};
    struct limit_refusal why;
    assert_false(limit_fits(&who, &a, 0, NOON, &why));
    assert_int_equal(why.unit, LIMIT_RPM);
}

static void a_limit_may_come_and_go_while_requests_run(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_CONCURRENT] = 1}}, no = none;
    struct limit_ticket before = {0}, during = {0};
    assert_true(may(&before, LIMIT_TOKEN, 7, &no, 0, NOON));
    assert_true(may(&during, LIMIT_TOKEN, 7, &l, 0, NOON));
    limit_settle(&before, 0, NOON); // was never counted
    assert_false(once(LIMIT_TOKEN, 7, &l, 0, NOON));
    limit_settle(&during, 0, NOON);
    assert_true(once(LIMIT_TOKEN, 7, &l, 0, NOON));
}

static void the_caller_sees_the_nearest(void **state)
{
    (void)state;
    struct limits token = {.most = {[LIMIT_RPM] = 10, [LIMIT_TPM] = 5000}};
    struct limits user = {.most = {[LIMIT_RPM] = 100, [LIMIT_TPM] = 2000, [LIMIT_RPD] = 4}};
    struct limits address = {.most = {[LIMIT_RPM] = 2}};
    struct limit_ticket t = {0};
    struct limit_refusal why;
    struct limit_who who = {LIMIT_ADDRESS, .name = "10.0.0.2"};
    assert_true(limit_take(&t, &who, &address, 0, NOON, &why));
    assert_int_equal(t.requests.most, 0);
    assert_true(may(&t, LIMIT_TOKEN, 8, &token, 500, NOON));
    assert_true(may(&t, LIMIT_USER, 8, &user, 500, NOON));
    assert_int_equal(t.requests.most, 4);
    assert_int_equal(t.requests.left, 3);
    assert_int_equal(t.requests.reset_ms, 86400000 / 4);
    assert_int_equal(t.tokens.most, 2000);
    assert_int_equal(t.tokens.left, 1500);
    assert_int_equal(t.tokens.reset_ms, 15000);
    limit_settle(&t, 500, NOON);
}

static bool address_may(const char *name, const struct limits *l, int64_t now_ms)
{
    struct limit_ticket t = {0};
    struct limit_refusal why;
    bool fine =
        limit_take(&t, &(struct limit_who){LIMIT_ADDRESS, .name = name}, l, 0, now_ms, &why);
    limit_settle(&t, 0, now_ms);
    return fine;
}

static void an_ipv6_client_is_its_network(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_RPM] = 2}};
    assert_true(address_may("2001:db8:1:2::1", &l, NOON));
    assert_true(address_may("2001:db8:1:2:ffff::2", &l, NOON));
    assert_false(address_may("2001:db8:1:2:abcd::3", &l, NOON));
    assert_true(address_may("2001:db8:1:3::1", &l, NOON));
    assert_true(address_may("10.9.9.1", &l, NOON));
    assert_true(address_may("10.9.9.2", &l, NOON));
}

static void those_who_owe_nothing_are_forgotten(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_RPM] = 6000}};
    for (int round = 0; round < 4; round++)
        for (int64_t id = 0; id < 100000; id++)
            once(LIMIT_TOKEN, 1000000 + round * 100000 + id, &l, 0, NOON + round * 1000);
    assert_in_range(limit_subjects(), 1, LIMIT_SUBJECTS_MOST);
    for (int64_t id = 0; id < 200000; id++)
        once(LIMIT_TOKEN, id, &none, 0, NOON + 10000); // looks into every chain
    assert_in_range(limit_subjects(), 0, 5000);        // each chain keeps the last one
}

// Somebody at his limit brings up 150,000 other addresses, all of which owe something too.
static void nobody_loses_his_debts_in_a_crowd(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_RPM] = 20}};
    for (int i = 0; i < 20; i++)
        assert_true(address_may("10.1.1.1", &l, NOON));
    for (int i = 0; i < 4; i++)
        assert_true(address_may("10.1.1.2", &l, NOON));
    for (int i = 0; i < 150000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "11.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        for (int k = 0; k < 6; k++)
            address_may(name, &l, NOON + 1);
    }
    assert_in_range(limit_subjects(), 1, LIMIT_SUBJECTS_MOST);
    assert_false(address_may("10.1.1.1", &l, NOON + 2));
    int n = 0; // who was pushed out comes back with no less than what he owed
    for (int i = 0; i < 30; i++)
        n += address_may("10.1.1.2", &l, NOON + 2);
    assert_in_range(n, 0, 16);
    struct limits tokens = {.most = {[LIMIT_RPM] = 1}};
    assert_true(once(LIMIT_TOKEN, 12, &tokens, 0, NOON + 2)); // and tokens did not notice
}

static void running_requests_are_never_pushed_out(void **state)
{
    (void)state;
    struct limits l = {.most = {[LIMIT_RPM] = 20, [LIMIT_CONCURRENT] = 1}};
    struct limit_ticket t = {0};
    assert_true(may(&t, LIMIT_USER, 9, &l, 0, NOON));
    for (int64_t id = 100; id < 300000; id++)
        once(LIMIT_USER, id, &l, 0, NOON);
    assert_false(once(LIMIT_USER, 9, &l, 0, NOON + 3600000));
    limit_settle(&t, 0, NOON);
    assert_true(once(LIMIT_USER, 9, &l, 0, NOON + 3600000));
}

static void of_a_flood_few_are_noted(void **state)
{
    (void)state;
    struct limit_who who = {LIMIT_USER, 10};
    int64_t n = 0, noted = 0, sum = 0;
    for (int64_t now = NOON; now <= NOON + 60000; now++) {
        if (limit_note(&who, now, &n)) {
            noted++;
            sum += n;
        }
    }
    assert_int_equal(noted, 7);
    assert_int_equal(sum, 60001);
}

static void an_error_says_whose_and_when(void **state)
{
    (void)state;
    ARENA(a);
    struct err *e = limit_error(a, &(struct limit_refusal){LIMIT_TOKEN, LIMIT_RPM, 60, 1001});
    assert_ptr_equal(e->kind, &err_rate_limited);
    assert_string_equal(e->detail, "key, 60 requests per minute");
    assert_int_equal(e->retry_after, 2);
}

// --- at the same time ---------------------------------------------------------------

enum { THREADS = 4, TRIES = 20000 };
static _Atomic int granted, running, most_running;

static void *ask(void *arg)
{
    (void)arg;
    struct limits l = {.most = {[LIMIT_RPM] = 1000, [LIMIT_CONCURRENT] = 3}}, g = {.most = {500}};
    for (int i = 0; i < TRIES; i++) {
        struct limit_ticket t = {0};
        struct limit_refusal why;
        struct limit_who token = {LIMIT_TOKEN, 11}, all = {LIMIT_GLOBAL}, other = {LIMIT_USER, i};
        limit_fits(&token, &l, 0, NOON, &why);
        if (!limit_take(&t, &token, &l, 0, NOON, &why))
            continue;
        int now = atomic_fetch_add(&running, 1) + 1;
        if (now > atomic_load(&most_running))
            atomic_store(&most_running, now);
        bool fine =
            limit_take(&t, &other, &g, 0, NOON, &why) && limit_take(&t, &all, &g, 0, NOON, &why);
        atomic_fetch_sub(&running, 1);
        if (fine) {
            atomic_fetch_add(&granted, 1);
            limit_settle(&t, 0, NOON);
        } else {
            limit_undo(&t, 0, NOON);
        }
    }
    return NULL;
}

static void threads_together_get_no_more(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(granted, 500);
    assert_in_range(most_running, 1, 3);
    struct limits l = {.most = {[LIMIT_RPM] = 1000, [LIMIT_CONCURRENT] = 3}};
    assert_int_equal(count(LIMIT_TOKEN, 11, &l, 2000, NOON), 500); // all undone was given back
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_subject_has_its_own),
        T(all_units_must_fit_or_none_is_charged),
        T(tokens_are_put_right_in_the_end),
        T(so_many_at_a_time),
        T(what_never_began_is_given_back),
        T(a_limit_may_come_and_go_while_requests_run),
        T(the_caller_sees_the_nearest),
        T(an_ipv6_client_is_its_network),
        T(those_who_owe_nothing_are_forgotten),
        T(nobody_loses_his_debts_in_a_crowd),
        T(running_requests_are_never_pushed_out),
        T(of_a_flood_few_are_noted),
        T(an_error_says_whose_and_when),
        T(threads_together_get_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
