// Two kinds of thread, two kinds of code.
//
// A LOOP moves bytes and never waits. A WORKER waits (SQL, mail, other people's HTTP) and never
// touches a socket of ours. Work is handed over whole, so whatever is in somebody's hands is in
// nobody else's: no locks.

#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum lane { LOOP, WORKER };

// Something that is due later on this loop, coarse to a quarter of a second. Embedded; zeroed is
// unset.
struct deadline {
    struct deadline *prev, *next;
    int64_t at_ms; // clock_steady_ms
    void (*on_due)(struct deadline *d);
};

enum { WHEEL_SLOTS = 512, WHEEL_TICK_MS = 256 };

// What runs when a round of callbacks is over, before the loop waits again: what one round brings
// for many connections is sent together, so that whoever receives it wakes up once. Embedded.
struct round_end {
    struct round_end *next;
    void (*run)(struct round_end *r);
};

// One thread that runs callbacks. Everything in it belongs to that thread, but for the inbox.
struct loop {
    uv_loop_t uv;
    int index;
    int64_t now_ms; // clock_steady_ms, as of the last callback round

    struct deadline wheel[WHEEL_SLOTS]; // ring heads
    int64_t wheel_at;                   // the slot last visited
    int waiting;                        // deadlines set
    uv_timer_t tick;
    uv_prepare_t before_wait;
    uv_check_t after_wait;
    struct round_end *round_ends;

    uv_async_t wake;
    uv_mutex_t inbox_lock;
    struct job *inbox, **inbox_tail;

    char *scratch; // SCRATCH bytes for whoever reads from a socket right now
    void *tenant;  // what main put there: the loop's server, client ...
};

enum { LOOP_SCRATCH = 64 * 1024 };

struct job {
    struct job *next;
    struct loop *loop;
    void (*on_worker)(struct job *job);
    void (*on_loop)(struct job *job); // runs on job->loop when on_worker is done; may free the job
};

struct loop *loop_new(int index);
void loop_run(struct loop *l);  // until loop_stop
void loop_stop(struct loop *l); // on the loop's own thread
void loop_free(struct loop *l);

// From any thread: runs job->on_loop on that loop.
void loop_post(struct loop *l, struct job *job);

void deadline_set(struct loop *l, struct deadline *d, int64_t in_ms); // again = move
void deadline_clear(struct loop *l, struct deadline *d);

void round_end_add(struct loop *l, struct round_end *r);
void round_end_remove(struct loop *l, struct round_end *r); // not from within a round's end

void workers_start(int threads);
void workers_stop(void); // finishes what is queued, then joins

// Queues job->on_worker; with job->loop set, job->on_loop follows there.
void worker_run(struct job *job);
int workers_waiting(void); // queued and not begun, for metrics and admission
