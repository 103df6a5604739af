// One batch: read records, sum up, write everything in one transaction.

#include "service/bookkeeper.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "model/lease.h"
#include "model/log.h"
#include "service/rollup.h"

enum { BATCH = 500, BATCH_BYTES = 8 << 20 };

// What a batch changes of one row: `who` orders the tables, ids order the rows, so that two nodes
// lock in the same order.
enum who { DELTA_USER, DELTA_TOKEN, DELTA_CHANNEL };
struct delta {
    enum who who;
    int64_t id;
    int64_t used, lease;
    int64_t requests, seen_at; // of a user, of a token
};

struct batch {
    struct log_row rows[BATCH];
    int count;
    struct delta deltas[BATCH * 3];
    int delta_count;
    struct rollup *rollup;
};

static struct delta *delta_of(struct batch *b, int who, int64_t id)
{
    for (int i = b->delta_count; i-- > 0;)
        if ((int)b->deltas[i].who == who && b->deltas[i].id == id)
            return &b->deltas[i];
    struct delta *d = &b->deltas[b->delta_count++];
    *d = (struct delta){.who = who, .id = id};
    return d;
}

static void sum_up(struct batch *b, const struct log_row *row, int64_t token_quota)
{
    bool counts = row->type == LOG_TYPE_CONSUME;
    if (row->user_id) {
        struct delta *d = delta_of(b, DELTA_USER, row->user_id);
        d->used += row->quota;
        d->lease += row->quota;
        d->requests += counts;
    }
    if (row->token_id) {
        struct delta *d = delta_of(b, DELTA_TOKEN, row->token_id);
        d->used += row->quota;
        d->lease += token_quota;
        d->seen_at = row->created_at;
    }
    if (row->channel_id && row->quota)
        delta_of(b, DELTA_CHANNEL, row->channel_id)->used += row->quota;
}

static int by_table_and_id(const void *a, const void *b)
{
    const struct delta *x = a, *y = b;
    if (x->who != y->who)
        return x->who < y->who ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

// The table of each kind, and where its leases come from.
static const struct {
    struct db_each used;
    const char *lease, *unlease;
} kinds[] = {
    [DELTA_USER] = {{"users",
                     "id",
                     {{"used_quota", "used_quota + ?"}, {"request_count", "request_count + ?"}},
                     .shared = true},
                    "user",
                    "UPDATE users SET quota = quota - ? WHERE id = ?"},
    [DELTA_TOKEN] = {{"tokens",
                      "id",
                      {{"used_quota", "used_quota + ?"}, {"accessed_time", "?"}},
                      .shared = true},
                     "token",
                     "UPDATE tokens SET remain_quota = remain_quota - ? WHERE id = ?"},
    [DELTA_CHANNEL] = {{"channels", "id", {{"used_quota", "used_quota + ?"}}, .shared = true}},
};

// What was moved into a lease by a transaction that a power cut undid is still in the balance: then
// there is no lease to lower (or too small a one, which may go below zero until start-up recovery
// gives it "back").
static struct err *lower_balance(struct db *db, struct arena *a, const char *node,
                                 const struct delta *d)
{
    int64_t there = 0;
    TRY(db_int(db, a, &there,
               "SELECT COUNT(*) FROM leases WHERE kind = ? AND owner_id = ? AND node = ?",
               P(kinds[d->who].lease), P(d->id), P(node)));
    return there ? NULL : db_exec(db, a, NULL, kinds[d->who].unlease, P(d->lease), P(d->id));
}

static struct err *lower_leases(struct db *db, struct arena *a, const char *node,
                                const struct delta *d, int count)
{
    int64_t *rows = NEW_ARRAY(a, int64_t, (size_t)count * 2), changed = 0;
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        if (!d[i].lease)
            continue;
        rows[n * 2] = d[i].id;
        rows[n++ * 2 + 1] = d[i].lease;
    }
    struct db_each leases = {
        "leases",
        "owner_id",
        {{"amount", "amount - ?"}},
        .where = DB_WHERE("kind = ? AND node = ?", P(kinds[d->who].lease), P(node))};
    TRY(db_update_each(db, a, &changed, &leases, rows, n));
    for (int i = 0; i < count && changed < (int64_t)n; i++)
        if (d[i].lease)
            TRY(lower_balance(db, a, node, &d[i]));
    return NULL;
}

// `d` are of one kind.
static struct err *add_used(struct db *db, struct arena *a, const struct delta *d, int count)
{
    const struct db_each *used = &kinds[d->who].used;
    int64_t *rows = NEW_ARRAY(a, int64_t, (size_t)count * 3), *at = rows, changed;
    for (int i = 0; i < count; i++) {
        *at++ = d[i].id;
        *at++ = d[i].used;
        if (used->sets[1].column)
            *at++ = d->who == DELTA_USER ? d[i].requests : d[i].seen_at;
    }
    return db_update_each(db, a, &changed, used, rows, (size_t)count);
}

// --- rows that every database takes -------------------------------------------------

static size_t cut_at(struct str s, size_t most)
{
    while (most && ((unsigned char)s.p[most] & 0xc0) == 0x80)
        most--;
    return most;
}

// Without the half character that somebody's cut left at the end.
static const char *valid(struct arena *a, const char *text)
{
    struct str s = str_of(text);
    if (utf8_valid(s))
        return text;
    for (size_t cut = 1; cut <= 3 && cut < s.n; cut++)
        if (utf8_valid((struct str){s.p, s.n - cut}))
            return arena_strndup(a, s.p, s.n - cut);
    return "";
}

// One text that a column refuses would stop the books for ever: too long is cut (JSON, which would
// break, is left out), and what is not UTF-8 left out.
static const char *fitting(struct arena *a, const struct field *f, const char *text)
{
    text = valid(a, text);
    struct str s = str_of(text);
    if (f->max <= 0 || s.n <= (size_t)f->max)
        return text;
    return *text == '{' ? "" : arena_strndup(a, text, cut_at(s, (size_t)f->max));
}

static void fit(struct arena *a, struct log_row *row)
{
    for (const struct field *f = log_table.fields; f->name; f++) {
        struct field_value v = field_get(f, row);
        if (f->type != FIELD_TEXT)
            continue;
        v.s = fitting(a, f, v.s);
        field_set(f, row, v);
    }
}

// --- batches ------------------------------------------------------------------------

static struct err *read_position(struct db *db, struct arena *a, const char *node,
                                 struct journal_at *out)
{
    struct journal_position row;
    TRY(db_find(db, a, &journal_position_table, &row, "node = ?", P(node)));
    *out = (struct journal_at){row.segment, row.offset};
    return NULL;
}

// *already: a commit that seemed to have failed did happen.
static struct err *move_position(struct db *db, struct arena *a, const struct bookkeeper *k,
                                 struct journal_at to, bool *already)
{
    int64_t changed = 0;
    struct journal_at now;
    TRY(db_exec(db, a, &changed,
                "UPDATE journal_positions SET segment = ?, [offset] = ?"
                " WHERE node = ? AND segment = ? AND [offset] = ?",
                P(to.segment), P(to.offset), P(k->node), P(k->booked.segment),
                P(k->booked.offset)));
    if (changed)
        return NULL;
    TRY(read_position(db, a, k->node, &now));
    *already = k->pending.segment && journal_same(now, k->pending);
    return *already ? NULL
                    : err_new(a, &err_internal,
                              "somebody else moved the journal position of node %s", k->node);
}

static struct err *write_balances(struct db *db, struct arena *a, const char *node, struct batch *b)
{
    qsort(b->deltas, (size_t)b->delta_count, sizeof(*b->deltas), by_table_and_id);
    for (int from = 0, to = 0; from < b->delta_count; from = to) {
        const struct delta *d = &b->deltas[from];
        while (to < b->delta_count && b->deltas[to].who == d->who)
            to++;
        TRY(add_used(db, a, d, to - from));
        if (kinds[d->who].lease)
            TRY(lower_leases(db, a, node, d, to - from));
    }
    return NULL;
}

static struct err *write_log(struct db *db, struct arena *a, struct batch *b)
{
    TRY(db_insert_all(db, a, &log_table, b->rows, (size_t)b->count));
    return rollup_write(db, a, b->rollup);
}

static struct err *write_batch(struct bookkeeper *k, struct arena *a, struct batch *b,
                               struct journal_at to, bool *already)
{
    DB(db);
    TRY(db_lease(k->pool, a, &db));
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(move_position(db, a, k, to, already));
    if (*already)
        return NULL;
    if (k->what & BOOK_LOG)
        TRY(write_log(db, a, b));
    if (k->what & BOOK_BALANCES) // last: rows that all nodes write, and wait for
        TRY(write_balances(db, a, k->node, b));
    k->pending = to;
    return tx_commit(&tx, a);
}

// An error counts only when nothing was read before it: it comes again.
static struct err *read_batch(struct bookkeeper *k, struct arena *a, struct batch *b,
                              struct journal_at *to)
{
    bool found = true;
    while (b->count < BATCH && arena_size(a) < BATCH_BYTES) {
        struct log_row *row = &b->rows[b->count];
        int64_t token_quota;
        struct err *e = journal_next(k->journal, a, to, row, &token_quota, &found);
        if (e)
            return b->count ? NULL : e;
        if (!found)
            break;
        if (k->what & BOOK_BALANCES)
            sum_up(b, row, token_quota);
        if (k->what & BOOK_LOG) {
            fit(a, row);
            rollup_add(b->rollup, row);
        }
        b->count++;
    }
    return NULL;
}

struct err *bookkeeper_batch(struct bookkeeper *k, struct arena *a, int *count)
{
    struct batch *b = arena_raw(a, sizeof(*b)); // large: only its counts are cleared
    b->count = b->delta_count = 0;
    b->rollup = rollup_new(a, BATCH);
    struct journal_at to = k->at;
    bool already = false;
    *count = 0;
    TRY(read_batch(k, a, b, &to));
    if (b->count)
        TRY(write_batch(k, a, b, to, &already));
    k->at = already ? k->pending : to;
    if (b->count)
        k->booked = k->at;
    k->pending = (struct journal_at){0};
    *count = b->count;
    return NULL;
}
