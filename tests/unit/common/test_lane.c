// Loops, deadlines and workers; under TSan, too.

#include "common/lane.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"

enum { JOBS = 500 };

struct sum {
    struct job job;
    struct loop *home;
    int *left;
    pthread_t worked_on;
    int value;
};

static void on_add(struct job *job)
{
    struct sum *s = (struct sum *)job;
    s->value *= 2;
    s->worked_on = pthread_self();
}

static void on_added(struct job *job)
{
    struct sum *s = (struct sum *)job;
    assert_false(pthread_equal(s->worked_on, pthread_self()));
    if (--*s->left == 0)
        loop_stop(s->home);
}

static void there_and_back(void **state)
{
    (void)state;
    struct loop *l = loop_new(3);
    struct sum *sums = mem_new(sizeof(*sums) * JOBS);
    int left = JOBS;
    assert_int_equal(l->index, 3);
    workers_start(3);
    for (int i = 0; i < JOBS; i++) {
        sums[i] = (struct sum){
            {.loop = l, .on_worker = on_add, .on_loop = on_added}, l, &left, pthread_self(), i};
        worker_run(&sums[i].job);
    }
    loop_run(l);
    workers_stop();
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(sums[i].value, 2 * i);
    assert_int_equal(left, 0);
    assert_int_equal(workers_waiting(), 0);
    loop_free(l);
    loop_free(NULL);
    free(sums);
}

static atomic_int done;
static void on_slow(struct job *job)
{
    usleep(2000);
    atomic_fetch_add(&done, 1);
    free(job); // nobody waits for it on a loop
}

static void stopping_finishes_the_queue(void **state)
{
    (void)state;
    workers_start(1);
    for (int i = 0; i < 20; i++) {
        struct job *job = mem_new(sizeof(*job));
        job->on_worker = on_slow;
        worker_run(job);
    }
    assert_true(workers_waiting() > 0);
    workers_stop();
    assert_int_equal(atomic_load(&done), 20);
}

struct post {
    struct job job;
    struct loop *to;
    int number;
};
static int last_seen = -1;

static void on_post(struct job *job)
{
    struct post *p = (struct post *)job;
    assert_int_equal(p->number, last_seen + 1); // in the order they were sent
    last_seen = p->number;
    if (p->number == JOBS - 1)
        loop_stop(p->to);
}

static void *send_all(void *arg)
{
    struct post *posts = arg;
    for (int i = 0; i < JOBS; i++)
        loop_post(posts[i].to, &posts[i].job);
    return NULL;
}

static void posts_keep_their_order(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    struct post *posts = mem_new(sizeof(*posts) * JOBS);
    pthread_t thread;
    for (int i = 0; i < JOBS; i++)
        posts[i] = (struct post){{.on_loop = on_post}, l, i};
    assert_int_equal(pthread_create(&thread, NULL, send_all, posts), 0);
    loop_run(l);
    pthread_join(thread, NULL);
    assert_int_equal(last_seen, JOBS - 1);
    loop_free(l);
    free(posts);
}

// --- deadlines ------------------------------------------------------------------

struct alarm {
    struct deadline deadline; // first, so that a deadline is an alarm
    struct loop *loop;
    int64_t set_ms, rang_ms, again_in;
    struct alarm *clears;
    int rings;
    bool last;
};

static void on_due(struct deadline *d)
{
    struct alarm *alarm = (struct alarm *)d;
    alarm->rings++;
    alarm->rang_ms = clock_steady_ms();
    if (alarm->clears)
        deadline_clear(alarm->loop, &alarm->clears->deadline);
    if (alarm->rings == 1 && alarm->again_in)
        deadline_set(alarm->loop, d, alarm->again_in);
    else if (alarm->last)
        loop_stop(alarm->loop);
}

static void set_alarm(struct loop *l, struct alarm *alarm, int64_t in_ms)
{
    alarm->loop = l;
    alarm->deadline.on_due = on_due;
    alarm->set_ms = clock_steady_ms();
    deadline_set(l, &alarm->deadline, in_ms);
}

static void assert_rang(const struct alarm *alarm, int64_t in_ms)
{
    int64_t took = alarm->rang_ms - alarm->set_ms;
    assert_int_equal(alarm->rings, 1);
    assert_true(took >= in_ms - 10 && took < in_ms + 2 * WHEEL_TICK_MS + 1000);
}

static void deadlines(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    struct alarm soon = {0}, now = {0}, past = {0}, moved = {0}, cleared = {0}, twin = {0},
                 far = {0}, end = {.last = true}, killer = {.clears = &twin};
    set_alarm(l, &soon, 300);
    set_alarm(l, &now, 0);
    set_alarm(l, &past, -100000); // at once, not a turn of the wheel later
    set_alarm(l, &moved, 100000);
    set_alarm(l, &moved, 500);
    set_alarm(l, &cleared, 100);
    set_alarm(l, &killer, 600);
    set_alarm(l, &twin, 600); // due in the same round as the one that clears it
    set_alarm(l, &far, (int64_t)WHEEL_SLOTS * WHEEL_TICK_MS + 300); // the same slot, next turn
    set_alarm(l, &end, 900);
    deadline_clear(l, &cleared.deadline);
    deadline_clear(l, &cleared.deadline);
    loop_run(l);
    assert_rang(&soon, 300);
    assert_rang(&now, 0);
    assert_rang(&past, 0);
    assert_rang(&moved, 500);
    assert_rang(&killer, 600);
    assert_rang(&end, 900);
    assert_int_equal(cleared.rings + twin.rings + far.rings, 0);
    assert_int_equal(l->waiting, 1);
    deadline_clear(l, &far.deadline);
    assert_int_equal(l->waiting, 0);
    loop_free(l);
}

// Set again from its own callback, with the wheel otherwise empty.
static void again_from_the_callback(void **state)
{
    (void)state;
    for (int64_t in = 1; in <= 300; in += 299) {
        struct loop *l = loop_new(0);
        struct alarm again = {.again_in = in, .last = true};
        int64_t began = clock_steady_ms();
        set_alarm(l, &again, 50);
        loop_run(l);
        assert_int_equal(again.rings, 2);
        assert_true(clock_steady_ms() - began < 4000);
        assert_int_equal(l->waiting, 0);
        loop_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),          cmocka_unit_test(stopping_finishes_the_queue),
        cmocka_unit_test(posts_keep_their_order),  cmocka_unit_test(deadlines),
        cmocka_unit_test(again_from_the_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
