// Moves the journal into SQL, in batches: balances' counters and leases, log rows and their
// roll-up, in one transaction with this node's position, so that every record is booked exactly
// once however often we are killed.
//
// Where the log has a database of its own there are two of these, one for each: each database keeps
// the position up to which it has been booked, and neither waits for the other.

#pragma once
#include "common/db/db.h"
#include "service/journal.h"

enum { BOOK_BALANCES = 1, BOOK_LOG = 2 };

struct bookkeeper {
    struct db_pool *pool;
    struct journal *journal;
    const char *node;
    int what;                  // BOOK_BALANCES, BOOK_LOG or both
    struct journal_at at;      // read up to here
    struct journal_at booked;  // as SQL has it
    struct journal_at pending; // as SQL has it if the last commit, which failed, did happen
};

// Books up to one batch; *count is 0 when there was nothing. After an error nothing has changed, or
// everything did and only the answer to the commit was lost: the next call finds out which.
struct err *bookkeeper_batch(struct bookkeeper *k, struct arena *a, int *count);
