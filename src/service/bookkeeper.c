// One batch: read records, sum up, write everything in one transaction.

#include "service/bookkeeper.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "model/lease.h"
#include "model/log.h"

enum { BATCH = 500 };

// What a batch changes of one row: `who` orders the tables, ids order the rows, so that two nodes
// lock in the same order.
struct delta {
    enum { DELTA_USER, DELTA_TOKEN, DELTA_CHANNEL } who;
    int64_t id;
    int64_t used, requests, lease, seen_at;
};

struct batch {
    struct log_row rows[BATCH];
    int count;
    struct delta deltas[BATCH * 3];
    int delta_count;
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

static struct err *lower_lease(struct db *db, struct arena *a, const char *node, const char *kind,
                               const struct delta *d)
{
    if (!d->lease)
        return NULL;
    return db_exec(
        db, a, NULL,
        "UPDATE leases SET amount = amount - ? WHERE kind = ? AND owner_id = ? AND node = ?",
        P(d->lease), P(kind), P(d->id), P(node));
}

static struct err *apply(struct db *db, struct arena *a, const char *node, const struct delta *d)
{
    switch (d->who) {
    case DELTA_USER:
        TRY(db_exec(
            db, a, NULL,
            "UPDATE users SET used_quota = used_quota + ?, request_count = request_count + ?"
            " WHERE id = ?",
            P(d->used), P(d->requests), P(d->id)));
        return lower_lease(db, a, node, "user", d);
    case DELTA_TOKEN:
        TRY(db_exec(db, a, NULL,
                    "UPDATE tokens SET used_quota = used_quota + ?, accessed_time = ? WHERE id = ?",
                    P(d->used), P(d->seen_at), P(d->id)));
        return lower_lease(db, a, node, "token", d);
    case DELTA_CHANNEL:
        return db_exec(db, a, NULL, "UPDATE channels SET used_quota = used_quota + ? WHERE id = ?",
                       P(d->used), P(d->id));
    }
    return NULL;
}

static struct err *write_position(struct db *db, struct arena *a, const char *node,
                                  struct journal_at at)
{
    struct journal_position row = {.node = node, .segment = at.segment, .offset = at.offset};
    return db_upsert(db, a, &journal_position_table, &row, "node");
}

static struct err *write_batch(struct bookkeeper *k, struct arena *a, struct batch *b,
                               struct journal_at to)
{
    DB(db);
    TRY(db_lease(k->pool, a, &db));
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    qsort(b->deltas, (size_t)b->delta_count, sizeof(*b->deltas), by_table_and_id);
    for (int i = 0; i < b->delta_count; i++)
        TRY(apply(db, a, k->node, &b->deltas[i]));
    TRY(db_insert_all(db, a, &log_table, b->rows, (size_t)b->count));
    TRY(write_position(db, a, k->node, to));
    return tx_commit(&tx, a);
}

struct err *bookkeeper_batch(struct bookkeeper *k, struct arena *a, int *count)
{
    struct batch *b = NEW(a, struct batch);
    struct journal_at to = k->at;
    int64_t token_quota;
    while (b->count < BATCH && journal_next(k->journal, a, &to, &b->rows[b->count], &token_quota))
        sum_up(b, &b->rows[b->count++], token_quota);
    *count = 0;
    if (b->count)
        TRY(write_batch(k, a, b, to));
    k->at = to;
    journal_booked(k->journal, to);
    *count = b->count;
    return NULL;
}

struct err *bookkeeper_position(struct db *db, struct arena *a, const char *node,
                                struct journal_at *out)
{
    struct journal_position row = {0};
    struct err *e = db_find(db, a, &journal_position_table, &row, "node = ?", P(node));
    if (e && e->kind == &err_not_found)
        e = NULL;
    *out = (struct journal_at){row.segment, row.offset};
    return e;
}
