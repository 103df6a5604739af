// Each database keeps its own position; what others see is the least of them.

#include "service/booking.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/arena.h"
#include "model/log.h"
#include "service/bookkeeper.h"
#include "service/positions.h"

static struct {
    struct journal *journal;
    struct bookkeeper books[BOOKS_MOST]; // where there are two: the balances', then the log's
    int count;
    _Atomic int64_t records[BOOKS_MOST];
    pthread_mutex_t lock;    // of:
    struct journal_at shown; // the least of books' at
} booking = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct bookkeeper bookkeeper_for(struct db_pool *pool, const char *node, int what,
                                        struct journal_at at)
{
    return (struct bookkeeper){.pool = pool,
                               .journal = booking.journal,
                               .node = node,
                               .what = what,
                               .at = at,
                               .booked = at};
}

struct err *booking_open(struct arena *a, const struct ledger_options *o, struct journal **journal)
{
    struct journal_at at[BOOKS_MOST] = {{0, 0}};
    bool apart = o->log_pool != o->pool;
    const char *folder = arena_printf(a, "%s/journal", o->data_dir);
    TRY(positions_find(o, a, folder, at));
    struct journal_at newest = journal_before(at[0], at[1]) ? at[1] : at[0];
    struct journal_options options = {folder, o->node, log_table.fields, o->sync_ms,
                                      o->journal_bytes};
    TRY(journal_open(a, &options, newest, &booking.journal));
    booking.count = apart ? 2 : 1;
    booking.books[0] =
        bookkeeper_for(o->pool, o->node, apart ? BOOK_BALANCES : BOOK_BALANCES | BOOK_LOG, at[0]);
    if (apart)
        booking.books[1] = bookkeeper_for(o->log_pool, o->node, BOOK_LOG, at[1]);
    *journal = booking.journal;
    return NULL;
}

void booking_close(void)
{
    journal_close(booking.journal);
    booking.journal = NULL;
}

struct journal_at booking_place(void)
{
    struct journal_at least = booking.books[0].at;
    for (int i = 1; i < booking.count; i++)
        if (journal_before(booking.books[i].at, least))
            least = booking.books[i].at;
    return least;
}

static void show_position(void)
{
    struct journal_at at = booking_place();
    journal_booked(booking.journal, at);
    pthread_mutex_lock(&booking.lock);
    booking.shown = at;
    pthread_mutex_unlock(&booking.lock);
}

static struct err *book(struct arena *a, int which)
{
    for (int count = 1; count;) {
        arena_reset(a);
        TRY(bookkeeper_batch(&booking.books[which], a, &count));
        atomic_fetch_add(&booking.records[which], count);
        show_position();
    }
    return NULL;
}

struct err *booking_balances(struct arena *a)
{
    return book(a, 0);
}

struct err *booking_log(struct arena *a)
{
    if (booking.count == 1)
        return NULL;
    ARENA(scratch);
    struct err *e = book(scratch, 1);
    return e ? err_new(a, e->kind, "log database: %s", e->detail) : NULL;
}

struct err *booking_all(struct arena *a)
{
    struct err *e = booking_balances(a), *logs = booking_log(a);
    return e ? e : logs;
}

bool booking_has(struct journal_at end)
{
    pthread_mutex_lock(&booking.lock);
    struct journal_at at = booking.shown;
    pthread_mutex_unlock(&booking.lock);
    return !journal_before(at, end);
}

int64_t booking_count(void)
{
    int64_t balances = atomic_load(&booking.records[0]);
    int64_t logged = atomic_load(&booking.records[booking.count - 1]);
    return logged < balances ? logged : balances;
}

void booking_count_anew(void)
{
    for (int i = 0; i < BOOKS_MOST; i++)
        atomic_store(&booking.records[i], 0);
}
