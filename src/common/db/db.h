// One way to talk SQL to SQLite, PostgreSQL and MySQL.
//
// Write `?` for every parameter and [name] for every identifier that might be a reserved word; the
// driver rewrites both once, when it prepares the text. Nothing above this folder may know which
// database it is. Only workers and threads of their own call this: every call may block.

#pragma once
#include "common/field.h"

struct arena;
struct db;      // one connection; in one thread's hands at a time
struct db_pool; // several, handed out and taken back

// What a table may hold (schema.c and the three databases decide):
// - KEY: one int64_t member or none; db_insert fills it in, nothing else writes it.
// - a column that is UNIQUE, INDEX or part of a table_index and a text needs a .max of 1 to 768;
//   all texts of an index together 768.
// - texts with a .max of 768 or less hold so many characters in MySQL: a larger .max is a
// migration.
// - NULLABLE is for texts: NULL reads as "", and "" is written as NULL. All others are NOT NULL.
// - a REAL that is not finite cannot be stored (err_db_failed).
//
// An index over several columns: {"user_id, id", false}; identifiers in [brackets] where reserved.
// With `where`, only rows for which that holds are in it, where the database can (not in MySQL): a
// query that should use it says the same words.
struct table_index {
    const char *columns;
    bool unique;
    const char *where;
};

struct table {
    const char *name;
    size_t row_size;
    const struct field *fields;
    const struct table_index *indexes; // ends with {0}; NULL if none
};

#define TABLE(name_, T, fields_, ...)                                                              \
    {.name = (name_), .row_size = sizeof(T), .fields = (fields_), __VA_ARGS__}

struct rows {
    void *items; // an array of the table's struct, in the arena
    size_t count;
};

// dsn: "sqlite:/path/file.db", created if it is missing; "postgres://user:password@host:port/name",
// "mysql://..." or "user:password@tcp(host:port)/name", each with options (docs/databases.md).
// err_db_unavailable if it cannot be opened.
struct err *db_pool_open(struct arena *a, const char *dsn, int connections, struct db_pool **out);
void db_pool_close(struct db_pool *p); // waits until all have been returned; NULL is fine

// Waits up to 3 s for a connection; err_db_busy after that. While a server is not reached, one at a
// time tries it, three times a second at most; everybody else gets err_db_unavailable at once.
struct err *db_lease(struct db_pool *p, struct arena *a, struct db **out);
void db_return(struct db *db);          // NULL is fine; an open transaction is rolled back
void db_pool_shrink(struct db_pool *p); // idle connections give back what they keep in memory
int db_pool_busy(const struct db_pool *p);
int db_pool_size(const struct db_pool *p);

static inline void db_return_at(struct db **db)
{
    db_return(*db);
}
// A connection for the rest of the block: DB(db); TRY(db_lease(pool, a, &db));
#define DB(name) __attribute__((cleanup(db_return_at))) struct db *name = NULL

// Creates missing tables, columns and indexes from the field tables, and runs the numbered
// migrations that have not been run, each exactly once, under a lock that a second starting node
// waits for. Refuses a database that a newer program has migrated, or that holds tables of these
// names which are not ours (err_db_failed). migrate.c says what a migration may assume.
// `tables` ends with NULL, `migrations` with {0}; NULL if there are none.
struct migration {
    int number;       // 1, 2, 3 ...
    const char *name; // for the record
    struct err *(*run)(struct db *db, struct arena *a);
};
struct err *db_migrate(struct db *db, struct arena *a, const struct table *const *tables,
                       const struct migration *migrations);

// For migrations: does the database (not the field table) have this column?
struct err *db_has_column(struct db *db, struct arena *a, const char *table, const char *column,
                          bool *has);

// For migrations: makes the table's missing indexes now, not when all migrations have run.
struct err *db_add_indexes(struct db *db, struct arena *a, const struct table *t);

// For migrations: drops the index over these columns if there is one.
struct err *db_drop_index(struct db *db, struct arena *a, const struct table *t,
                          struct table_index index);

struct db_where {
    const char *sql;
    size_t count;
    const struct field_value *params;
};

// --- statements ---------------------------------------------------------------
//
// db_find(db, a, &token_table, &token, "[key] = ?", P(key))   err_not_found if there is none
// db_list(db, a, &token_table, &rows, "user_id = ? ORDER BY id", P(user_id))
// db_exec(db, a, &changed, "UPDATE tokens SET used = used + ? WHERE id = ?", P(n), P(id))
// db_query(db, a, &day_table, &rows, "SELECT day, SUM(quota) FROM logs GROUP BY day")
//     as db_list, but the whole text: a result column for each field of the table, in its order
// db_int(db, a, &sum, "SELECT COUNT(*) FROM tokens WHERE user_id = ?", P(user_id))
//     0 if there is no row or its value is NULL; err_db_failed if it is not within int64_t
//
// db_find and db_list write every member, zero where there is no column. The WHERE part may be ""
// or begin with ORDER BY. P(NULL text) is SQL's NULL, which equals nothing; P("") is a text.
// `changed` may be NULL; it counts rows that matched, also where the value stayed the same.
//
// A violated unique index is err_db_duplicate; a lock that could not be had, a deadlock or a
// statement that took too long err_db_busy; a lost connection err_db_unavailable; anything else
// err_db_failed.
#define db_find(db, a, t, row, ...) db_find_((db), (a), (t), (row), DB_WHERE(__VA_ARGS__))
#define db_list(db, a, t, rows, ...) db_list_((db), (a), (t), (rows), DB_WHERE(__VA_ARGS__))
#define db_query(db, a, t, rows, ...) db_query_((db), (a), (t), (rows), DB_WHERE(__VA_ARGS__))
#define db_exec(db, a, changed, ...) db_exec_((db), (a), (changed), DB_WHERE(__VA_ARGS__))
#define db_int(db, a, out, ...) db_int_((db), (a), (out), DB_WHERE(__VA_ARGS__))

// Inserts and sets the row's KEY member to the new id.
struct err *db_insert(struct db *db, struct arena *a, const struct table *t, void *row);
// Inserts `count` rows (an array of the table's struct) in as few statements as possible; all of
// them or none. The KEY members stay as they are.
struct err *db_insert_all(struct db *db, struct arena *a, const struct table *t, const void *rows,
                          size_t count);
// Writes every column but the KEY, by KEY. err_not_found if there is no such row.
struct err *db_update(struct db *db, struct arena *a, const struct table *t, const void *row);
// Writes the named columns only, by KEY: db_update_only(db, a, &user_table, &user, "email", NULL)
struct err *db_update_only(struct db *db, struct arena *a, const struct table *t, const void *row,
                           ...) __attribute__((sentinel));
// INSERT, or UPDATE of all other columns where `unique` (comma-separated) already stands: SUMMED
// ones grow by the value.
struct err *db_upsert(struct db *db, struct arena *a, const struct table *t, const void *row,
                      const char *unique);
// The same for `count` rows that differ in `unique`, in as few statements as possible; all or none.
struct err *db_upsert_all(struct db *db, struct arena *a, const struct table *t, const void *rows,
                          size_t count, const char *unique);

// Changes many rows, each by numbers of its own, in few statements. `rows` has for each row its key
// and a value for each of the sets; keys ascend. *changed counts the rows that were there.
//     struct db_each each = {"users", "id", {{"used", "used + ?"}, {"seen_at", "?"}}, .shared =
//     true}; TRY(db_update_each(db, a, &changed, &each, (int64_t[]){1, 10, now, 2, 20, now}, 2));
struct db_each {
    const char *table, *key;
    struct db_each_set {
        const char *column, *becomes; // an expression with one `?`
    } sets[4];                        // ends with {0}
    bool shared;                      // others do the same: rows are locked in the keys' order
    struct db_where where;            // what else must hold; .sql NULL: nothing
};
struct err *db_update_each(struct db *db, struct arena *a, int64_t *changed,
                           const struct db_each *each, const int64_t *rows, size_t count);

#define P(v)                                                                                       \
    _Generic((v),                                                                                  \
        bool: p_int,                                                                               \
        int: p_int,                                                                                \
        int64_t: p_int,                                                                            \
        double: p_real,                                                                            \
        char *: p_text,                                                                            \
        const char *: p_text)(v)
static inline struct field_value p_int(int64_t v)
{
    return (struct field_value){FIELD_BIG, {.i = v}};
}
static inline struct field_value p_real(double v)
{
    return (struct field_value){FIELD_REAL, {.r = v}};
}
static inline struct field_value p_text(const char *v)
{
    return (struct field_value){FIELD_TEXT, {.s = v}};
}

#define DB_WHERE(...) DB_WHERE_(__VA_ARGS__, {0})
#define DB_WHERE_(sql_, ...)                                                                       \
    ((struct db_where){                                                                            \
        (sql_), sizeof((struct field_value[]){__VA_ARGS__}) / sizeof(struct field_value) - 1,      \
        (struct field_value[]){__VA_ARGS__}})

struct err *db_find_(struct db *db, struct arena *a, const struct table *t, void *row,
                     struct db_where w);
struct err *db_list_(struct db *db, struct arena *a, const struct table *t, struct rows *rows,
                     struct db_where w);
struct err *db_query_(struct db *db, struct arena *a, const struct table *t, struct rows *rows,
                      struct db_where w);
struct err *db_exec_(struct db *db, struct arena *a, int64_t *changed, struct db_where w);
struct err *db_int_(struct db *db, struct arena *a, int64_t *out, struct db_where w);

// --- lists for people ---------------------------------------------------------
//
//     struct db_filter filters[] = {{"status", DB_IS, P(1)}, {"created_at", DB_FROM, P(since)}};
//     struct db_page page = {.page = 2, .size = 20, .filters = filters, .filter_count = 2,
//                            .keyword = "foo", .keyword_in = "name,email", .sort = "created_at"};
//     TRY(db_page(db, a, &user_table, &rows, &page, "role < ?", P(role)));   "" = all rows
//
// What the caller's caller may choose is checked: filters need the field's FILTER flag, sort needs
// SORT, values must be of the field's type; err_field_invalid names the field.
enum db_op { DB_IS, DB_FROM, DB_TO, DB_CONTAINS }; // = >= <= and "has this text in it"

struct db_filter {
    const char *field;
    enum db_op op;
    struct field_value value; // as field_parse reads it
};

enum { DB_PAGE_DEFAULT = 20, DB_PAGE_MAX = 100 };

struct db_page {
    int64_t page; // from 1; less counts as 1
    int64_t size; // less than 1 is DB_PAGE_DEFAULT, more than DB_PAGE_MAX is DB_PAGE_MAX
    const struct db_filter *filters;
    size_t filter_count;
    const char *keyword;    // must stand in one of the fields, whatever the case of ASCII letters
    const char *keyword_in; // "name,email"
    const char *sort;       // NULL or "": by KEY
    bool ascending;         // newest first otherwise

    // Keyset paging for long tables, by KEY only: no total is counted, `page` and `sort` do not
    // count, rows begin behind the KEY `after` (0 = at the beginning).
    bool keyset;
    int64_t after;

    int64_t total; // out: rows on all pages
    int64_t next;  // out, with keyset: `after` of the next page, 0 if this one is the last
};

#define db_page(db, a, t, rows, page, ...)                                                         \
    db_page_((db), (a), (t), (rows), (page), DB_WHERE(__VA_ARGS__))
struct err *db_page_(struct db *db, struct arena *a, const struct table *t, struct rows *rows,
                     struct db_page *page, struct db_where w);

// The conditions of filters alone, joined by AND; "" if there are none. For a search that pages in
// its own way.
struct err *db_filter_sql(struct arena *a, const struct table *t, const struct db_filter *filters,
                          size_t count, struct db_where *out);

// --- transactions -------------------------------------------------------------
//
// One at a time on a connection: tx_begin inside another fails. After a statement that failed
// everything fails until the block is left, and nothing is kept.
//
// SQLite runs one at a time. The others run them side by side, and each statement sees what was
// committed before it: a value that was read may have changed when the next statement writes. So
// let a conditional UPDATE decide and look at `changed`, or read with db_lock. Who locks rows in
// the same order as everybody else (users, tokens, channels; by id) never meets a deadlock; who
// cannot, puts the transaction into a function for db_retry.
//
//     TX tx = tx_begin(db, a);      // for writing from the start; rolled back on every way out
//     TRY(tx.failed);
//     TRY(db_exec(...));
//     return tx_commit(&tx, a);     // but this one
struct tx {
    struct db *db;
    struct err *failed;
    bool done;
};
#define TX __attribute__((cleanup(tx_end))) struct tx
struct tx tx_begin(struct db *db, struct arena *a);
struct err *tx_commit(struct tx *tx, struct arena *a);
void tx_end(struct tx *tx);

// As db_find, and until the transaction ends nobody else changes or locks that row.
#define db_lock(db, a, t, row, ...) db_lock_((db), (a), (t), (row), DB_WHERE(__VA_ARGS__))
struct err *db_lock_(struct db *db, struct arena *a, const struct table *t, void *row,
                     struct db_where w);
// Where no row stands for what must not change: until the transaction ends no other gets past its
// own db_alone, on any node.
struct err *db_alone(struct db *db, struct arena *a);

// Runs `work`, a whole transaction, again while it fails with err_db_busy, for some seconds.
struct err *db_retry(struct db *db, struct arena *a,
                     struct err *(*work)(struct db *db, struct arena *a, void *arg), void *arg);
