// A row for each node in each database; nothing here runs while the books are kept.

#include "service/positions.h"

#include "common/arena.h"
#include "model/lease.h"

static struct err *read_row(struct db *db, struct arena *a, const char *node,
                            struct journal_position *out, bool *known)
{
    struct err *e = db_find(db, a, &journal_position_table, out, "node = ?", P(node));
    *known = !e;
    if (*known || e->kind != &err_not_found)
        return e;
    *out = (struct journal_position){.node = node};
    return NULL;
}

static struct err *stranger(const struct ledger_options *o, struct arena *a, const char *folder,
                            const char *which)
{
    return err_new(a, &err_internal,
                   "%s holds records that another %s has to book (this one does not know node %s):"
                   " use that database, or move the folder away",
                   folder, which, o->node);
}

// A node's first start makes its row; from then on a journal without one is another database's.
static struct err *find_main(const struct ledger_options *o, struct arena *a, const char *folder,
                             struct journal_position *row)
{
    bool known;
    DB(db);
    TRY(db_lease(o->pool, a, &db));
    TRY(read_row(db, a, o->node, row, &known));
    if (known)
        return NULL;
    if (journal_exists(folder))
        return stranger(o, a, folder, "database");
    return db_insert(db, a, &journal_position_table, row);
}

static struct err *set_apart(const struct ledger_options *o, struct arena *a, bool apart)
{
    DB(db);
    TRY(db_lease(o->pool, a, &db));
    return db_exec(db, a, NULL, "UPDATE journal_positions SET logs_apart = ? WHERE node = ?",
                   P(apart), P(o->node));
}

// The log's own position if the log was apart before, else the main one. It is in the log database
// before the main database says that the log is apart.
static struct err *find_log(const struct ledger_options *o, struct arena *a, const char *folder,
                            const struct journal_position *home, struct journal_at *at)
{
    struct journal_position row;
    bool known;
    DB(db);
    TRY(db_lease(o->log_pool, a, &db));
    TRY(read_row(db, a, o->node, &row, &known));
    if (home->logs_apart && !known)
        return stranger(o, a, folder, "log database (LOG_SQL_DSN)");
    if (!home->logs_apart) {
        row.segment = home->segment;
        row.offset = home->offset;
        TRY(known ? db_update(db, a, &journal_position_table, &row)
                  : db_insert(db, a, &journal_position_table, &row));
        TRY(set_apart(o, a, true));
    }
    *at = (struct journal_at){row.segment, row.offset};
    return NULL;
}

struct err *positions_find(const struct ledger_options *o, struct arena *a, const char *folder,
                           struct journal_at of[BOOKS_MOST])
{
    struct journal_position home;
    TRY(find_main(o, a, folder, &home));
    of[0] = (struct journal_at){home.segment, home.offset};
    if (o->log_pool != o->pool)
        return find_log(o, a, folder, &home, &of[1]);
    if (home.logs_apart)
        return err_new(a, &err_internal,
                       "node %s has not written all of its log into the database of LOG_SQL_DSN:"
                       " start with that once more, and stop",
                       o->node);
    return NULL;
}

struct err *positions_even(const struct ledger_options *o, struct arena *a)
{
    return o->log_pool == o->pool ? NULL : set_apart(o, a, false);
}
