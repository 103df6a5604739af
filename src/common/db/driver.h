// What a database driver brings, and what a connection is. For this folder only.
//
// A driver is one file with one `struct db_driver`; pool.c lists them. Everything that is not
// in this structure is shared: texts, caching, rows, pool, schema, migrations.

#pragma once
#include "common/db/db.h"
#include "common/db/statement.h"

enum upsert_form { ON_CONFLICT, ON_DUPLICATE_KEY };

// The differences that are only words.
struct db_words {
    char quote;     // around identifiers
    bool numbered;  // places are $1, $2 ... instead of ?
    bool returning; // an INSERT gives the new id as a result row, not through last_id
    bool varchar;   // text that may be indexed becomes VARCHAR(max)
    bool text_default_is_expression;  // DEFAULT of unlimited text needs parentheses
    bool ddl_commits;                 // DDL ends the transaction it stands in
    bool drop_index_on;               // DROP INDEX names the table, too
    bool partial_index;               // CREATE INDEX ... WHERE
    const char *key;                  // type of the KEY column, "INTEGER PRIMARY KEY AUTOINCREMENT"
    const char *type[FIELD_TEXT + 1]; // by enum field_type
    const char *table_end;            // after the closing parenthesis of CREATE TABLE
    const char *begin;                // begins a transaction that will write
    const char *for_update; // ends a SELECT that locks its rows; "" where BEGIN locks everything
    const char *columns;    // names of a table's columns; its one ? is the table; no rows: no table
    const char *indexes;    // names of its indexes, likewise
    enum upsert_form upsert;
};

// Errors are of the four kinds that db.h names. Their detail is the database's own message, and
// must be without parameter values: drivers cut out what a server quotes ("Duplicate entry 'x'").
// Whoever calls adds the SQL text.
struct db_driver {
    const char *scheme; // as dsn_scheme says it, "sqlite"
    struct db_words words;
    int64_t check_after_ms;   // idle that long: `alive` is asked before it is handed out; 0 = never
    int64_t replace_after_ms; // older than that: closed instead of handed out; 0 = never

    struct err *(*open)(struct db *db, struct arena *a, const char *dsn); // sets db->link
    void (*close)(struct db *db); // all statements are finished by then
    bool (*alive)(struct db *db);
    int (*socket)(struct db *db);  // of a server: something to read while idle is bad news
    void (*shrink)(struct db *db); // gives back memory that it only keeps to be faster; NULL: none
    bool (*in_tx)(struct db *db);  // what the database thinks; some failures end a transaction

    // One statement without parameters and rows (BEGIN, DDL), as it is, in one round trip.
    struct err *(*command)(struct db *db, struct arena *a, const char *sql);

    struct err *(*prepare)(struct db *db, struct arena *a, const char *sql, void **handle);
    void (*finish)(struct db *db, void *handle);

    // `run` binds (a text that is NULL means SQL NULL; texts live until `reset`) and executes;
    // then `next` steps through the rows. Without rows, too, the first `next` is what completes it.
    struct err *(*run)(struct db *db, struct arena *a, void *handle,
                       const struct field_value *params, size_t count);
    struct err *(*next)(struct db *db, struct arena *a, void *handle, bool *row);
    void (*reset)(struct db *db, void *handle);

    // Of the current row. NULL reads as 0 and "". False if the value is not of that type or range;
    // texts are copied into the arena.
    int (*columns)(void *handle);
    bool (*column)(void *handle, struct arena *a, int column, struct field_value *v);

    int64_t (*changed)(struct db *db, void *handle); // rows that matched, 0 for what changes none
    int64_t (*last_id)(struct db *db);

    // Around everything that db_migrate does: excludes other processes, waits for them up to a
    // minute, and lets go when the process dies. Where the database can, it is one transaction.
    struct err *(*lock)(struct db *db, struct arena *a);
    struct err *(*unlock)(struct db *db, struct arena *a, bool keep);
};

struct db {
    const struct db_driver *driver;
    void *link; // the driver's
    struct statements statements;
    bool in_tx;   // between tx_begin and its end
    bool tx_lost; // the database has rolled it back on its own
    bool broken;  // not to be used again after this lease

    struct db_pool *pool;
    struct db *next; // in the pool's list of idle ones
    int64_t opened_ms, idle_since_ms;
};

// A connection outside any pool. NULL and an error if it cannot be had.
const struct db_driver *db_driver_of(const char *dsn); // NULL: no such scheme
struct err *db_connect(const struct db_driver *d, struct arena *a, const char *dsn,
                       struct db **out);
void db_disconnect(struct db *db);

// The driver's `command`, and what its failure means for the connection.
struct err *db_command(struct db *db, struct arena *a, const char *sql);

// How many of so many rows the next statement takes, with so many values each: few sizes, so that
// few statements are prepared.
size_t db_chunk_of(size_t left, size_t columns);

extern const struct db_driver sqlite_driver, postgres_driver, mysql_driver;
