// The ledger: what may be spent, and what was.
//
// A balance (a user's, or a limited token's) lives in SQL. To spend, this node first moves a slice
// of it into a lease, in one transaction with one conditional UPDATE; then reserving and settling
// are memory operations on the account that holds the lease. What was settled is in the journal
// before anybody is told; the bookkeeper moves it into SQL and lowers the lease by the same amount
// in the same transaction. So at every moment, also after a kill:
//
//     balance in SQL + leases + used = everything ever granted
//
// and no balance goes below zero. Start-up books what the journal holds, then gives every lease of
// this node back.
//
// The node's name and its journal belong together: two nodes must not have one name, and a journal
// is not read under another name or against a database that never saw it.

#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/db/db.h"
#include "common/lane.h"

struct arena;
struct log_row;

enum account_kind { ACCOUNT_USER, ACCOUNT_TOKEN };

// One balance's lease on this node. Never freed while somebody holds it.
struct account {
    enum account_kind kind;
    int64_t id;
    _Atomic int64_t available; // leased and neither reserved nor spent
    _Atomic int64_t last_used_ms;
    _Atomic int topping;   // enum topping; the ledger's own from here on
    _Atomic int64_t slice; // what is fetched at once, so that it lasts for some seconds
    _Atomic int64_t sliced_ms;
    int refs;
    pthread_mutex_t lock; // one extension or recall at a time
    // A move between balance and lease whose commit got no answer: neither side counts on it until
    // the database has said whether it happened. With the lock held; move 0 = none.
    struct doubt {
        int64_t move, amount;
        bool in;
    } doubt;
    struct account *next;
};

struct ledger_options {
    struct db_pool *pool;
    struct db_pool *log_pool; // of the log; as pool, or NULL, where it has no database of its own
    const char *node;         // NODE_NAME
    const char *data_dir;     // journal files live in data_dir/journal
    int sync_ms;              // group fdatasync interval
    int64_t journal_bytes;    // refuse new work above this much unbooked journal
    int64_t chunk; // the smallest slice, where it is not more than a quarter of the balance
    int idle_ms;   // a lease unused for so long goes back
};

// Replays, gives this node's old leases back, starts the threads. After an error nothing runs.
struct err *ledger_start(struct arena *a, const struct ledger_options *o);
// Settles nothing by itself: relays must be over. Books what is left, returns leases, stops.
// Workers may run still or have stopped already.
void ledger_stop(void);

struct account *account_hold(enum account_kind kind, int64_t id); // one per kind and id
void account_release(struct account *account);                    // NULL is fine

// Memory only, any thread. False: the lease does not cover it (see ledger_extend).
bool account_reserve(struct account *account, int64_t quota);
void account_give_back(struct account *account, int64_t quota);

// These two wait for SQL, on a connection of their own: never call them inside a transaction.
//
// On a worker: moves enough out of the balance that `quota` can be reserved, and reserves it; other
// nodes that are heard give back what they do not need before somebody is refused.
// err_quota_insufficient (users) or err_token_exhausted (tokens) when balance and lease do not
// have it: then nothing is changed. With `partial`, takes whatever is left instead of failing and
// says in *got how much that was.
struct err *ledger_extend(struct arena *a, struct account *account, int64_t quota, bool partial,
                          int64_t *got);

// May new work begin? err_journal_full when the journal has outgrown its bound or its disk.
struct err *ledger_admits(struct arena *a);

// What one relay used, final: row->quota of the user's reservation and token_quota of a limited
// token's (0 otherwise) are spent; what was reserved beyond is the caller's to give back. The
// leases are lowered by these amounts in the transaction that books the row. Any
// thread, never waits for SQL. It is in the journal when ledger_write_down of the same thread has
// returned: before that, nobody may be told.
void ledger_settle(const struct log_row *row, int64_t token_quota);
void ledger_write_down(void);

// On a worker: gives what is available of an account back to SQL, here and on the other nodes that
// are heard, before the balance is lowered or shown as a whole.
struct err *ledger_recall(struct arena *a, enum account_kind kind, int64_t id);

// Waits until everything settled before the call is in SQL (tests, admin "refresh"); at most `ms`.
bool ledger_flush(int ms);

struct ledger_state {
    int64_t unbooked_bytes; // journal lag
    int64_t leased;         // sum of available
};
void ledger_state(struct ledger_state *out);
