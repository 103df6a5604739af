// Connections, handed out first come first served.

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "common/db/dsn.h"

enum { LEASE_WAIT_MS = 3000, AGAIN_MS = 300 };

// Somebody who waits. Gets either a connection or the permission to open one.
struct waiter {
    struct waiter *next;
    pthread_cond_t served;
    struct db *db;
    bool may_open;
};

struct db_pool {
    pthread_mutex_t lock;
    pthread_cond_t all_back;
    const struct db_driver *driver;
    char *dsn;
    int size, taken; // taken: leased, being opened, or promised to a waiter
    struct db *idle; // most recently used first
    struct waiter *first, **last;

    // Of a server, by clock_steady_ms; 0: never, or not any more.
    _Atomic int64_t lost_ms; // a connection broke: those that were idle then may be dead, too
    int64_t failed_ms;       // it was not reached
    bool trying;             // somebody finds out whether it is back
};

static const struct db_driver *const drivers[] = {&sqlite_driver, &postgres_driver, &mysql_driver};

const struct db_driver *db_driver_of(const char *dsn)
{
    const char *scheme = dsn_scheme(dsn);
    for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
        if (text_eq(drivers[i]->scheme, scheme))
            return drivers[i];
    return NULL;
}

struct err *db_connect(const struct db_driver *d, struct arena *a, const char *dsn, struct db **out)
{
    struct db *db = mem_new(sizeof(*db));
    db->driver = d;
    db->opened_ms = clock_steady_ms();
    struct err *e = d->open(db, a, dsn);
    if (e) {
        free(db);
        db = NULL;
    }
    *out = db;
    return e;
}

void db_disconnect(struct db *db)
{
    if (!db)
        return;
    statements_done(db);
    db->driver->close(db);
    free(db);
}

static void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (pthread_cond_init(c, &attr))
        abort();
    pthread_condattr_destroy(&attr);
}

struct err *db_pool_open(struct arena *a, const char *dsn, int connections, struct db_pool **out)
{
    *out = NULL;
    const struct db_driver *d = db_driver_of(dsn);
    if (!d) // without the DSN itself: it may hold a password
        return err_new(a, &err_db_unavailable,
                       "the DSN must begin with sqlite:, postgres:// or mysql://");
    struct db *first;
    TRY(db_connect(d, a, dsn, &first));
    struct db_pool *p = mem_new(sizeof(*p));
    *p = (struct db_pool){.driver = d, .size = connections > 0 ? connections : 1, .idle = first};
    p->dsn = mem_strdup(dsn);
    p->last = &p->first;
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->all_back);
    first->pool = p;
    first->idle_since_ms = clock_steady_ms();
    *out = p;
    return NULL;
}

void db_pool_close(struct db_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    while (p->taken)
        pthread_cond_wait(&p->all_back, &p->lock);
    pthread_mutex_unlock(&p->lock);
    for (struct db *db = p->idle, *next; db; db = next) {
        next = db->next;
        db_disconnect(db);
    }
    pthread_cond_destroy(&p->all_back);
    pthread_mutex_destroy(&p->lock);
    free(p->dsn);
    free(p);
}

// --- giving back: the lock is held ------------------------------------------------

static struct waiter *next_waiter(struct db_pool *p)
{
    struct waiter *w = p->first;
    if (w) {
        p->first = w->next;
        if (!p->first)
            p->last = &p->first;
    }
    return w;
}

// One place is free again, with a connection or (db NULL) without.
static void pass_on(struct db_pool *p, struct db *db)
{
    struct waiter *w = next_waiter(p);
    if (w) {
        w->db = db;
        w->may_open = !db;
        pthread_cond_signal(&w->served);
        return;
    }
    p->taken--;
    if (db) {
        db->next = p->idle;
        p->idle = db;
    }
    if (!p->taken)
        pthread_cond_broadcast(&p->all_back);
}

static void give_back(struct db_pool *p, struct db *db)
{
    pthread_mutex_lock(&p->lock);
    pass_on(p, db);
    pthread_mutex_unlock(&p->lock);
}

void db_return(struct db *db)
{
    if (!db)
        return;
    struct db_pool *p = db->pool;
    struct tx left_open = {.db = db, .done = !db->in_tx};
    tx_end(&left_open);
    db->idle_since_ms = clock_steady_ms();
    if (db->broken) {
        atomic_store(&p->lost_ms, db->idle_since_ms);
        db_disconnect(db);
        db = NULL;
    }
    give_back(p, db);
}

// --- leasing ------------------------------------------------------------------------

static struct timespec deadline_in(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    return t;
}

static void leave_queue(struct db_pool *p, struct waiter *self)
{
    struct waiter **at = &p->first;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    if (p->last == &self->next)
        p->last = at;
}

// True if a place came free in time; *db is NULL if there is no connection on it.
static bool wait_in_line(struct db_pool *p, struct db **db)
{
    struct timespec until = deadline_in(LEASE_WAIT_MS);
    struct waiter self = {0};
    cond_init(&self.served);
    *p->last = &self;
    p->last = &self.next;
    int rc = 0;
    while (!self.db && !self.may_open && rc == 0)
        rc = pthread_cond_timedwait(&self.served, &p->lock, &until);
    bool served = self.db || self.may_open;
    if (!served)
        leave_queue(p, &self);
    pthread_cond_destroy(&self.served);
    *db = self.db;
    return served;
}

static bool take_place(struct db_pool *p, struct db **db)
{
    pthread_mutex_lock(&p->lock);
    bool taken = true;
    *db = NULL;
    if (p->taken < p->size) {
        p->taken++;
        *db = p->idle;
        if (*db)
            p->idle = (*db)->next;
    } else {
        taken = wait_in_line(p, db);
    }
    pthread_mutex_unlock(&p->lock);
    return taken;
}

// The server has said something to an idle connection: most likely that it is gone.
static bool stirred(struct db *db)
{
    if (!db->driver->socket)
        return false;
    struct pollfd p = {.fd = db->driver->socket(db), .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

static bool is_old(const struct db *db)
{
    const struct db_driver *d = db->driver;
    return d->replace_after_ms && clock_steady_ms() - db->opened_ms > d->replace_after_ms;
}

static bool is_doubtful(struct db_pool *p, struct db *db)
{
    const struct db_driver *d = db->driver;
    bool rested = d->check_after_ms && clock_steady_ms() - db->idle_since_ms > d->check_after_ms;
    bool lost = d->socket && db->idle_since_ms <= atomic_load(&p->lost_ms);
    return rested || lost || is_old(db) || stirred(db);
}

// A server that was not reached is tried by one at a time, and not at once again: whoever comes
// meanwhile is told so, instead of waiting for it in his turn.
static bool may_try(struct db_pool *p)
{
    pthread_mutex_lock(&p->lock);
    bool may = !p->failed_ms || (!p->trying && clock_steady_ms() - p->failed_ms >= AGAIN_MS);
    if (may && p->failed_ms)
        p->trying = true;
    pthread_mutex_unlock(&p->lock);
    return may;
}

static void has_tried(struct db_pool *p, bool reached)
{
    pthread_mutex_lock(&p->lock);
    p->failed_ms = reached || !p->driver->socket ? 0 : clock_steady_ms();
    p->trying = false;
    pthread_mutex_unlock(&p->lock);
}

// The connection if it lives, else a new one.
static struct err *renew(struct db_pool *p, struct arena *a, struct db **db)
{
    if (*db && !is_old(*db) && (*db)->driver->alive(*db))
        return NULL;
    db_disconnect(*db);
    TRY(db_connect(p->driver, a, p->dsn, db));
    (*db)->pool = p;
    return NULL;
}

struct err *db_lease(struct db_pool *p, struct arena *a, struct db **out)
{
    struct db *db;
    *out = NULL;
    if (!take_place(p, &db))
        return err_new(a, &err_db_busy, "no connection free for %d s", LEASE_WAIT_MS / 1000);
    if (!db || is_doubtful(p, db)) {
        if (!may_try(p)) {
            give_back(p, db);
            return err_new(a, &err_db_unavailable, "the database was not reached a moment ago");
        }
        struct err *e = renew(p, a, &db);
        has_tried(p, !e);
        if (e) {
            give_back(p, NULL);
            return e;
        }
    }
    db->next = NULL;
    *out = db;
    return NULL;
}

void db_pool_shrink(struct db_pool *p)
{
    pthread_mutex_lock(&p->lock);
    for (struct db *db = p->idle; db && p->driver->shrink; db = db->next)
        p->driver->shrink(db);
    pthread_mutex_unlock(&p->lock);
}

int db_pool_busy(const struct db_pool *p)
{
    struct db_pool *pool = (struct db_pool *)p;
    pthread_mutex_lock(&pool->lock);
    int taken = pool->taken;
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

int db_pool_size(const struct db_pool *p)
{
    return p->size;
}
