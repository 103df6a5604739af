// Leases: the slices of balances that nodes hold for spending, and how far each node's journal has
// been booked. Both change only inside the transactions of service/ledger and service/bookkeeper.

#pragma once
#include "common/db/db.h"

struct lease {
    int64_t id;
    const char *node;
    const char *kind; // "user" or "token"
    int64_t owner_id;
    int64_t amount;    // moved out of the balance, not yet booked as spent
    int64_t last_move; // a random number: did a commit whose answer was lost happen?
    int64_t updated_at;
};

struct journal_position {
    int64_t id;
    const char *node;
    int64_t segment, offset; // everything before is in SQL
    bool logs_apart; // the node's log goes into a database of its own, and may be behind there
};

extern const struct table lease_table, journal_position_table;

// Adds to each *amounts[i] what nodes hold of the balance of ids[i]; kind is "user" or "token".
struct err *lease_add_held(struct db *db, struct arena *a, const char *kind, const int64_t *ids,
                           int64_t *const *amounts, size_t count);

// The leases that other nodes than `but` hold of this balance.
struct err *lease_of_others(struct db *db, struct arena *a, const char *kind, int64_t owner_id,
                            const char *but, struct rows *out);
