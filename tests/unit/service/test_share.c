// Nodes with a common limit, and a Redis of the test's own that answers late: together they stay
// within the limit and what is said in share.h, nobody is refused for nothing, nothing is lost.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/share.h"

#define T(f) cmocka_unit_test(f)

enum { NODES = 4, MINUTE = 60000, TICK_MS = 50 };

struct node {
    struct share share;
    struct share_order order;
    int64_t due_ms; // when Redis carries the order out, and answers
};

static struct {
    struct rate rate;
    struct rate_state bucket;
    int64_t held[NODES];
    struct node nodes[NODES];
    int64_t now_ms;
} world;

static uint64_t dice = 7;

static int64_t below(int64_t n)
{
    dice = dice * 6364136223846793005U + 1442695040888963407U;
    return (int64_t)(dice >> 33) % n;
}

static void begin(int64_t most, int64_t period_ms)
{
    memset(&world, 0, sizeof(world));
    world.rate = (struct rate){most, period_ms};
    world.now_ms = 1000000;
    for (int i = 0; i < NODES; i++)
        world.nodes[i].share.rate = world.rate;
}

// --- Redis ----------------------------------------------------------------------------

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// As bucket_script: what is left may be negative.
static void run_bucket(struct node *n)
{
    const struct rate *r = &world.rate;
    rate_charge(r, &world.bucket, n->order.pay, world.now_ms);
    int64_t room = r->most - (world.bucket.debt + r->period_ms - 1) / r->period_ms;
    int64_t granted = room > 0 ? least(n->order.want, room) : 0;
    rate_charge(r, &world.bucket, granted, world.now_ms);
    share_told(&n->share, &n->order, granted, room - granted, world.now_ms);
}

static void run_held(int i)
{
    struct node *n = &world.nodes[i];
    int64_t others = 0;
    for (int k = 0; k < NODES; k++)
        others += k == i ? 0 : world.held[k];
    int64_t held = least(n->order.want, world.rate.most - others);
    world.held[i] = held > n->order.pay ? held : n->order.pay;
    share_told(&n->share, &n->order, world.held[i], world.rate.most - others - world.held[i],
               world.now_ms);
}

static void ask(struct node *n, int64_t units)
{
    if (!share_order(&n->share, units, world.now_ms, &n->order))
        return;
    n->share.asking = true;
    n->due_ms = world.now_ms + 1 + below(20);
}

static void answer(void)
{
    for (int i = 0; i < NODES; i++) {
        struct node *n = &world.nodes[i];
        if (!n->share.asking || n->due_ms > world.now_ms)
            continue;
        if (world.rate.period_ms)
            run_bucket(n);
        else
            run_held(i);
        ask(n, 0);
    }
}

static void pass(int64_t ms)
{
    for (; ms > 0; ms--) {
        world.now_ms++;
        answer();
        if (world.now_ms % TICK_MS == 0)
            for (int i = 0; i < NODES; i++)
                ask(&world.nodes[i], 0);
    }
}

// --- callers --------------------------------------------------------------------------

// As limit.c and those who wait: asks Redis before it refuses.
static bool take(int i, int64_t units)
{
    struct node *n = &world.nodes[i];
    for (int tries = 0; tries < 4; tries++) {
        bool unsure = false;
        int64_t wait = share_wait_ms(&n->share, units, world.now_ms, &unsure);
        if (!wait) {
            share_use(&n->share, units, world.now_ms);
            ask(n, 0);
            return true;
        }
        assert_true(wait > 0);
        if (!unsure)
            return false;
        ask(n, units);
        while (n->share.asking)
            pass(1);
    }
    return false;
}

static int64_t bound(int64_t units)
{
    int64_t each = world.rate.most / 8;
    if (each < 1)
        each = 1;
    return NODES * (each > units ? each : units);
}

static void requests_stay_within_the_limit(void **state)
{
    (void)state;
    const int64_t limits[] = {1, 3, 15, 16, 17, 60, 1000, 60000};
    for (size_t k = 0; k < sizeof(limits) / sizeof(*limits); k++) {
        begin(limits[k], MINUTE);
        int64_t n = 0, began = world.now_ms, tries = limits[k] * 3 + 50;
        for (int64_t i = 0; i < tries; i++) {
            n += take((int)below(NODES), 1);
            if (below(4) == 0)
                pass(1);
        }
        int64_t refilled = (world.now_ms - began) * limits[k] / MINUTE;
        assert_true(n <= limits[k] + bound(1) + refilled + 1);
        assert_true(n >= limits[k] - NODES * (limits[k] / 16));
    }
}

static void over_hours_they_keep_the_pace(void **state)
{
    (void)state;
    begin(30, MINUTE);
    int64_t n = 0, began = world.now_ms;
    while (world.now_ms - began < 20 * MINUTE) {
        n += take((int)below(NODES), 1);
        pass(below(400));
    }
    int64_t minutes = (world.now_ms - began) / MINUTE;
    assert_true(n <= 30 * (minutes + 2) + bound(1));
    assert_true(n >= 30 * minutes);
}

static void one_node_alone_gets_all_of_it(void **state)
{
    (void)state;
    const int64_t limits[] = {1, 2, 10, 16, 100, 5000};
    for (size_t k = 0; k < sizeof(limits) / sizeof(*limits); k++) {
        begin(limits[k], MINUTE);
        for (int64_t i = 0; i < limits[k]; i++)
            assert_true(take(0, 1));
        pass(200);
        int64_t most = 2 + (world.now_ms - 1000000) * limits[k] / MINUTE;
        int64_t n = 0;
        for (int i = 0; i < 50; i++)
            n += take(1, 1);
        assert_true(n <= most);
    }
}

static void what_is_not_used_goes_back(void **state)
{
    (void)state;
    begin(160, MINUTE);
    for (int i = 0; i < NODES - 1; i++)
        assert_true(take(i, 1));
    pass(SHARE_IDLE_MS + 200);
    for (int i = 0; i < NODES; i++)
        assert_true(share_rests(&world.nodes[i].share));
    int64_t n = 0;
    for (int i = 0; i < 200; i++)
        n += take(NODES - 1, 1);
    assert_true(n >= 160);
}

static void tokens_are_paid_for_though_they_were_not_there(void **state)
{
    (void)state;
    begin(1000, MINUTE);
    assert_true(take(0, 900));
    share_use(&world.nodes[0].share, 4100, world.now_ms); // it used 5000
    pass(200);
    for (int i = 1; i < NODES; i++) {
        take(i, 10); // may go ahead once, before it knows
        pass(200);
        assert_false(take(i, 10));
    }
    pass(5 * MINUTE);
    assert_true(take(1, 900));
    share_use(&world.nodes[1].share, -850, world.now_ms); // an estimate given back
    pass(SHARE_IDLE_MS + 200);
    assert_true(take(2, 900));
}

static void a_request_larger_than_the_limit_needs_all_of_it(void **state)
{
    (void)state;
    begin(1000, MINUTE);
    assert_true(take(0, 50));
    pass(100);
    assert_true(take(1, 1)); // what it has never asked for it may go ahead of
    pass(100);
    assert_false(take(1, 5000));
    pass(8000);
    assert_true(take(1, 5000));
    for (int minute = 0; minute < 4; minute++) {
        pass(100);
        take(0, 1); // once, before it knows
        pass(100);
        assert_false(take(0, 1));
        pass(MINUTE - 200);
    }
    pass(MINUTE);
    assert_true(take(0, 1));
}

// One of a node ends, or one more begins there. By how much that changes what runs.
static int64_t end_or_begin(int node, int64_t *running)
{
    int64_t change = 0;
    if (*running && below(5) == 0) {
        share_use(&world.nodes[node].share, -1, world.now_ms);
        ask(&world.nodes[node], 0);
        change = -1;
    } else if (take(node, 1)) {
        change = 1;
    }
    *running += change;
    return change;
}

static void so_many_at_a_time_over_all_nodes(void **state)
{
    (void)state;
    const int64_t limits[] = {1, 2, 7, 16, 64};
    for (size_t k = 0; k < sizeof(limits) / sizeof(*limits); k++) {
        begin(limits[k], 0);
        int64_t running[NODES] = {0}, all = 0, full = 0;
        for (int i = 0; i < 4000; i++) {
            int node = (int)below(NODES);
            all += end_or_begin(node, &running[node]);
            pass(below(30));
            assert_true(all <= limits[k] + bound(1));
            full += all >= limits[k];
        }
        assert_true(full > 0);
        for (int i = 0; i < NODES; i++)
            for (; running[i]; running[i]--)
                share_use(&world.nodes[i].share, -1, world.now_ms);
        pass(SHARE_IDLE_MS + 500);
        for (int i = 0; i < NODES; i++)
            assert_int_equal(world.held[i], 0);
        for (int64_t i = 0; i < limits[k]; i++)
            assert_true(take(2, 1));
    }
}

static void one_after_the_other_is_never_refused(void **state)
{
    (void)state;
    begin(1, 0);
    for (int i = 0; i < 200; i++) {
        struct node *n = &world.nodes[i % NODES];
        assert_true(take(i % NODES, 1));
        pass(below(5));
        share_use(&n->share, -1, world.now_ms);
        ask(n, 0);
        pass(50);
    }
}

static void what_there_was_no_room_for_is_not_used_again(void **state)
{
    (void)state;
    begin(1, 0);
    struct share *s = &world.nodes[1].share;
    assert_true(take(0, 1));
    pass(100);
    assert_true(take(1, 1)); // ahead
    pass(100);
    share_use(s, -1, world.now_ms);
    bool unsure;
    assert_true(share_wait_ms(s, 1, world.now_ms, &unsure) > 0);
}

static void what_runs_for_long_is_said_again(void **state)
{
    (void)state;
    begin(4, 0);
    assert_true(take(0, 1));
    pass(1000);
    world.held[0] = 0; // Redis has forgotten it
    pass(SHARE_RENEW_MS + 200);
    assert_int_equal(world.held[0], 1);
}

// So many requests of so many units until a node wants to hear from Redis first.
static int into_the_dark(int64_t most, int64_t period_ms, int64_t units)
{
    begin(most, period_ms);
    struct node *n = &world.nodes[0];
    int count = 0;
    bool unsure = false;
    while (!share_wait_ms(&n->share, units, world.now_ms, &unsure)) {
        share_use(&n->share, units, world.now_ms);
        ask(n, 0);
        assert_true(++count < 1000);
    }
    assert_true(unsure); // asks, instead of refusing
    return count;
}

static void before_redis_has_said_anything(void **state)
{
    (void)state;
    assert_int_equal(into_the_dark(1, MINUTE, 1), 1);
    assert_int_equal(into_the_dark(255, MINUTE, 1), 1);
    assert_int_equal(into_the_dark(1024, MINUTE, 1), 4); // a sixteenth of a sixteenth
    assert_int_equal(into_the_dark(100000, MINUTE, 500), 1);
    assert_int_equal(into_the_dark(100000, MINUTE, 100), 3);
    assert_int_equal(into_the_dark(1024, 0, 1), 1);
}

static void an_answer_that_never_came_is_not_paid_twice(void **state)
{
    (void)state;
    begin(100, MINUTE);
    struct share *s = &world.nodes[0].share;
    struct share_order o;
    for (int i = 0; i < 3; i++)
        share_use(s, 1, world.now_ms);
    assert_true(share_order(s, 0, world.now_ms, &o));
    assert_int_equal(o.pay, 3);
    s->asking = true;
    assert_false(share_order(s, 0, world.now_ms, &o)); // one at a time
    share_not_told(s, &o);
    share_not_told(s, &(struct share_order){.pay = 3});
    assert_int_equal(s->have, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(requests_stay_within_the_limit),
        T(over_hours_they_keep_the_pace),
        T(one_node_alone_gets_all_of_it),
        T(what_is_not_used_goes_back),
        T(tokens_are_paid_for_though_they_were_not_there),
        T(a_request_larger_than_the_limit_needs_all_of_it),
        T(so_many_at_a_time_over_all_nodes),
        T(one_after_the_other_is_never_refused),
        T(what_there_was_no_room_for_is_not_used_again),
        T(what_runs_for_long_is_said_again),
        T(before_redis_has_said_anything),
        T(an_answer_that_never_came_is_not_paid_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
