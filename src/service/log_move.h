// Log rows that stand in the main database although the log has one of its own: what management
// writes there in its transactions, and everything from before LOG_SQL_DSN was set. They are moved,
// each exactly once, without a transaction over both: the log database takes the rows and notes
// which (moved_rows) in one transaction, and only then they are deleted in the main one. Whoever is
// killed in between leaves a note, and the next one deletes what it names before it reads on.

#pragma once
#include "common/db/db.h"

// One step, of any node: at most so many rows of the log, or an hour of the roll-up that no node
// writes into any more. *moved is how many rows.
struct err *log_move(struct db_pool *from, struct db_pool *to, struct arena *a, int64_t *moved);
