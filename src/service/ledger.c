// Accounts in memory, leases in SQL, and the thread that keeps the books.

#include "service/ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "model/lease.h"
#include "model/log.h"
#include "service/booking.h"
#include "service/journal.h"
#include "service/metrics.h"
#include "service/move.h"
#include "service/node.h"
#include "service/peers.h"
#include "service/positions.h"

enum {
    SHARD_BITS = 10,
    SHARDS = 1 << SHARD_BITS,
    SWEEP_MS = 5000,
    SWEEP_PART_MS = 200, // then the books come first
    IDLE_WAIT_MS = 200,
    GATHER_MS = 60, // so that a trickle of records is booked in batches
    RETRY_MS = 500,
    SHORT_MS = 2000, // a slice that is spent sooner was too small
    LONG_MS = 20000, // one that lasts longer was too large
    SLICE_CHUNKS = 1024,
    ASK_ROUNDS = 2,
};
enum topping {
    TOPPING_NOT,
    TOPPING_NOW,
    TOPPING_RESTS
}; // rests: asked in vain, not before a sweep

static struct {
    struct ledger_options o;
    struct journal *journal;
    pthread_t thread;
    int sweep_at; // the thread's own: the shard that is swept next
    _Atomic bool stopping;
    _Atomic int64_t settled; // since start
    _Atomic int64_t even_ms; // when all of them were last booked
    _Atomic int top_ups;     // under way
    struct shard {
        pthread_mutex_t lock;
        struct account *first;
    } shards[SHARDS];
} ledger = {.shards = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}}};

// --- accounts -------------------------------------------------------------------

static struct shard *shard_of(enum account_kind kind, int64_t id)
{
    uint64_t at = (uint64_t)id * 2 + (uint64_t)kind;
    return &ledger.shards[(at * 0x9e3779b97f4a7c15u) >> (64 - SHARD_BITS)];
}

static struct account *account_new(enum account_kind kind, int64_t id)
{
    struct account *account = mem_new(sizeof(*account));
    account->kind = kind;
    account->id = id;
    pthread_mutex_init(&account->lock, NULL);
    return account;
}

struct account *account_hold(enum account_kind kind, int64_t id)
{
    struct shard *s = shard_of(kind, id);
    pthread_mutex_lock(&s->lock);
    struct account *account = s->first;
    while (account && (account->kind != kind || account->id != id))
        account = account->next;
    if (!account) {
        account = account_new(kind, id);
        account->next = s->first;
        s->first = account;
    }
    account->refs++;
    pthread_mutex_unlock(&s->lock);
    return account;
}

void account_release(struct account *account)
{
    if (!account)
        return;
    struct shard *s = shard_of(account->kind, account->id);
    pthread_mutex_lock(&s->lock);
    account->refs--; // the sweep frees what nobody holds and nothing is in
    pthread_mutex_unlock(&s->lock);
}

static bool take(struct account *account, int64_t quota)
{
    int64_t have = atomic_load(&account->available);
    while (have >= quota)
        if (atomic_compare_exchange_weak(&account->available, &have, have - quota))
            return true;
    return false;
}

static void top_up_if_low(struct account *account);

bool account_reserve(struct account *account, int64_t quota)
{
    atomic_store_explicit(&account->last_used_ms, clock_steady_ms(), memory_order_relaxed);
    if (quota < 0 || !take(account, quota))
        return false;
    top_up_if_low(account);
    return true;
}

void account_give_back(struct account *account, int64_t quota)
{
    if (quota > 0)
        atomic_fetch_add(&account->available, quota);
}

// --- leases -----------------------------------------------------------------------

static int64_t slice_of(const struct account *account)
{
    int64_t slice = atomic_load(&account->slice);
    return slice > ledger.o.chunk ? slice : ledger.o.chunk;
}

// With account->lock held: as large as it should be now.
static int64_t next_slice(struct account *account)
{
    int64_t slice = slice_of(account), now = clock_steady_ms();
    int64_t before = atomic_exchange(&account->sliced_ms, now);
    if (before && now - before < SHORT_MS && slice < ledger.o.chunk * SLICE_CHUNKS)
        slice *= 2;
    else if (now - before > LONG_MS)
        slice /= 2;
    atomic_store(&account->slice, slice);
    return slice_of(account);
}

static int64_t ample(int64_t need, int64_t slice)
{
    int64_t some = need > INT64_MAX / 32 ? need : need * 8;
    return some > slice ? some : slice;
}

// What the lease has, and as much of the balance as is missing.
static struct err *gather(struct db *db, struct arena *a, struct account *account, int64_t quota,
                          bool partial, int64_t *got)
{
    int64_t have = atomic_exchange(&account->available, 0);
    if (have < 0)
        abort(); // reserve and give back no longer match
    int64_t need = quota > have ? quota - have : 0;
    struct slice more = {partial ? 1 : need, need, ample(need, next_slice(account)), 0};
    struct err *e = need ? move_in(&ledger.o, db, a, account, &more) : NULL;
    int64_t sum = have + more.got, use = sum < quota ? sum : quota;
    if (e || (!partial && sum < quota))
        use = 0;
    account_give_back(account, sum - use);
    *got = use;
    if (e || partial || use == quota)
        return e;
    if (!take(account, quota)) // others may have given back meanwhile
        return move_refused(a, account);
    *got = quota;
    return NULL;
}

// With account->lock held, so that nobody is refused for what another one has in his hands.
static struct err *extend(struct arena *a, struct account *account, int64_t quota, bool partial,
                          int64_t *got)
{
    *got = 0;
    if (quota < 0)
        return err_new(a, &err_internal, "a reservation of %lld", (long long)quota);
    if (take(account, quota)) {
        *got = quota;
        return NULL;
    }
    DB(db);
    TRY(move_connect(&ledger.o, a, account, &db));
    return gather(db, a, account, quota, partial, got);
}

static struct err *extend_locked(struct arena *a, struct account *account, int64_t quota,
                                 bool partial, int64_t *got)
{
    pthread_mutex_lock(&account->lock);
    struct err *e = extend(a, account, quota, partial, got);
    pthread_mutex_unlock(&account->lock);
    return e;
}

// Without the lock: whom we ask may be asking us. False: there is nobody to ask.
static bool ask_others(struct arena *a, const struct account *account)
{
    const char **nodes;
    size_t count;
    struct err *e = move_others(&ledger.o, a, account, &nodes, &count);
    return !e && count && peers_ask(account->kind, account->id, nodes, count);
}

static bool is_short(const struct err *e)
{
    return e && (e->kind == &err_quota_insufficient || e->kind == &err_token_exhausted);
}

struct err *ledger_extend(struct arena *a, struct account *account, int64_t quota, bool partial,
                          int64_t *got)
{
    atomic_store_explicit(&account->last_used_ms, clock_steady_ms(), memory_order_relaxed);
    struct err *e = extend_locked(a, account, quota, partial, got);
    for (int round = 0; round < ASK_ROUNDS; round++) {
        bool lacks = is_short(e) || (!e && *got < quota);
        if (!lacks || !ask_others(a, account))
            break;
        int64_t part = *got, more = 0;
        e = extend_locked(a, account, quota - part, partial, &more);
        *got = part + more;
    }
    return e;
}

// Ahead of need: when a lease is nearly spent, a worker fetches the next slice.
struct top_up {
    struct job job;
    struct account *account;
};

static struct err *fetch_chunk(struct arena *a, struct account *account, int64_t *got)
{
    DB(db);
    int64_t worth = ledger.o.chunk / 8; // smaller ones are fetched when they are needed
    *got = 0;
    TRY(move_connect(&ledger.o, a, account, &db));
    struct slice slice = {worth * 4, worth, next_slice(account), 0};
    TRY(move_in(&ledger.o, db, a, account, &slice));
    *got = slice.got;
    account_give_back(account, *got);
    return NULL;
}

static void top_up(struct job *job)
{
    struct top_up *t = (struct top_up *)job;
    ARENA(a);
    int64_t got = 0;
    struct err *e = NULL;
    pthread_mutex_lock(&t->account->lock);
    if (!atomic_load(&ledger.stopping))
        e = fetch_chunk(a, t->account, &got);
    pthread_mutex_unlock(&t->account->lock);
    if (e)
        log_warn("lease: no top-up: %s: %s", e->kind->code, e->detail);
    atomic_store(&t->account->topping, got ? TOPPING_NOT : TOPPING_RESTS);
    account_release(t->account);
    free(t);
    atomic_fetch_sub(&ledger.top_ups, 1);
}

static bool begin_topping(struct account *account)
{
    int not = TOPPING_NOT;
    return atomic_load(&account->available) < slice_of(account) / 4 &&
           atomic_compare_exchange_strong(&account->topping, &not, TOPPING_NOW);
}

static void top_up_if_low(struct account *account)
{
    if (!begin_topping(account))
        return;
    struct top_up *t = mem_new(sizeof(*t));
    t->account = account_hold(account->kind, account->id);
    t->job.on_worker = top_up;
    atomic_fetch_add(&ledger.top_ups, 1);
    worker_run(&t->job);
}

static void stop_resting(struct account *account)
{
    int rests = TOPPING_RESTS;
    atomic_compare_exchange_strong(&account->topping, &rests, TOPPING_NOT);
}

static bool is_empty(const struct account *account)
{
    return !atomic_load(&account->available) && !account->doubt.move;
}

// With account->lock held.
static struct err *give_all_back(struct arena *a, struct account *account)
{
    DB(db);
    if (is_empty(account))
        return NULL;
    TRY(move_connect(&ledger.o, a, account, &db));
    int64_t have = atomic_exchange(&account->available, 0);
    struct err *e = have > 0 ? move_out(&ledger.o, db, a, account, have) : NULL;
    if (e && !account->doubt.move)
        account_give_back(account, have);
    return e;
}

static struct err *recall(struct arena *a, struct account *account)
{
    pthread_mutex_lock(&account->lock);
    struct err *e = give_all_back(a, account);
    pthread_mutex_unlock(&account->lock);
    return e;
}

struct err *ledger_recall(struct arena *a, enum account_kind kind, int64_t id)
{
    struct account *account = account_hold(kind, id);
    struct err *e = recall(a, account);
    if (!e)
        ask_others(a, account);
    stop_resting(account);
    account_release(account);
    return e;
}

// Another node is short of it.
static void give_back_to_others(enum account_kind kind, int64_t id)
{
    ARENA(a);
    struct account *account = account_hold(kind, id);
    struct err *e = recall(a, account);
    if (e)
        log_warn("lease: not returned: %s: %s", e->kind->code, e->detail);
    atomic_store(&account->topping, TOPPING_RESTS);
    account_release(account);
}

// --- settling -----------------------------------------------------------------------

struct err *ledger_admits(struct arena *a)
{
    if (!node_is_ours())
        return err_new(a, &err_node_replaced, "node %s", ledger.o.node);
    return journal_admits(ledger.journal) ? NULL : err_new(a, &err_journal_full, "journal");
}

void ledger_settle(const struct log_row *row, int64_t token_quota)
{
    atomic_fetch_add(&ledger.settled, 1);
    journal_append(ledger.journal, row, token_quota);
}

void ledger_write_down(void)
{
    journal_write(ledger.journal);
}

// --- the bookkeeping thread -----------------------------------------------------------

enum { SWEEP_AT_ONCE = 64 };

// Frees what nobody holds and nothing is in; holds what has rested for long.
static int pick_idle(struct shard *s, struct account *idle[SWEEP_AT_ONCE])
{
    int64_t now = clock_steady_ms();
    int count = 0;
    pthread_mutex_lock(&s->lock);
    for (struct account **at = &s->first; *at;) {
        struct account *account = *at;
        bool rests = now - atomic_load(&account->last_used_ms) > ledger.o.idle_ms ||
                     (now - atomic_load(&account->sliced_ms) > LONG_MS &&
                      atomic_load(&account->available) > 2 * ledger.o.chunk);
        stop_resting(account);
        if (!account->refs && is_empty(account)) {
            *at = account->next;
            pthread_mutex_destroy(&account->lock);
            free(account);
            continue;
        }
        if (rests && atomic_load(&account->available) && count < SWEEP_AT_ONCE) {
            account->refs++;
            idle[count++] = account;
        }
        at = &account->next;
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

// False when the database is away: then there is no use in asking for every account.
static bool sweep_shard(struct arena *a, struct shard *s)
{
    struct account *idle[SWEEP_AT_ONCE];
    int count = pick_idle(s, idle);
    struct err *e = NULL;
    for (int i = 0; i < count; i++) {
        if (!e)
            e = recall(a, idle[i]);
        account_release(idle[i]);
    }
    if (e)
        log_warn("lease: not returned: %s: %s", e->kind->code, e->detail);
    return !e;
}

// True when all of them have had their turn.
static bool sweep(void)
{
    ARENA(a);
    int64_t until = clock_steady_ms() + SWEEP_PART_MS;
    while (ledger.sweep_at < SHARDS) {
        if (clock_steady_ms() > until)
            return false;
        struct shard *s = &ledger.shards[ledger.sweep_at++];
        if (!sweep_shard(a, s))
            break;
        arena_reset(a);
    }
    ledger.sweep_at = 0;
    return true;
}

static void pause_ms(int ms)
{
    for (int waited = 0; waited < ms && !atomic_load(&ledger.stopping); waited += 20)
        uv_sleep(20);
}

static void *keep_books(void *unused)
{
    (void)unused;
    ARENA(a);
    bool complained = false;
    int64_t swept = clock_steady_ms();
    while (!atomic_load(&ledger.stopping)) {
        struct err *balances = booking_balances(a), *logs = booking_log(a),
                   *e = balances ? balances : logs;
        if (!e)
            atomic_store(&ledger.even_ms, clock_steady_ms());
        if (e && !complained)
            log_warn("bookkeeper: %s: %s; the journal keeps the records", e->kind->code, e->detail);
        if (!e && complained)
            log_info("bookkeeper: caught up");
        complained = e != NULL;
        if (!balances && clock_steady_ms() - swept > SWEEP_MS && sweep())
            swept = clock_steady_ms();
        if (e)
            pause_ms(RETRY_MS);
        else if (journal_wait(ledger.journal, booking_place(), IDLE_WAIT_MS))
            pause_ms(GATHER_MS);
    }
    return NULL;
}

// --- start and stop -------------------------------------------------------------------

static struct err *recover(struct arena *a)
{
    ARENA(scratch);
    struct err *e = booking_all(scratch);
    if (e)
        return err_new(a, e->kind, "%s", e->detail);
    return move_all_out(&ledger.o, a);
}

static void close_books(void)
{
    booking_close();
    ledger.journal = NULL;
    free((char *)ledger.o.node);
    ledger.o.node = NULL;
}

// --- for the metrics ------------------------------------------------------------------

static int64_t pending_records(void)
{
    int64_t booked = booking_count(); // first: it must not overtake the other
    return atomic_load(&ledger.settled) - booked;
}

static int64_t pending_bytes(void)
{
    return journal_unbooked(ledger.journal);
}

static int64_t pending_ms(void)
{
    return pending_records() ? clock_steady_ms() - atomic_load(&ledger.even_ms) : 0;
}

static int64_t leased(void)
{
    struct ledger_state state;
    ledger_state(&state);
    return state.leased;
}

static void show_metrics(void)
{
    metric_read_with(METRIC_JOURNAL_RECORDS, pending_records);
    metric_read_with(METRIC_JOURNAL_BYTES, pending_bytes);
    metric_read_with(METRIC_JOURNAL_LAG, pending_ms);
    metric_read_with(METRIC_LEASED, leased);
}

struct err *ledger_start(struct arena *a, const struct ledger_options *o)
{
    ledger.o = *o;
    ledger.o.node = mem_strdup(o->node);
    if (!o->log_pool)
        ledger.o.log_pool = o->pool;
    atomic_store(&ledger.stopping, false);
    struct err *e = booking_open(a, &ledger.o, &ledger.journal);
    if (!e)
        e = node_claim(ledger.o.pool, a, ledger.o.node, ledger.o.data_dir);
    if (!e)
        e = recover(a);
    if (e) {
        close_books();
        return e;
    }
    atomic_store(&ledger.settled, 0);
    booking_count_anew();
    show_metrics();
    peers_setup(o->node, give_back_to_others);
    if (pthread_create(&ledger.thread, NULL, keep_books, NULL))
        abort();
    return NULL;
}

// The leases have been returned as a whole, or the next start does it.
static void drop_accounts(struct shard *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct account **at = &s->first; *at;) {
        struct account *account = *at;
        atomic_store(&account->available, 0);
        account->doubt = (struct doubt){0};
        if (account->refs) {
            at = &account->next;
            continue;
        }
        *at = account->next;
        pthread_mutex_destroy(&account->lock);
        free(account);
    }
    pthread_mutex_unlock(&s->lock);
}

// The leases go back even if the log's own database is away.
static struct err *close_accounts(struct arena *a)
{
    TRY(booking_balances(a));
    struct err *logs = booking_log(a);
    if (node_is_ours())
        TRY(move_all_out(&ledger.o, a));
    return logs ? logs : positions_even(&ledger.o, a);
}

void ledger_stop(void)
{
    ARENA(a);
    atomic_store(&ledger.stopping, true);
    pthread_join(ledger.thread, NULL);
    while (atomic_load(&ledger.top_ups))
        uv_sleep(1);
    struct err *e = close_accounts(a);
    if (!e)
        node_leave();
    if (e)
        log_warn("ledger: %s: %s; the next start books the rest and returns the leases",
                 e->kind->code, e->detail);
    for (int i = 0; i < SHARDS; i++)
        drop_accounts(&ledger.shards[i]);
    close_books();
}

bool ledger_flush(int ms)
{
    int64_t until = clock_steady_ms() + ms;
    while (journal_waiting(ledger.journal) && clock_steady_ms() < until)
        uv_sleep(5);
    struct journal_at end = journal_end(ledger.journal);
    while (!booking_has(end) && clock_steady_ms() < until)
        uv_sleep(5);
    return !journal_waiting(ledger.journal) && booking_has(end);
}

void ledger_state(struct ledger_state *out)
{
    *out = (struct ledger_state){.unbooked_bytes = journal_unbooked(ledger.journal)};
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&ledger.shards[i].lock);
        for (struct account *account = ledger.shards[i].first; account; account = account->next)
            out->leased += atomic_load(&account->available);
        pthread_mutex_unlock(&ledger.shards[i].lock);
    }
}
