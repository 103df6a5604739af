// A throw-away SQLite database with one table that has something of everything.

#pragma once
#include "common/db/db.h"

struct item {
    int64_t id, user_id, made_at;
    const char *name, *email, *secret;
    int level;
    bool on;
    double ratio;
    const char *shown; // VIRTUAL
    int plain;         // in no field at all
};
extern const struct table item_table;

struct fixture {
    struct arena *a;
    struct db_pool *pool;
    struct db *db;
    char path[64], dsn[80];
};

void fixture_path(struct fixture *x); // only the name of a file that does not exist
void fixture_pool(struct fixture *x, int connections);
void fixture_open(struct fixture *x); // a pool of one, leased, migrated
void fixture_close(struct fixture *x);

// A row with these values and pleasant others.
struct item fixture_item(int64_t user_id, const char *name);

// Fails the test with the error's code and detail.
#define assert_fine(call) fixture_assert_kind((call), NULL, __FILE__, __LINE__)
#define assert_err(kind_, call) fixture_assert_kind((call), &err_##kind_, __FILE__, __LINE__)
void fixture_assert_kind(struct err *e, const struct err_kind *want, const char *file, int line);
