// A throw-away database with one table that has something of everything: a SQLite file or, with
// TF_TEST_DSN, one on that server.

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
    char path[64], dsn[512]; // path: of the SQLite file
};

bool fixture_on(const char *scheme); // "sqlite", "postgres", "mysql": which the tests run on
// Where a database is, or can be made, and removing it. `path` is for SQLite.
void fixture_make(struct arena *a, const char *path, char *dsn, size_t size);
void fixture_remove(struct arena *a, const char *path, const char *dsn);

void fixture_path(struct fixture *x); // only a database without anything, which nobody has opened
void fixture_pool(struct fixture *x, int connections);
void fixture_open(struct fixture *x); // a pool of one, leased, migrated
void fixture_close(struct fixture *x);

// A row with these values and pleasant others.
struct item fixture_item(int64_t user_id, const char *name);

// Fails the test with the error's code and detail.
#define assert_fine(call) fixture_assert_kind((call), NULL, __FILE__, __LINE__)
#define assert_err(kind_, call) fixture_assert_kind((call), &err_##kind_, __FILE__, __LINE__)
void fixture_assert_kind(struct err *e, const struct err_kind *want, const char *file, int line);
