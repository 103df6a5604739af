// One thread that may wait: it takes what was heard, reads the table, and tries again what failed.

#include "service/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/rand.h"
#include "common/redis/redis.h"
#include "model/change.h"
#include "service/change.h"
#include "service/metrics.h"
#include "service/node.h"

enum {
    POLL_MS = 2000,
    AGAIN_MS = 500,
    HEARD_MOST = 1024, // waiting; beyond that everything is read again
    ROWS_MOST = 500,   // of one look, likewise
    SEEN = 1024,       // rows that were taken over already
    KEEP_SECONDS = 86400,
    AWAY_MS = 3600000, // who has not looked for so long may have missed rows
    PURGE_MS = 600000,
    REFRESH_MS = 60000, // while there are other nodes: one may have died between commit and row
    PROCESS_SIZE = 16,
};

struct heard {
    enum change_kind kind;
    int64_t id, row;
};

static struct {
    struct db_pool *pool;
    char process[PROCESS_SIZE + 1];
    pthread_t thread;

    // Rows up to `read` were taken over when the last look but one began: an id below the newest
    // may become visible a moment after it.
    int64_t read, newest;
    int64_t looked_ms, purged_ms, tried_ms, refreshed_ms; // clock_steady_ms
    bool pending[CHANGE_KINDS];                           // to be read again, all of the kind
    int64_t seen[SEEN];
    int seen_at;
    bool complained;

    uv_mutex_t lock; // of everything below
    uv_cond_t some;
    bool stopping;
    bool look, everything;
    bool again[CHANGE_KINDS];     // failed on another thread
    bool unwritten[CHANGE_KINDS]; // no row could be written
    bool untold;                  // a message was lost
    struct heard heard[HEARD_MOST];
    int heard_count;
} watch;

// --- telling -----------------------------------------------------------------------------

static void set(bool *flag)
{
    uv_mutex_lock(&watch.lock);
    *flag = true;
    uv_cond_signal(&watch.some);
    uv_mutex_unlock(&watch.lock);
}

static struct err *write_row(struct arena *a, enum change_kind kind, int64_t id, int64_t *row_id)
{
    struct change row = {.process = watch.process,
                         .kind = change_name(kind),
                         .owner_id = id,
                         .created_at = clock_now()};
    DB(db);
    TRY(db_lease(watch.pool, a, &db));
    TRY(db_insert(db, a, &change_table, &row));
    *row_id = row.id;
    return NULL;
}

static void on_told(struct redis_call *call, const struct redisReply *reply)
{
    if (!reply || redis_error(reply))
        set(&watch.untold);
    free(call);
}

static void send_message(struct arena *a, const char *message)
{
    struct redis_call *call = mem_new(sizeof(*call));
    struct str name = str_of(arena_printf(a, "%schanges", redis_prefix()));
    call->on_reply = on_told;
    if (redis_run(call, 3, (struct str[]){STR("PUBLISH"), name, str_of(message)}))
        return;
    free(call);
    set(&watch.untold);
}

static void tell(enum change_kind kind, int64_t id)
{
    ARENA(a);
    int64_t row = 0;
    struct err *e = write_row(a, kind, id, &row);
    if (e) {
        log_warn("changes: others hear later: %s: %s", e->kind->code, e->detail);
        set(&watch.unwritten[kind]);
    }
    send_message(a, arena_printf(a, "%s %lld %s %lld", change_name(kind), (long long)id,
                                 watch.process, (long long)row));
}

static void again(enum change_kind kind)
{
    set(&watch.again[kind]);
}

// --- hearing: on the Redis thread ----------------------------------------------------------

static bool read_message(struct str message, struct heard *out, struct str *process)
{
    struct str kind, id, row;
    return str_next(&message, ' ', &kind) && change_named(kind, &out->kind) &&
           str_next(&message, ' ', &id) && str_to_int(id, &out->id) && out->id >= 0 &&
           str_next(&message, ' ', process) && process->n == PROCESS_SIZE &&
           str_next(&message, ' ', &row) && str_to_int(row, &out->row) && !message.n;
}

static void push(struct heard heard)
{
    uv_mutex_lock(&watch.lock);
    if (watch.heard_count < HEARD_MOST)
        watch.heard[watch.heard_count++] = heard;
    else
        watch.everything = true;
    uv_cond_signal(&watch.some);
    uv_mutex_unlock(&watch.lock);
}

static void on_message(struct str message)
{
    struct heard heard;
    struct str process;
    if (str_is(message, "look"))
        set(&watch.look);
    else if (!read_message(message, &heard, &process))
        metric_add(metric_cell(METRIC_CHANGES_MALFORMED, NULL), 1);
    else if (!str_is(process, watch.process))
        push(heard);
}

static void on_subscribed(void)
{
    set(&watch.everything);
}

// --- taking over: on our own thread ---------------------------------------------------------

static bool was_seen(int64_t row)
{
    for (int i = 0; row && i < SEEN; i++)
        if (watch.seen[i] == row)
            return true;
    watch.seen[watch.seen_at++ % SEEN] = row;
    return false;
}

static void take_over(struct heard h)
{
    ARENA(a);
    if (was_seen(h.row))
        return;
    if (change_apply(a, h.kind, h.id))
        watch.pending[h.kind] = true;
}

static void take_over_all(void)
{
    for (int i = 0; i < CHANGE_KINDS; i++)
        watch.pending[i] = true;
}

static void take_over_rows(const struct rows *rows)
{
    const struct change *items = rows->items;
    for (size_t i = 0; i < rows->count; i++) {
        struct heard h = {.id = items[i].owner_id, .row = items[i].id};
        if (change_named(str_of(items[i].kind), &h.kind)) // a newer program may know more kinds
            take_over(h);
    }
}

static struct err *purge(struct db *db, struct arena *a)
{
    int64_t now = clock_steady_ms();
    if (now - watch.purged_ms < PURGE_MS)
        return NULL;
    watch.purged_ms = now;
    return db_exec(db, a, NULL, "DELETE FROM changes WHERE created_at < ?",
                   P(clock_now() - KEEP_SECONDS));
}

static struct err *look(struct arena *a)
{
    struct rows rows = {0};
    int64_t newest = 0, now = clock_steady_ms();
    bool others = false;
    DB(db);
    TRY(db_lease(watch.pool, a, &db));
    TRY(node_beat(db, a, &others));
    TRY(change_newest(db, a, &newest));
    if (newest > watch.read)
        TRY(change_list(db, a, watch.read, watch.process, ROWS_MOST, &rows));
    TRY(purge(db, a));
    db_return(db);
    db = NULL;
    bool refresh = others && now - watch.refreshed_ms > REFRESH_MS;
    if (refresh || rows.count == ROWS_MOST || now - watch.looked_ms > AWAY_MS)
        take_over_all();
    else
        take_over_rows(&rows);
    if (refresh || !others)
        watch.refreshed_ms = now;
    watch.read = watch.newest;
    watch.newest = newest;
    watch.looked_ms = now;
    return NULL;
}

// What could not be taken over when it was heard of.
static struct err *take_over_pending(struct arena *a)
{
    for (int i = 0; i < CHANGE_KINDS; i++) {
        if (!watch.pending[i])
            continue;
        TRY(change_apply(a, (enum change_kind)i, 0));
        watch.pending[i] = false;
    }
    return NULL;
}

static bool take_flag(bool *flag)
{
    uv_mutex_lock(&watch.lock);
    bool was = *flag;
    *flag = false;
    uv_mutex_unlock(&watch.lock);
    return was;
}

// What others could not be told when it happened.
static struct err *tell_late(struct arena *a)
{
    for (int i = 0; i < CHANGE_KINDS; i++) {
        int64_t row;
        struct err *e = NULL;
        if (take_flag(&watch.unwritten[i]))
            e = write_row(a, (enum change_kind)i, 0, &row);
        if (e)
            set(&watch.unwritten[i]);
        TRY(e);
    }
    struct redis_state redis;
    redis_state(&redis);
    if (redis.up && take_flag(&watch.untold))
        send_message(a, "look");
    return NULL;
}

static void complain(const struct err *e)
{
    if (e && !watch.complained)
        log_warn("changes: others' are not seen: %s: %s", e->kind->code, e->detail);
    if (!e && watch.complained)
        log_info("changes: caught up");
    watch.complained = e != NULL;
}

static void work(bool all)
{
    ARENA(a);
    struct err *e = tell_late(a);
    if (!e)
        e = look(a);
    if (all)
        take_over_all();
    if (!e)
        e = take_over_pending(a);
    complain(e);
    watch.tried_ms = clock_steady_ms();
}

// With the lock held: waits until something is to be done; answers whether the table is to be read.
static bool wait_for_work(void)
{
    int64_t due = watch.tried_ms + (watch.complained ? AGAIN_MS : POLL_MS);
    int64_t now = clock_steady_ms();
    bool failed = false;
    while (!watch.stopping && !watch.heard_count && !watch.look && !watch.everything && now < due) {
        uv_cond_timedwait(&watch.some, &watch.lock, (uint64_t)(due - now) * 1000000);
        now = clock_steady_ms();
    }
    for (int i = 0; i < CHANGE_KINDS; i++) {
        failed = failed || watch.again[i];
        watch.pending[i] = watch.pending[i] || watch.again[i];
        watch.again[i] = false;
    }
    return failed || watch.look || watch.everything || now >= due;
}

static void *run(void *unused)
{
    static struct heard heard[HEARD_MOST];
    (void)unused;
    uv_mutex_lock(&watch.lock);
    while (!watch.stopping) {
        bool looks = wait_for_work(), all = watch.everything;
        int count = watch.heard_count;
        memcpy(heard, watch.heard, sizeof(*heard) * (size_t)count);
        watch.heard_count = 0;
        watch.look = watch.everything = false;
        uv_mutex_unlock(&watch.lock);
        for (int i = 0; i < count; i++)
            take_over(heard[i]);
        if (looks)
            work(all);
        uv_mutex_lock(&watch.lock);
    }
    uv_mutex_unlock(&watch.lock);
    return NULL;
}

// --- start and stop ------------------------------------------------------------------------

struct err *watch_setup(struct db_pool *pool, struct arena *a)
{
    static struct redis_channel channel = {
        .name = "changes", .on_message = on_message, .on_subscribed = on_subscribed};
    watch.pool = pool;
    rand_text(watch.process, PROCESS_SIZE);
    DB(db);
    TRY(db_lease(pool, a, &db));
    TRY(change_newest(db, a, &watch.newest));
    watch.read = watch.newest;
    if (uv_mutex_init(&watch.lock) || uv_cond_init(&watch.some))
        abort();
    redis_subscribe(&channel);
    return NULL;
}

void watch_start(void)
{
    watch.looked_ms = watch.tried_ms = clock_steady_ms();
    change_tell_with(tell, again);
    if (pthread_create(&watch.thread, NULL, run, NULL))
        abort();
}

void watch_stop(void)
{
    set(&watch.stopping);
    pthread_join(watch.thread, NULL);
}
