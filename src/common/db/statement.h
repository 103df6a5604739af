// Prepared statements, kept per connection. For this folder only.
//
// The key is what the caller holds anyway (a verb, a table, a piece of text); the whole SQL text
// is only built, rewritten and prepared when the key is new.

#pragma once
#include "common/db/db.h"
#include "common/db/sql.h"

enum { STATEMENTS_MAX = 256, STATEMENT_SLOTS = 512 };

struct statement {
    struct sql_key key; // key.text is our copy
    uint64_t hash;
    void *handle; // the driver's
    char *sql;    // as prepared
    size_t places;
    struct statement *chain;         // in its slot
    struct statement *newer, *older; // by last use
};

struct statements {
    struct statement *slots[STATEMENT_SLOTS];
    struct statement *newest, *oldest;
    size_t count;
    int64_t hits, misses;
};

void statements_done(struct db *db); // finishes all of them

// A statement being executed: reset on every way out of the block.
//     RUNNING r = {.db = db};
//     TRY(running_start(&r, a, key, params, count));
struct running {
    struct db *db;
    struct statement *statement;
};
#define RUNNING __attribute__((cleanup(running_end))) struct running
struct err *running_start(struct running *r, struct arena *a, struct sql_key key,
                          const struct field_value *params, size_t count);
struct err *running_next(struct running *r, struct arena *a, bool *row);
void running_end(struct running *r);
