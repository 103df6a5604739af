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
#include "service/bookkeeper.h"
#include "service/journal.h"

enum { SHARDS = 64, SWEEP_MS = 5000, IDLE_WAIT_MS = 200, RETRY_MS = 500 };

static const struct words {
    const char *kind; // as in the leases table
    const char *read, *take, *give;
    const struct err_kind *short_of;
} words[] = {
    [ACCOUNT_USER] = {"user", "SELECT quota FROM users WHERE id = ?",
                      "UPDATE users SET quota = quota - ? WHERE id = ? AND quota >= ?",
                      "UPDATE users SET quota = quota + ? WHERE id = ?", &err_quota_insufficient},
    [ACCOUNT_TOKEN] = {"token", "SELECT remain_quota FROM tokens WHERE id = ?",
                       "UPDATE tokens SET remain_quota = remain_quota - ? WHERE id = ? AND"
                       " remain_quota >= ?",
                       "UPDATE tokens SET remain_quota = remain_quota + ? WHERE id = ?",
                       &err_token_exhausted},
};

static struct {
    struct ledger_options o;
    struct journal *journal;
    struct bookkeeper books;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic int64_t booked_segment, booked_offset; // books.at, for others to look at
    struct shard {
        pthread_mutex_t lock;
        struct account *first;
    } shards[SHARDS];
} ledger;

// --- accounts -------------------------------------------------------------------

static struct shard *shard_of(enum account_kind kind, int64_t id)
{
    uint64_t at = (uint64_t)id * 2 + (uint64_t)kind;
    return &ledger.shards[(at * 0x9e3779b97f4a7c15u) >> 58];
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
    if (!take(account, quota))
        return false;
    top_up_if_low(account);
    return true;
}

void account_give_back(struct account *account, int64_t quota)
{
    if (quota)
        atomic_fetch_add(&account->available, quota);
}

// --- leases -----------------------------------------------------------------------

static struct err *add_to_lease(struct db *db, struct arena *a, const struct account *account,
                                int64_t by)
{
    const char *kind = words[account->kind].kind;
    int64_t changed = 0;
    TRY(db_exec(db, a, &changed,
                "UPDATE leases SET amount = amount + ?, updated_at = ?"
                " WHERE kind = ? AND owner_id = ? AND node = ?",
                P(by), P(clock_now()), P(kind), P(account->id), P(ledger.o.node)));
    if (changed)
        return NULL;
    struct lease row = {.node = ledger.o.node,
                        .kind = kind,
                        .owner_id = account->id,
                        .amount = by,
                        .updated_at = clock_now()};
    return db_insert(db, a, &lease_table, &row);
}

// Moves between `least` and `most` from the balance into the lease, in one transaction; *got 0 if
// the balance does not even have `least`.
static struct err *move_in(struct db *db, struct arena *a, struct account *account, int64_t least,
                           int64_t most, int64_t *got)
{
    const struct words *w = &words[account->kind];
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    int64_t balance = 0, changed = 0;
    *got = 0;
    TRY(db_int(db, a, &balance, w->read, P(account->id)));
    int64_t slice = balance < most ? balance : most;
    if (slice < least || slice <= 0)
        return NULL;
    TRY(db_exec(db, a, &changed, w->take, P(slice), P(account->id), P(slice)));
    if (!changed)
        return NULL; // somebody else took it meanwhile
    TRY(add_to_lease(db, a, account, slice));
    TRY(tx_commit(&tx, a));
    *got = slice;
    return NULL;
}

static struct err *lease_more(struct arena *a, struct account *account, int64_t least, int64_t most,
                              int64_t *got)
{
    DB(db);
    *got = 0;
    TRY(db_lease(ledger.o.pool, a, &db));
    return move_in(db, a, account, least, most, got);
}

static int64_t at_least_chunk(int64_t quota)
{
    int64_t ample = quota > INT64_MAX / 32 ? quota : quota * 8;
    return ample > ledger.o.chunk ? ample : ledger.o.chunk;
}

// With account->lock held, so that nobody is refused for what another one has in his hands.
static struct err *extend(struct arena *a, struct account *account, int64_t quota, bool partial,
                          int64_t *got)
{
    if (take(account, quota)) {
        *got = quota;
        return NULL;
    }
    int64_t have = atomic_exchange(&account->available, 0);
    if (have < 0)
        abort(); // reserve and give back no longer match
    int64_t need = quota > have ? quota - have : 0, more = 0;
    struct err *e = lease_more(a, account, partial ? 1 : need, at_least_chunk(need), &more);
    int64_t sum = have + more, use = sum < quota ? sum : quota;
    if (e || (!partial && sum < quota))
        use = 0;
    account_give_back(account, sum - use);
    *got = use;
    if (!e && !partial && use < quota)
        e = err_new(a, words[account->kind].short_of, "%s %lld", words[account->kind].kind,
                    (long long)account->id);
    return e;
}

struct err *ledger_extend(struct arena *a, struct account *account, int64_t quota, bool partial,
                          int64_t *got)
{
    pthread_mutex_lock(&account->lock);
    struct err *e = extend(a, account, quota, partial, got);
    pthread_mutex_unlock(&account->lock);
    return e;
}

// Ahead of need: when a lease is nearly spent, a worker fetches the next slice.
struct top_up {
    struct job job;
    struct account *account;
};

static void top_up(struct job *job)
{
    struct top_up *t = (struct top_up *)job;
    ARENA(a);
    int64_t got;
    pthread_mutex_lock(&t->account->lock);
    struct err *e = lease_more(a, t->account, 1, ledger.o.chunk, &got);
    account_give_back(t->account, got);
    pthread_mutex_unlock(&t->account->lock);
    if (e)
        log_warn("lease: no top-up: %s: %s", e->kind->code, e->detail);
    // An empty balance is not asked again at once: `topping` stays set until the next sweep.
    if (got)
        atomic_store(&t->account->topping, false);
    account_release(t->account);
    free(t);
}

static void top_up_if_low(struct account *account)
{
    if (atomic_load(&account->available) >= ledger.o.chunk / 4 ||
        atomic_exchange(&account->topping, true))
        return;
    struct top_up *t = mem_new(sizeof(*t));
    t->account = account_hold(account->kind, account->id);
    t->job.on_worker = top_up;
    worker_run(&t->job);
}

static struct err *move_out(struct arena *a, struct account *account, int64_t quota)
{
    DB(db);
    TRY(db_lease(ledger.o.pool, a, &db));
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_exec(db, a, NULL, words[account->kind].give, P(quota), P(account->id)));
    TRY(db_exec(db, a, NULL,
                "UPDATE leases SET amount = amount - ?, updated_at = ?"
                " WHERE kind = ? AND owner_id = ? AND node = ?",
                P(quota), P(clock_now()), P(words[account->kind].kind), P(account->id),
                P(ledger.o.node)));
    return tx_commit(&tx, a);
}

static struct err *recall(struct arena *a, struct account *account)
{
    pthread_mutex_lock(&account->lock);
    int64_t have = atomic_exchange(&account->available, 0);
    struct err *e = have > 0 ? move_out(a, account, have) : NULL;
    if (e)
        account_give_back(account, have);
    pthread_mutex_unlock(&account->lock);
    return e;
}

struct err *ledger_recall(struct arena *a, enum account_kind kind, int64_t id)
{
    struct account *account = account_hold(kind, id);
    struct err *e = recall(a, account);
    atomic_store(&account->topping, false);
    account_release(account);
    return e;
}

// --- settling -----------------------------------------------------------------------

struct err *ledger_admits(struct arena *a)
{
    return journal_admits(ledger.journal) ? NULL : err_new(a, &err_journal_full, "journal");
}

void ledger_settle(const struct log_row *row, int64_t token_quota)
{
    journal_append(ledger.journal, row, token_quota);
}

// --- the bookkeeping thread -----------------------------------------------------------

static void show_position(void)
{
    atomic_store(&ledger.booked_segment, ledger.books.at.segment);
    atomic_store(&ledger.booked_offset, ledger.books.at.offset);
}

// Everything there is, batch by batch.
static struct err *book_all(struct arena *a)
{
    for (int count = 1; count;) {
        arena_reset(a);
        TRY(bookkeeper_batch(&ledger.books, a, &count));
        show_position();
    }
    return NULL;
}

static void sweep_shard(struct arena *a, struct shard *s, bool all)
{
    int64_t now = clock_steady_ms();
    struct account *idle[64];
    int count = 0;
    pthread_mutex_lock(&s->lock);
    for (struct account **at = &s->first; *at;) {
        struct account *account = *at;
        bool rests = all || now - atomic_load(&account->last_used_ms) > ledger.o.idle_ms;
        atomic_store(&account->topping, false);
        if (!account->refs && !atomic_load(&account->available)) {
            *at = account->next;
            pthread_mutex_destroy(&account->lock);
            free(account);
            continue;
        }
        if (rests && atomic_load(&account->available) && count < 64) {
            account->refs++;
            idle[count++] = account;
        }
        at = &account->next;
    }
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < count; i++) {
        struct err *e = recall(a, idle[i]);
        if (e)
            log_warn("lease: not returned: %s: %s", e->kind->code, e->detail);
        account_release(idle[i]);
    }
}

static void sweep(bool all)
{
    ARENA(a);
    for (int i = 0; i < SHARDS; i++)
        sweep_shard(a, &ledger.shards[i], all);
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
        struct err *e = book_all(a);
        if (e && !complained)
            log_warn("bookkeeper: %s: %s; the journal keeps the records", e->kind->code, e->detail);
        if (!e && complained)
            log_info("bookkeeper: caught up");
        complained = e != NULL;
        if (clock_steady_ms() - swept > SWEEP_MS) {
            sweep(false);
            swept = clock_steady_ms();
        }
        if (e)
            pause_ms(RETRY_MS);
        else
            journal_wait(ledger.journal, ledger.books.at, IDLE_WAIT_MS);
    }
    return NULL;
}

// --- start and stop -------------------------------------------------------------------

// What this node held when it ended goes back; its journal has been booked before.
static struct err *return_leases(struct db *db, struct arena *a)
{
    struct rows rows;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(db_list(db, a, &lease_table, &rows, "node = ? ORDER BY kind, owner_id", P(ledger.o.node)));
    const struct lease *leases = rows.items;
    for (size_t i = 0; i < rows.count; i++) {
        bool user = !strcmp(leases[i].kind, words[ACCOUNT_USER].kind);
        const struct words *w = &words[user ? ACCOUNT_USER : ACCOUNT_TOKEN];
        TRY(db_exec(db, a, NULL, w->give, P(leases[i].amount), P(leases[i].owner_id)));
    }
    TRY(db_exec(db, a, NULL, "DELETE FROM leases WHERE node = ?", P(ledger.o.node)));
    return tx_commit(&tx, a);
}

static struct err *recover(struct arena *a)
{
    ARENA(scratch);
    struct err *e = book_all(scratch);
    if (e)
        return err_new(a, e->kind, "%s", e->detail);
    DB(db);
    TRY(db_lease(ledger.o.pool, a, &db));
    return return_leases(db, a);
}

static struct err *open_books(struct arena *a)
{
    struct journal_at at;
    DB(db);
    TRY(db_lease(ledger.o.pool, a, &db));
    TRY(bookkeeper_position(db, a, ledger.o.node, &at));
    TRY(journal_open(a, arena_printf(a, "%s/journal", ledger.o.data_dir), log_table.fields, at,
                     ledger.o.sync_ms, ledger.o.journal_bytes, &ledger.journal));
    ledger.books = (struct bookkeeper){ledger.o.pool, ledger.journal, ledger.o.node, at};
    return NULL;
}

struct err *ledger_start(struct arena *a, const struct ledger_options *o)
{
    ledger.o = *o;
    ledger.o.node = mem_strdup(o->node);
    atomic_store(&ledger.stopping, false);
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&ledger.shards[i].lock, NULL);
    TRY(open_books(a));
    TRY(recover(a));
    if (pthread_create(&ledger.thread, NULL, keep_books, NULL))
        abort();
    return NULL;
}

void ledger_stop(void)
{
    atomic_store(&ledger.stopping, true);
    pthread_join(ledger.thread, NULL);
    ARENA(a);
    struct err *e = book_all(a);
    if (e)
        log_warn("bookkeeper: %s: %s; the rest is booked at the next start", e->kind->code,
                 e->detail);
    sweep(true);
    sweep(true); // frees what the first one emptied
    journal_close(ledger.journal);
    ledger.journal = NULL;
    free((char *)ledger.o.node);
}

bool ledger_flush(int ms)
{
    struct journal_at end = journal_end(ledger.journal);
    for (int waited = 0; waited <= ms; waited += 5) {
        int64_t segment = atomic_load(&ledger.booked_segment);
        int64_t offset = atomic_load(&ledger.booked_offset);
        if (segment > end.segment || (segment == end.segment && offset >= end.offset))
            return true;
        uv_sleep(5);
    }
    return false;
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
