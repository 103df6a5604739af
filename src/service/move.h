// Moving quota between a balance in SQL and this node's lease on it, each time in one transaction.

#pragma once
#include "service/ledger.h"

// A connection on which nothing about the account is in doubt any more: a move whose commit got no
// answer has been asked about, and what is ours of it given to the account. With account->lock
// held, as all of these.
struct err *move_connect(const struct ledger_options *o, struct arena *a, struct account *account,
                         struct db **db);

// How much of a balance is to be moved: nothing if it does not have `least`; `need` if it has, else
// all of it; more, up to `most`, only as far as enough is left for other nodes.
struct slice {
    int64_t least, need, most;
    int64_t got; // 0 if it does not even have `least`
};
// From the balance into the lease. What it got is the caller's to make available; with
// account->doubt set, nothing.
struct err *move_in(const struct ledger_options *o, struct db *db, struct arena *a,
                    struct account *account, struct slice *slice);

// From the lease into the balance. After an error with account->doubt set, `quota` is nobody's.
struct err *move_out(const struct ledger_options *o, struct db *db, struct arena *a,
                     struct account *account, int64_t quota);

// Every lease of this node goes back. Its journal must have been booked before.
struct err *move_all_out(const struct ledger_options *o, struct arena *a);

// The other nodes that hold some of it.
struct err *move_others(const struct ledger_options *o, struct arena *a,
                        const struct account *account, const char ***nodes, size_t *count);

// "This account does not have it."
struct err *move_refused(struct arena *a, const struct account *account);
