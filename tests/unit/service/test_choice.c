// Who serves a request: those of one session stay together, all others are spread by weight.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/choice.h"

enum { CHANNELS = 4, SESSIONS = 4000 };

static struct health healths[CHANNELS];
static struct snapshot_key keys[CHANNELS];
static struct snapshot_channel channels[CHANNELS];
static struct candidate items[CHANNELS];
static struct candidates all = {.items = items, .count = CHANNELS};

static int set_up(void **state)
{
    static const int weights[CHANNELS] = {1, 1, 2, 0};
    (void)state;
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(healths[i].key_id, sizeof(healths[i].key_id), "%016d", i);
        keys[i] = (struct snapshot_key){"k", &healths[i]};
        channels[i] = (struct snapshot_channel){.keys = &keys[i], .key_count = 1};
        channels[i].row.id = i + 1;
        items[i] = (struct candidate){&channels[i], 0, weights[i]};
    }
    return 0;
}

static int64_t chosen(const struct tried *tried, uint64_t session)
{
    struct choosing how = {tried, 0, 0, session};
    struct choice choice = {0};
    return choose_channel(&all, &how, &choice) ? choice.channel->row.id : 0;
}

static void a_session_stays(void **state)
{
    static const struct tried none;
    (void)state;
    for (uint64_t s = 1; s < 100; s++) {
        int64_t first = chosen(&none, s);
        for (int i = 0; i < 20; i++)
            assert_int_equal(chosen(&none, s), first);
    }
}

static void sessions_are_spread_by_weight(void **state)
{
    static const struct tried none;
    int count[CHANNELS + 1] = {0};
    (void)state;
    for (uint64_t s = 1; s <= SESSIONS; s++)
        count[chosen(&none, s * 2 + 1)]++;
    assert_in_range(count[1], 900, 1100);
    assert_in_range(count[2], 900, 1100);
    assert_in_range(count[3], 1850, 2150);
    assert_int_equal(count[4], 0);
}

// Only those of a channel that failed go elsewhere.
static void the_others_stay_when_one_fails(void **state)
{
    static const struct tried none;
    struct tried second = {0};
    (void)state;
    tried_channel(&second, 2);
    for (uint64_t s = 1; s <= SESSIONS; s++) {
        int64_t before = chosen(&none, s), after = chosen(&second, s);
        assert_int_not_equal(after, 2);
        if (before != 2)
            assert_int_equal(after, before);
    }
}

static void keys_of_a_channel_are_told_apart(void **state)
{
    static const struct tried none;
    bool seen[2] = {0};
    struct candidate one = {&channels[0], 0, 1};
    struct candidates only = {.items = &one, .count = 1};
    (void)state;
    channels[0].key_count = 2;
    for (uint64_t s = 1; s < 50; s++) {
        struct choosing how = {&none, 0, 0, s};
        struct choice first, again;
        assert_true(choose_channel(&only, &how, &first));
        assert_true(choose_channel(&only, &how, &again));
        assert_ptr_equal(first.key, again.key);
        seen[first.key - keys] = true;
    }
    assert_true(seen[0] && seen[1]);
}

// Three failures in a row and it rests; then one request tries it, and what that says holds.
static void a_failing_key_rests_and_is_tried(void **state)
{
    struct health h = {0};
    (void)state;
    for (int i = 0; i < 2; i++)
        health_bad(&h, 3, 60, 1000);
    assert_true(health_usable(&h, 1000));
    health_bad(&h, 3, 60, 1000);
    assert_false(health_usable(&h, 60999));
    assert_true(health_usable(&h, 61000));
    health_begin(&h);
    assert_false(health_usable(&h, 61000)); // by nobody else
    health_unsaid(&h);
    assert_true(health_usable(&h, 61000));
    health_begin(&h);
    health_bad(&h, 3, 60, 61000);
    assert_false(health_usable(&h, 120999));
    health_begin(&h);
    health_good(&h);
    assert_true(health_usable(&h, 61000));
    health_bad(&h, 3, 60, 61000);
    assert_true(health_usable(&h, 61000)); // counted anew
}

// Two loops at once: one sees it rest and says that it tries it just after the other was served.
static void a_late_trial_takes_no_key_away(void **state)
{
    struct health h = {0};
    (void)state;
    health_bad(&h, 1, 60, 0);
    health_begin(&h);
    health_good(&h);
    atomic_store(&h.probing, true); // what the second one does now
    health_good(&h);
    assert_true(health_usable(&h, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_session_stays, set_up),
        cmocka_unit_test_setup(sessions_are_spread_by_weight, set_up),
        cmocka_unit_test_setup(the_others_stay_when_one_fails, set_up),
        cmocka_unit_test_setup(keys_of_a_channel_are_told_apart, set_up),
        cmocka_unit_test(a_failing_key_rests_and_is_tried),
        cmocka_unit_test(a_late_trial_takes_no_key_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
