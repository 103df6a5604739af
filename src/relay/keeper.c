// A row a chore; each runs alone, on this thread, and blocks nobody.

#include "relay/keeper.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/lane.h"
#include "common/log.h"
#include "model/log.h"
#include "model/usage.h"
#include "relay/probe.h"
#include "service/health.h"
#include "service/log_move.h"
#include "service/snapshot.h"

enum {
    LOOK_MS = 200,
    DELETE_STEP = 1000,
    STEP_REST_MS = 20,
    MOVE_MS = 1000,
    DAY_SECONDS = 86400,
    KEPT_SESSIONS_DAYS = 7
};

static struct {
    struct db_pool *pool, *log_pool;
    pthread_t thread;
    _Atomic bool stopping;
} keeper;

// --- channels that went out of service ----------------------------------------------

static struct err *list_off(struct arena *a, struct rows *rows)
{
    DB(db);
    TRY(db_lease(keeper.pool, a, &db));
    return db_list(db, a, &channel_table, rows, "status = ? OR key_states <> '' ORDER BY id",
                   P((int)STATUS_AUTO_OFF));
}

static struct err *enable(struct arena *a, int64_t id)
{
    DB(db);
    TRY(db_lease(keeper.pool, a, &db));
    return health_enable(db, a, id);
}

static struct err *recover_channels(struct arena *a, const struct settings *s)
{
    struct rows rows;
    if (!s->relay.enable_enabled)
        return NULL;
    TRY(list_off(a, &rows));
    const struct channel *items = rows.items;
    for (size_t i = 0; i < rows.count && !atomic_load(&keeper.stopping); i++) {
        struct probe probe = {0};
        if (items[i].status == STATUS_OFF)
            continue; // by hand: stays so
        struct err *e = probe_channel(a, &items[i], "", false, &probe);
        if (!e && probe.fine)
            TRY(enable(a, items[i].id));
    }
    return NULL;
}

// --- old rows -------------------------------------------------------------------------

static int64_t days_ago(int days)
{
    return clock_now() - (int64_t)days * DAY_SECONDS;
}

typedef struct err *delete_step(struct db *db, struct arena *a, int64_t before, int64_t *changed);

// In small steps with a rest between them, so that nobody waits long for the lock.
static struct err *delete_until_done(struct arena *a, struct db_pool *pool, delete_step *step,
                                     int64_t before)
{
    for (int64_t changed = 1; changed && !atomic_load(&keeper.stopping); uv_sleep(STEP_REST_MS)) {
        ARENA(scratch);
        DB(db);
        TRY(db_lease(pool, a, &db));
        struct err *e = step(db, scratch, before, &changed);
        if (e)
            return err_new(a, e->kind, "%s", e->detail);
    }
    return NULL;
}

static struct err *delete_logs(struct arena *a, const struct settings *s)
{
    int days = s->site.log_retention_days;
    return days ? delete_until_done(a, keeper.log_pool, log_delete_step, days_ago(days)) : NULL;
}

static struct err *delete_usage(struct arena *a, const struct settings *s)
{
    int days = s->site.usage_retention_days;
    return days ? delete_until_done(a, keeper.log_pool, usage_delete_step, days_ago(days)) : NULL;
}

#define DELETE_EXPIRED(table)                                                                      \
    "DELETE FROM " table " WHERE id IN (SELECT id FROM (SELECT id FROM " table                     \
    " WHERE expires_at < ? LIMIT ?) old)"

static struct err *session_step(struct db *db, struct arena *a, int64_t before, int64_t *changed)
{
    return db_exec(db, a, changed, DELETE_EXPIRED("sessions"), P(before), P((int)DELETE_STEP));
}

static struct err *delete_sessions(struct arena *a, const struct settings *s)
{
    (void)s;
    return delete_until_done(a, keeper.pool, session_step, days_ago(KEPT_SESSIONS_DAYS));
}

// --- log rows that stand in the main database ------------------------------------------

static struct err *move_logs(struct arena *a, const struct settings *s)
{
    (void)s;
    if (keeper.log_pool == keeper.pool)
        return NULL;
    for (int64_t moved = 1; moved && !atomic_load(&keeper.stopping);) {
        ARENA(scratch);
        struct err *e = log_move(keeper.pool, keeper.log_pool, scratch, &moved);
        if (e)
            return err_new(a, e->kind, "%s", e->detail);
    }
    return NULL;
}

static struct err *kept_step(struct db *db, struct arena *a, int64_t before, int64_t *changed)
{
    return db_exec(db, a, changed, DELETE_EXPIRED("kept"), P(before), P((int)DELETE_STEP));
}

static struct err *delete_kept(struct arena *a, const struct settings *s)
{
    (void)s;
    return delete_until_done(a, keeper.pool, kept_step, clock_now());
}

// --- memory ---------------------------------------------------------------------------

enum { REST_MS = 5000, QUIET_MS = 100, WORTH_MS = 50 };

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// What a crowd has left behind goes back to the system once it is quiet: malloc by itself only
// gives back what lies at the very end of a heap.
static struct err *give_memory_back(struct arena *a, const struct settings *s)
{
    static int64_t looked_at, gave_at; // in CPU time
    (void)a, (void)s;
    int64_t now = cpu_ms();
    bool quiet = now - looked_at < QUIET_MS;
    looked_at = now;
    if (quiet && now - gave_at > WORTH_MS) {
        gave_at = now;
        db_pool_shrink(keeper.pool);
        if (keeper.log_pool != keeper.pool)
            db_pool_shrink(keeper.log_pool);
        malloc_trim(0);
    }
    return NULL;
}

// --- when -----------------------------------------------------------------------------

static int64_t probe_ms(const struct settings *s)
{
    return (int64_t)s->relay.probe_seconds * 1000;
}

static int64_t hour_ms(const struct settings *s)
{
    (void)s;
    return 3600000;
}

static int64_t move_ms(const struct settings *s)
{
    (void)s;
    return MOVE_MS;
}

static int64_t rest_ms(const struct settings *s)
{
    (void)s;
    return REST_MS;
}

static struct {
    const char *name;
    struct err *(*run)(struct arena *a, const struct settings *s);
    int64_t (*every_ms)(const struct settings *s);
    int64_t ran_ms; // clock_steady_ms
} chores[] = {
    {"recover channels", recover_channels, probe_ms, 0},
    {"delete logs", delete_logs, hour_ms, 0},
    {"delete usage", delete_usage, hour_ms, 0},
    {"move logs", move_logs, move_ms, 0},
    {"delete sessions", delete_sessions, hour_ms, 0},
    {"delete kept replies", delete_kept, hour_ms, 0},
    {"give memory back", give_memory_back, rest_ms, 0},
};

static void run_due(void)
{
    const struct snapshot *s = snapshot_hold();
    for (size_t i = 0; i < sizeof(chores) / sizeof(*chores); i++) {
        int64_t now = clock_steady_ms();
        if (now - chores[i].ran_ms < chores[i].every_ms(&s->settings))
            continue;
        chores[i].ran_ms = now;
        ARENA(a);
        struct err *e = chores[i].run(a, &s->settings);
        if (e)
            log_warn("%s: %s: %s", chores[i].name, e->kind->code, e->detail);
    }
    snapshot_release(s);
}

static void *keep(void *unused)
{
    (void)unused;
    while (!atomic_load(&keeper.stopping)) {
        run_due();
        uv_sleep(LOOK_MS);
    }
    return NULL;
}

void keeper_start(struct db_pool *pool, struct db_pool *log_pool)
{
    keeper.pool = pool;
    keeper.log_pool = log_pool;
    atomic_store(&keeper.stopping, false);
    for (size_t i = 0; i < sizeof(chores) / sizeof(*chores); i++)
        chores[i].ran_ms = clock_steady_ms();
    if (pthread_create(&keeper.thread, NULL, keep, NULL))
        abort();
}

void keeper_stop(void)
{
    atomic_store(&keeper.stopping, true);
    pthread_join(keeper.thread, NULL);
}
