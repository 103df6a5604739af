// Clocks: in the right unit, and never backwards where that is promised.

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void wall_time(void **state)
{
    (void)state;
    int64_t before = time(NULL), now = clock_now(), ms = clock_now_ms();
    assert_true(now >= before && now <= before + 2);
    assert_true(ms / 1000 >= now && ms / 1000 <= now + 2);
}

static void steady_time(void **state)
{
    (void)state;
    int64_t began = clock_steady_ms(), last = began;
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_steady_ms();
        assert_true(now >= last);
        last = now;
    }
    usleep(30 * 1000);
    int64_t took = clock_steady_ms() - last;
    assert_true(took >= 29 && took < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wall_time), cmocka_unit_test(steady_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
