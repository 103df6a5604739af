// Where this node's journal has been booked up to, in the main database and, if the log has one of
// its own, in that.
//
// With two databases their positions may differ, and only the log's own database knows the log's.
// So the main database remembers that a node's log is apart (logs_apart) from the moment it is
// until a stop that has booked everything in both. Meanwhile the node does not start without that
// log database. Otherwise it starts with any: whatever is before the main position has been logged
// somewhere, and the log goes on from there.

#pragma once
#include "service/journal.h"
#include "service/ledger.h"

enum { BOOKS_MOST = 2 };

// of[0]: the main database; of[1]: the log's own, where there is one. Makes missing rows.
// err_internal if `folder` holds a journal that other databases have to book.
struct err *positions_find(const struct ledger_options *o, struct arena *a, const char *folder,
                           struct journal_at of[BOOKS_MOST]);

// Everything is booked everywhere: the next start may have another log database, or none.
struct err *positions_even(const struct ledger_options *o, struct arena *a);
