// Moves the journal into SQL, in batches: logs, counters and leases in one transaction with this
// node's position, so that every record is booked exactly once however often we are killed.

#pragma once
#include "common/db/db.h"
#include "service/journal.h"

struct bookkeeper {
    struct db_pool *pool;
    struct journal *journal;
    const char *node;
    struct journal_at at; // everything before is in SQL
};

// This node's position, {0,0} if it never booked anything.
struct err *bookkeeper_position(struct db *db, struct arena *a, const char *node,
                                struct journal_at *out);

// Books up to one batch; *count says how many records. On an error nothing has changed.
struct err *bookkeeper_batch(struct bookkeeper *b, struct arena *a, int *count);
