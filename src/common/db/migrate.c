// Bringing a database to the state this program knows, once, whoever starts first.
//
// How the schema changes:
// - A new table, column or index is only a new row in a field table. It is added at the next start,
//   with the field's default in the rows that are there.
// - Anything else (renaming, splitting, dropping, correcting values) is a migration: a new entry at
//   the end of the list, with the next number. Entries are never edited, renumbered or removed.
//
// What db_migrate does, in this order, under the lock:
// 1. reads schema_migrations. Number 0 is the database's birth mark. A database that has tables of
//    ours but no birth mark is somebody else's, and one with a number above ours is newer: refused.
// 2. a fresh database: writes the birth mark and all numbers, as done, because they are for older
//    states. Before the tables, so that a start killed between them is simply continued.
// 3. creates missing tables and columns.
// 4. runs each migration that has no row, and writes its row.
// 5. creates missing indexes: a new UNIQUE one may need what a migration has tidied up.
//
// So a migration finds every column of today's field tables, and of the older ones those that the
// database had: it asks db_has_column before it reads a column that no field table names any more,
// and db_add_indexes before it looks for rows by an index that may be new.
// "Rename a to b" is: a field row for b; a migration that says UPDATE t SET b = a, then drops a.
// Everything is one transaction where DDL can be rolled back (SQLite, PostgreSQL): a migration
// must not begin its own. MySQL commits at each DDL, and a migration killed half-way runs again:
// each must bear being run twice, and does if it asks db_has_column first. One without DDL is one
// transaction there, too.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/db/driver.h"
#include "common/db/schema.h"

struct done {
    int number;
    const char *name;
    int64_t applied_at;
};

static const struct field done_fields[] = {
    FIELD(struct done, number, .flags = UNIQUE),
    FIELD(struct done, name, .max = 255),
    FIELD(struct done, applied_at),
    {0},
};
static const struct table done_table = TABLE("schema_migrations", struct done, done_fields);

static const char birth_mark[] = "created";

static struct err *mark(struct db *db, struct arena *a, int number, const char *name)
{
    struct done done = {number, name, clock_now()};
    return db_insert(db, a, &done_table, &done);
}

static const struct done *find_done(const struct rows *rows, int number)
{
    const struct done *d = rows->items;
    for (size_t i = 0; i < rows->count; i++)
        if (d[i].number == number)
            return &d[i];
    return NULL;
}

static struct err *check_list(struct arena *a, const struct migration *migrations)
{
    int last = 0;
    for (const struct migration *m = migrations; m && m->number; last = m->number, m++)
        if (m->number != last + 1 || !m->run || text_is_empty(m->name))
            return err_new(a, &err_db_failed, "migration %d is not well-formed", m->number);
    return NULL;
}

static int newest(const struct migration *migrations)
{
    int number = 0;
    for (const struct migration *m = migrations; m && m->number; m++)
        number = m->number;
    return number;
}

// Is what was done what we would have done?
static struct err *check_done(struct arena *a, const struct rows *rows,
                              const struct migration *migrations)
{
    int last = newest(migrations);
    const struct done *d = rows->items;
    for (size_t i = 0; i < rows->count; i++) {
        if (d[i].number > last)
            return err_new(a, &err_db_failed,
                           "the database has migration %d (%s); this program knows %d: start the "
                           "newer program, or restore the backup made before it",
                           d[i].number, d[i].name, last);
        if (d[i].number > 0 && !text_eq(d[i].name, migrations[d[i].number - 1].name))
            return err_new(a, &err_db_failed,
                           "the database's migration %d is '%s', this program's is '%s'",
                           d[i].number, d[i].name, migrations[d[i].number - 1].name);
    }
    return NULL;
}

static struct err *refuse_strangers(struct db *db, struct arena *a,
                                    const struct table *const *tables)
{
    for (; *tables; tables++) {
        struct rows columns;
        TRY(schema_columns(db, a, (*tables)->name, &columns));
        if (columns.count)
            return err_new(a, &err_db_failed,
                           "the database has a table %s that is not Token Factory's: name an "
                           "empty database",
                           (*tables)->name);
    }
    return NULL;
}

// Where DDL commits, what was done so far is kept: a migration without DDL runs once, or not at
// all.
static struct err *keep(struct db *db, struct arena *a)
{
    return db->driver->words.ddl_commits ? db_command(db, a, "COMMIT") : NULL;
}

static struct err *begin_fresh(struct db *db, struct arena *a, const struct table *const *tables,
                               const struct migration *migrations)
{
    TRY(refuse_strangers(db, a, tables));
    TRY(mark(db, a, 0, birth_mark));
    for (const struct migration *m = migrations; m && m->number; m++)
        TRY(mark(db, a, m->number, m->name));
    return keep(db, a);
}

static struct err *read_done(struct db *db, struct arena *a, struct rows *rows)
{
    return db_list(db, a, &done_table, rows, "ORDER BY number");
}

static struct err *run_missing(struct db *db, struct arena *a, const struct rows *rows,
                               const struct migration *migrations)
{
    for (const struct migration *m = migrations; m && m->number; m++) {
        if (find_done(rows, m->number))
            continue;
        struct err *e = m->run(db, a);
        if (e) {
            e->detail = arena_printf(a, "migration %d (%s): %s", m->number, m->name, e->detail);
            return e;
        }
        TRY(mark(db, a, m->number, m->name));
        TRY(keep(db, a));
    }
    return NULL;
}

// Where there is no record yet, what is there is left as it is until it is known to be ours.
static struct err *open_record(struct db *db, struct arena *a, const struct table *const *tables)
{
    struct rows columns;
    TRY(schema_columns(db, a, done_table.name, &columns));
    if (!columns.count)
        TRY(refuse_strangers(db, a, tables));
    TRY(schema_add_columns(db, a, &done_table));
    return db_add_indexes(db, a, &done_table);
}

// What has been done to this database; a fresh one is marked first.
static struct err *look_back(struct db *db, struct arena *a, const struct table *const *tables,
                             const struct migration *migrations, struct rows *rows)
{
    TRY(open_record(db, a, tables));
    TRY(read_done(db, a, rows));
    if (!find_done(rows, 0)) {
        TRY(begin_fresh(db, a, tables, migrations));
        TRY(read_done(db, a, rows));
    }
    return check_done(a, rows, migrations);
}

static struct err *each(struct db *db, struct arena *a, const struct table *const *tables,
                        struct err *(*add)(struct db *, struct arena *, const struct table *))
{
    for (; *tables; tables++)
        TRY(add(db, a, *tables));
    return NULL;
}

static struct err *migrate(struct db *db, struct arena *a, const struct table *const *tables,
                           const struct migration *migrations)
{
    struct rows rows;
    TRY(look_back(db, a, tables, migrations, &rows));
    TRY(each(db, a, tables, schema_add_columns));
    TRY(run_missing(db, a, &rows, migrations));
    return each(db, a, tables, db_add_indexes);
}

struct err *db_alone(struct db *db, struct arena *a)
{
    struct done birth;
    return db_lock(db, a, &done_table, &birth, "number = 0");
}

struct err *db_migrate(struct db *db, struct arena *a, const struct table *const *tables,
                       const struct migration *migrations)
{
    if (db->in_tx)
        return err_new(a, &err_db_failed, "db_migrate inside a transaction");
    TRY(check_list(a, migrations));
    TRY(db->driver->lock(db, a));
    db->in_tx = true;
    struct err *e = migrate(db, a, tables, migrations);
    struct err *end = db->driver->unlock(db, a, !e);
    db->in_tx = db->tx_lost = false;
    return e ? e : end;
}
