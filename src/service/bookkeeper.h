// Moves the journal into SQL, in batches: logs, counters and leases in one transaction with this
// node's position, so that every record is booked exactly once however often we are killed.

#pragma once
#include "common/db/db.h"
#include "service/journal.h"

struct bookkeeper {
    struct db_pool *pool;
    struct journal *journal;
    const char *node;
    struct journal_at at;      // read up to here
    struct journal_at booked;  // as SQL has it
    struct journal_at pending; // as SQL has it if the last commit, which failed, did happen
};

// This node's position, {0,0} if it never booked anything; *known: is there a row for it?
struct err *bookkeeper_position(struct db *db, struct arena *a, const char *node,
                                struct journal_at *out, bool *known);

// Books up to one batch; *count is 0 when there was nothing. After an error nothing has changed, or
// everything did and only the answer to the commit was lost: the next call finds out which.
struct err *bookkeeper_batch(struct bookkeeper *k, struct arena *a, int *count);
