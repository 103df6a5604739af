// Loops, their deadlines, and the pool of workers.

#include "common/lane.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/clock.h"

// --- the inbox: work handed to a loop -----------------------------------------

static void on_wake(uv_async_t *wake)
{
    struct loop *l = wake->data;
    uv_mutex_lock(&l->inbox_lock);
    struct job *job = l->inbox;
    l->inbox = NULL;
    l->inbox_tail = &l->inbox;
    uv_mutex_unlock(&l->inbox_lock);
    while (job) {
        struct job *next = job->next;
        job->next = NULL;
        job->on_loop(job);
        job = next;
    }
}

void loop_post(struct loop *l, struct job *job)
{
    job->next = NULL;
    uv_mutex_lock(&l->inbox_lock);
    *l->inbox_tail = job;
    l->inbox_tail = &job->next;
    uv_async_send(&l->wake); // inside the lock: the loop may be freed as soon as it is empty
    uv_mutex_unlock(&l->inbox_lock);
}

// --- deadlines: a wheel of rings --------------------------------------------

static void ring_remove(struct deadline *d)
{
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->prev = d->next = NULL;
}

static void ring_add(struct deadline *head, struct deadline *d)
{
    d->prev = head->prev;
    d->next = head;
    head->prev->next = d;
    head->prev = d;
}

static struct deadline *slot_of(struct loop *l, int64_t tick)
{
    return &l->wheel[(uint64_t)tick % WHEEL_SLOTS];
}

// What is due goes to its callback; what lies a whole turn ahead stays.
static void visit(struct loop *l, struct deadline *head)
{
    struct deadline due = {&due, &due, 0, NULL};
    for (struct deadline *d = head->next, *next; d != head; d = next) {
        next = d->next;
        if (d->at_ms <= l->now_ms) {
            ring_remove(d);
            ring_add(&due, d);
        }
    }
    while (due.next != &due) { // a callback may clear any other one, these too
        struct deadline *d = due.next;
        ring_remove(d);
        l->waiting--;
        d->on_due(d);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    l->now_ms = clock_steady_ms();
    int64_t now = l->now_ms / WHEEL_TICK_MS;
    if (now - l->wheel_at > WHEEL_SLOTS)
        l->wheel_at = now - WHEEL_SLOTS;
    while (l->wheel_at < now)
        visit(l, slot_of(l, ++l->wheel_at));
    if (!l->waiting)
        uv_timer_stop(timer);
}

void deadline_set(struct loop *l, struct deadline *d, int64_t in_ms)
{
    deadline_clear(l, d);
    l->now_ms = (int64_t)uv_now(&l->uv); // after a long wait, callbacks run before on_after_wait
    d->at_ms = l->now_ms + in_ms;
    if (!l->waiting) {
        l->wheel_at = l->now_ms / WHEEL_TICK_MS;
        uv_timer_start(&l->tick, on_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
    }
    l->waiting++;
    int64_t tick = d->at_ms / WHEEL_TICK_MS + 1;
    if (tick <= l->wheel_at) // a slot already visited would come round only a whole turn later
        tick = l->wheel_at + 1;
    ring_add(slot_of(l, tick), d);
}

void deadline_clear(struct loop *l, struct deadline *d)
{
    if (!d->next)
        return;
    ring_remove(d);
    l->waiting--;
}

// --- the loop -----------------------------------------------------------------

void round_end_add(struct loop *l, struct round_end *r)
{
    r->next = l->round_ends;
    l->round_ends = r;
}

void round_end_remove(struct loop *l, struct round_end *r)
{
    struct round_end **at = &l->round_ends;
    while (*at && *at != r)
        at = &(*at)->next;
    if (*at)
        *at = r->next;
}

static void end_round(struct loop *l)
{
    l->now_ms = clock_steady_ms();
    for (struct round_end *r = l->round_ends; r; r = r->next)
        r->run(r);
}

// After what the sockets brought, and before callbacks that close handles.
static void on_after_wait(uv_check_t *check)
{
    end_round(check->data);
}

// After timers and idle work.
static void on_before_wait(uv_prepare_t *prepare)
{
    end_round(prepare->data);
}

struct loop *loop_new(int index)
{
    struct loop *l = mem_new(sizeof(*l));
    l->index = index;
    l->now_ms = clock_steady_ms();
    l->scratch = mem_new(LOOP_SCRATCH);
    l->inbox_tail = &l->inbox;
    for (int i = 0; i < WHEEL_SLOTS; i++)
        l->wheel[i].prev = l->wheel[i].next = &l->wheel[i];
    if (uv_loop_init(&l->uv) || uv_mutex_init(&l->inbox_lock))
        abort();
    uv_async_init(&l->uv, &l->wake, on_wake);
    uv_timer_init(&l->uv, &l->tick);
    uv_check_init(&l->uv, &l->after_wait);
    uv_check_start(&l->after_wait, on_after_wait);
    uv_prepare_init(&l->uv, &l->before_wait);
    uv_prepare_start(&l->before_wait, on_before_wait);
    l->wake.data = l->tick.data = l->after_wait.data = l->before_wait.data = l;
    return l;
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

static void close_own(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

// Closes the loop's own handles; uv_run returns when everybody else has closed theirs.
void loop_stop(struct loop *l)
{
    close_own((uv_handle_t *)&l->wake);
    close_own((uv_handle_t *)&l->tick);
    close_own((uv_handle_t *)&l->after_wait);
    close_own((uv_handle_t *)&l->before_wait);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (uv_loop_close(&l->uv))
        abort(); // a handle was forgotten
    uv_mutex_destroy(&l->inbox_lock);
    free(l->scratch);
    free(l);
}

// --- workers ------------------------------------------------------------------

static struct {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct job *first, **tail;
    pthread_t *threads;
    int count;
    bool stopping;
    _Atomic int waiting;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER, .tail = &pool.first};

static struct job *take(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.first && !pool.stopping)
        pthread_cond_wait(&pool.some, &pool.lock);
    struct job *job = pool.first;
    if (job) {
        pool.first = job->next;
        if (!pool.first)
            pool.tail = &pool.first;
        atomic_fetch_sub(&pool.waiting, 1);
    }
    pthread_mutex_unlock(&pool.lock);
    return job;
}

static void *work(void *unused)
{
    (void)unused;
    for (struct job *job; (job = take());) {
        struct loop *home = job->loop;
        job->on_worker(job); // without a loop, the job may be gone now
        if (home)
            loop_post(home, job);
    }
    return NULL;
}

void workers_start(int threads)
{
    pool.stopping = false;
    pool.threads = mem_new(sizeof(pthread_t) * (size_t)threads);
    for (pool.count = 0; pool.count < threads; pool.count++)
        if (pthread_create(&pool.threads[pool.count], NULL, work, NULL))
            abort();
}

void workers_stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stopping = true;
    pthread_cond_broadcast(&pool.some);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < pool.count; i++)
        pthread_join(pool.threads[i], NULL);
    free(pool.threads);
    pool.threads = NULL;
    pool.count = 0;
}

void worker_run(struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool.lock);
    *pool.tail = job;
    pool.tail = &job->next;
    atomic_fetch_add(&pool.waiting, 1);
    pthread_cond_signal(&pool.some);
    pthread_mutex_unlock(&pool.lock);
}

int workers_waiting(void)
{
    return atomic_load(&pool.waiting);
}
