// Limits with a Redis: threads that take, wait and give back while it answers, freezes and goes.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/redis/redis.h"
#include "service/limit.h"
#include "service/limit_redis.h"
#include "unit/common/redis/server.h"

#define T(f) cmocka_unit_test(f)

enum { THREADS = 3, TRIES = 2000, PATIENCE_MS = 20000 };

static struct loop *loop;
static pthread_t loop_thread;

static void *run_loop(void *unused)
{
    (void)unused;
    loop_run(loop);
    return NULL;
}

static void on_stop(struct job *job)
{
    loop_stop(job->loop);
}

static int set_up(void **state)
{
    (void)state;
    static struct redis_options o = {.prefix = "test:"};
    if (!server_installed())
        return 0;
    o.address = (struct redis_address){"127.0.0.1", server_port(), "", "", 1};
    server_up("");
    loop = loop_new(0);
    limit_redis_setup("unit");
    redis_start(&o);
    limit_redis_start();
    return pthread_create(&loop_thread, NULL, run_loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    static struct job stop = {.on_loop = on_stop};
    if (!server_installed())
        return 0;
    limit_redis_stop();
    redis_stop();
    stop.loop = loop;
    loop_post(loop, &stop);
    pthread_join(loop_thread, NULL);
    loop_free(loop);
    server_down();
    return 0;
}

static void wait_until(bool on)
{
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (limit_redis_on(clock_steady_ms()) != on && clock_steady_ms() < until)
        uv_sleep(10);
    assert_int_equal(limit_redis_on(clock_steady_ms()), on);
}

// --- somebody who waits to be told ----------------------------------------------------------

struct waiting {
    struct job job;
    _Atomic bool told;
};

static void on_told(struct job *job)
{
    atomic_store(&((struct waiting *)job)->told, true);
}

// As a relay: false is a refusal.
static bool take(struct limit_ticket *t, int64_t id, const struct limits *l)
{
    struct limit_who who = {LIMIT_TOKEN, id};
    for (int tries = 0; tries < 4; tries++) {
        struct limit_refusal why;
        struct waiting w = {.job = {.loop = loop, .on_loop = on_told}};
        int64_t now = clock_steady_ms();
        if (limit_take(t, &who, l, 0, now, &why))
            return true;
        if (!why.unsure || !limit_await(&who, &why, 0, now, &w.job))
            return false;
        int64_t until = now + PATIENCE_MS;
        while (!atomic_load(&w.told) && clock_steady_ms() < until)
            uv_sleep(1);
        assert_true(w.told);
    }
    return false;
}

static _Atomic int granted, running, most_running;

static void *ask(void *arg)
{
    const struct limits *l = arg;
    for (int i = 0; i < TRIES; i++) {
        struct limit_ticket t = {0};
        if (!take(&t, 1, l))
            continue;
        int now = atomic_fetch_add(&running, 1) + 1;
        if (now > atomic_load(&most_running))
            atomic_store(&most_running, now);
        atomic_fetch_add(&granted, 1);
        if (i % 16 == 0)
            uv_sleep(1);
        atomic_fetch_sub(&running, 1);
        limit_settle(&t, 0, clock_steady_ms());
    }
    return NULL;
}

static void run_threads(const struct limits *l)
{
    pthread_t threads[THREADS];
    atomic_store(&granted, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, (void *)l), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void threads_together_get_the_limit(void **state)
{
    (void)state;
    if (!server_installed())
        skip();
    static const struct limits l = {.most = {[LIMIT_RPM] = 100, [LIMIT_CONCURRENT] = 2}};
    wait_until(true);
    int64_t began = clock_steady_ms();
    run_threads(&l);
    int64_t refilled = (clock_steady_ms() - began) * 100 / 60000;
    assert_in_range(granted, 60, 100 + refilled + 1); // both limits at once: some find no place
    assert_in_range(most_running, 1, 2);
}

static void a_frozen_one_keeps_nobody_for_long(void **state)
{
    (void)state;
    if (!server_installed())
        skip();
    static const struct limits l = {.most = {[LIMIT_RPM] = 5}};
    wait_until(true);
    server_freeze(true);
    int64_t began = clock_steady_ms();
    int n = 0;
    for (int i = 0; i < 10; i++) {
        struct limit_ticket t = {0};
        n += take(&t, 2, &l);
        limit_settle(&t, 0, clock_steady_ms());
    }
    assert_true(clock_steady_ms() - began < 5000);
    assert_int_equal(n, 5); // its own count
    server_freeze(false);
    wait_until(true);
}

static void one_that_goes_and_comes_back_is_asked_again(void **state)
{
    (void)state;
    if (!server_installed())
        skip();
    static const struct limits l = {.most = {[LIMIT_CONCURRENT] = 1}};
    struct limit_ticket held = {0}, other = {0};
    wait_until(true);
    assert_true(take(&held, 3, &l));
    server_down();
    wait_until(false);
    assert_false(take(&other, 3, &l));
    limit_settle(&held, 0, clock_steady_ms());
    assert_true(take(&held, 3, &l));
    server_up("");
    wait_until(true);
    assert_false(take(&other, 3, &l));
    limit_settle(&held, 0, clock_steady_ms());
    assert_true(take(&other, 3, &l));
    limit_settle(&other, 0, clock_steady_ms());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(threads_together_get_the_limit),
        T(a_frozen_one_keeps_nobody_for_long),
        T(one_that_goes_and_comes_back_is_asked_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
