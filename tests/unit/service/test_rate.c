// Buckets by the clock of the test: exact counts, bursts, corrections, clocks that jump, extremes.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/rate.h"

#define T(f) cmocka_unit_test(f)

enum { MINUTE = 60000, DAY = 86400000 };

static int64_t taken(const struct rate *r, struct rate_state *s, int64_t tries, int64_t now_ms)
{
    int64_t n = 0;
    for (int64_t i = 0; i < tries; i++)
        n += rate_take(r, s, 1, now_ms);
    return n;
}

static void as_many_as_the_limit_come_at_once(void **state)
{
    (void)state;
    const int64_t limits[] = {1, 2, 3, 7, 60, 61, 1000, 99991};
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        struct rate r = {limits[i], MINUTE};
        struct rate_state s = {0};
        assert_int_equal(taken(&r, &s, limits[i] + 50, 1000000), limits[i]);
    }
}

static void then_one_after_the_other_at_its_pace(void **state)
{
    (void)state;
    struct rate r = {7, MINUTE}; // one in 8571 ms and 3/7
    struct rate_state s = {0};
    int64_t n = 0, now = 5;
    assert_int_equal(taken(&r, &s, 100, now), 7);
    for (; now < 5 + 70 * MINUTE; now += 1)
        n += rate_take(&r, &s, 1, now);
    assert_int_equal(n, 7 * 70 - 1); // the last one fits at the very end of the minute
    assert_int_equal(rate_take(&r, &s, 1, now), 1);
}

static void never_more_in_any_time_than_burst_and_pace(void **state)
{
    (void)state;
    struct rate r = {10, MINUTE};
    struct rate_state s = {0};
    static int64_t at[4000];
    int n = 0;
    uint64_t dice = 42;
    for (int64_t now = 0; n < 4000; now += (int64_t)(dice >> 33) % 4000) {
        dice = dice * 6364136223846793005U + 1442695040888963407U;
        if (rate_take(&r, &s, 1, now))
            at[n++] = now;
    }
    for (int from = 0; from < n; from++)
        for (int to = from; to < n && to < from + 40; to++)
            assert_true((to - from + 1 - 10) * (int64_t)MINUTE <= (at[to] - at[from]) * 10);
}

static void it_says_how_long_to_wait(void **state)
{
    (void)state;
    struct rate r = {3, MINUTE};
    struct rate_state s = {0};
    taken(&r, &s, 3, 100);
    assert_int_equal(rate_left(&r, &s, 100), 0);
    assert_int_equal(rate_wait_ms(&r, &s, 1, 100), 20000);
    assert_int_equal(rate_wait_ms(&r, &s, 1, 100 + 19999), 1);
    assert_int_equal(rate_wait_ms(&r, &s, 1, 100 + 20000), 0);
    assert_int_equal(rate_wait_ms(&r, &s, 3, 100), 60000);
    assert_int_equal(rate_full_ms(&r, &s, 100), 60000);
    assert_int_equal(rate_full_ms(&r, &s, 100 + 45000), 15000);
    assert_int_equal(rate_left(&r, &s, 100 + 45000), 2);
    assert_false(rate_take(&r, &s, 1, 100 + 19999));
    assert_true(rate_take(&r, &s, 1, 100 + 20000));
}

static void what_was_estimated_too_low_is_owed(void **state)
{
    (void)state;
    struct rate r = {1000, MINUTE};
    struct rate_state s = {0};
    assert_true(rate_take(&r, &s, 100, 0));
    rate_charge(&r, &s, 4900, 0); // it used 5000
    assert_int_equal(rate_left(&r, &s, 0), 0);
    assert_int_equal(rate_wait_ms(&r, &s, 1, 0), 4 * MINUTE + 60);
    assert_int_equal(rate_left(&r, &s, 4 * MINUTE), 0);
    assert_int_equal(rate_left(&r, &s, 4 * MINUTE + 60), 1);
    assert_int_equal(rate_left(&r, &s, 5 * MINUTE), 1000);
}

static void what_was_estimated_too_high_is_given_back(void **state)
{
    (void)state;
    struct rate r = {1000, MINUTE};
    struct rate_state s = {0};
    assert_true(rate_take(&r, &s, 900, 0));
    assert_false(rate_take(&r, &s, 200, 0));
    rate_charge(&r, &s, -850, 0);
    assert_int_equal(rate_left(&r, &s, 0), 950);
    rate_charge(&r, &s, -5000, 0); // more than was ever taken is no credit
    assert_int_equal(rate_left(&r, &s, 0), 1000);
    assert_int_equal(taken(&r, &s, 5000, 0), 1000);
}

static void what_is_larger_than_the_limit_needs_all_of_it(void **state)
{
    (void)state;
    struct rate r = {1000, MINUTE};
    struct rate_state s = {0};
    assert_true(rate_take(&r, &s, 1, 0));
    assert_false(rate_take(&r, &s, 3000, 0));
    assert_true(rate_take(&r, &s, 3000, 60)); // paid off by waiting, three minutes for three
    assert_int_equal(rate_wait_ms(&r, &s, 1, 60), 2 * MINUTE + 60);
}

static void a_clock_that_goes_back_gives_nothing_away(void **state)
{
    (void)state;
    struct rate r = {60, MINUTE};
    struct rate_state s = {0};
    assert_int_equal(taken(&r, &s, 100, DAY), 60);
    int64_t n = 0;
    for (int i = 0; i < 100000; i++) // two threads whose clocks differ by 5 ms
        n += taken(&r, &s, 2, DAY + i / 100 - (i & 1) * 5);
    assert_int_equal(n, 0);
    assert_int_equal(rate_left(&r, &s, DAY + 2000), 2);
    assert_int_equal(taken(&r, &s, 100, 0), 0);                 // it was set back
    assert_int_equal(rate_wait_ms(&r, &s, 1, 0) <= 1000, true); // but that locks nobody out
    rate_charge(&r, &s, 1, 0);
    assert_in_range(rate_left(&r, &s, 5000), 3, 5);
}

static void extremes_neither_wrap_nor_divide(void **state)
{
    (void)state;
    struct rate r = {1000000000, DAY};
    struct rate_state s = {0};
    rate_charge(&r, &s, INT64_MAX / 4, 0);
    assert_int_equal(rate_left(&r, &s, 0), 0);
    assert_in_range(rate_wait_ms(&r, &s, 1, 0), 1, 17LL * DAY);
    rate_charge(&r, &s, INT64_MIN / 4, 0);
    assert_int_equal(rate_left(&r, &s, 0), r.most);
    assert_true(rate_take(&r, &s, r.most, INT64_MAX / 2));
    assert_false(rate_take(&r, &s, 1, INT64_MAX / 2));
    assert_int_equal(rate_left(&r, &s, INT64_MAX), r.most);
    s = (struct rate_state){.at_ms = INT64_MAX / 2};
    assert_true(rate_take(&r, &s, 1, -5));
}

static void without_a_period_it_is_so_many_at_a_time(void **state)
{
    (void)state;
    struct rate r = {2, 0};
    struct rate_state s = {0};
    assert_int_equal(taken(&r, &s, 5, 0), 2);
    assert_int_equal(rate_wait_ms(&r, &s, 1, DAY), RATE_UNKNOWN_MS);
    rate_charge(&r, &s, -1, DAY);
    assert_int_equal(taken(&r, &s, 5, DAY), 1);
    rate_charge(&r, &s, -2, 0);
    rate_charge(&r, &s, -1, 0);
    assert_int_equal(taken(&r, &s, 5, 0), 2);
}

static void a_limit_may_change_meanwhile(void **state)
{
    (void)state;
    struct rate before = {100, MINUTE}, lower = {10, MINUTE}, higher = {1000, MINUTE};
    struct rate_state s = {0};
    assert_int_equal(taken(&before, &s, 100, 0), 100);
    assert_int_equal(rate_left(&lower, &s, 0), 0);
    assert_int_equal(rate_wait_ms(&lower, &s, 1, 0), 9 * MINUTE + 6000);
    assert_int_equal(rate_left(&higher, &s, 0), 900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(as_many_as_the_limit_come_at_once),
        T(then_one_after_the_other_at_its_pace),
        T(never_more_in_any_time_than_burst_and_pace),
        T(it_says_how_long_to_wait),
        T(what_was_estimated_too_low_is_owed),
        T(what_was_estimated_too_high_is_given_back),
        T(what_is_larger_than_the_limit_needs_all_of_it),
        T(a_clock_that_goes_back_gives_nothing_away),
        T(extremes_neither_wrap_nor_divide),
        T(without_a_period_it_is_so_many_at_a_time),
        T(a_limit_may_change_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
