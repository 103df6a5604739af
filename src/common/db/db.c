// The statements of db.h over whichever driver: values out of rows, rows out of results.

#include "common/db/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/db/driver.h"
#include "common/rand.h"

enum {
    PARAMS_MAX = 30000, // of one statement; PostgreSQL's limit is 65,535
    BEGIN_WAIT_MS = 5000,
    RETRY_MS = 4000,
};

// --- rows to values -------------------------------------------------------------

static const char *purpose(struct arena *a, const struct table *t, const struct field *f)
{
    return arena_printf(a, "%s.%s", t->name, f->name);
}

static struct field_value column_value(struct arena *a, const struct table *t,
                                       const struct field *f, const void *row)
{
    struct field_value v = field_get(f, row);
    if (f->type != FIELD_TEXT)
        return v;
    if (text_is_empty(v.s))
        v.s = f->flags & NULLABLE ? NULL : "";
    else if (f->flags & SEALED)
        v.s = crypto_seal(a, purpose(a, t, f), v.s);
    return v;
}

// The values of the written columns; `only` NULL or a comma-separated list of names.
static size_t column_values(struct arena *a, const struct table *t, const void *row,
                            const char *only, struct field_value *out)
{
    size_t n = 0;
    for (const struct field *f = t->fields; f->name; f++)
        if (is_written(f) && (!only || list_has(only, f->name)))
            out[n++] = column_value(a, t, f, row);
    return n;
}

// --- results to rows --------------------------------------------------------------

static struct err *read_column(struct running *r, struct arena *a, const struct table *t,
                               const struct field *f, int column, void *row)
{
    struct field_value v = {.type = f->type};
    if (!r->db->driver->column(r->statement->handle, a, column, &v))
        return err_new(a, &err_db_failed, "%s.%s: a value of another type or out of range", t->name,
                       f->name);
    if (f->flags & SEALED && !text_is_empty(v.s))
        TRY(crypto_open(a, purpose(a, t, f), v.s, &v.s));
    field_set(f, row, v);
    return NULL;
}

static struct err *read_row(struct running *r, struct arena *a, const struct table *t, void *row)
{
    memset(row, 0, t->row_size);
    int column = 0;
    for (const struct field *f = t->fields; f->name; f++)
        if (is_column(f))
            TRY(read_column(r, a, t, f, column++, row));
    return NULL;
}

static int columns_of(const struct table *t)
{
    int n = 0;
    for (const struct field *f = t->fields; f->name; f++)
        n += is_column(f);
    return n;
}

static struct err *find(struct db *db, struct arena *a, struct sql_key key, void *row,
                        struct db_where w)
{
    RUNNING r = {.db = db};
    const struct table *t = key.table;
    bool found = false;
    TRY(running_start(&r, a, key, w.params, w.count));
    TRY(running_next(&r, a, &found));
    if (!found)
        return err_new(a, &err_not_found, "%s where %s", t->name, w.sql);
    return read_row(&r, a, t, row);
}

struct err *db_find_(struct db *db, struct arena *a, const struct table *t, void *row,
                     struct db_where w)
{
    return find(db, a, (struct sql_key){SQL_SELECT, 0, t, w.sql}, row, w);
}

struct err *db_lock_(struct db *db, struct arena *a, const struct table *t, void *row,
                     struct db_where w)
{
    if (!db->in_tx)
        return err_new(a, &err_db_failed, "a lock on %s outside a transaction", t->name);
    return find(db, a, (struct sql_key){SQL_LOCK, 0, t, w.sql}, row, w);
}

// Grows outside the arena, so that the arena holds the rows once.
struct gathered {
    char *items;
    size_t count, cap;
};

static void gathered_free(struct gathered *g)
{
    free(g->items);
}

static void *gathered_room(struct gathered *g, size_t row_size)
{
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 32;
        g->items = mem_resize(g->items, g->cap * row_size);
    }
    return g->items + g->count++ * row_size;
}

static struct err *list(struct db *db, struct arena *a, struct sql_key key, struct rows *rows,
                        struct db_where w)
{
    __attribute__((cleanup(gathered_free))) struct gathered g = {0};
    RUNNING r = {.db = db};
    const struct table *t = key.table;
    *rows = (struct rows){0};
    TRY(running_start(&r, a, key, w.params, w.count));
    if (db->driver->columns(r.statement->handle) != columns_of(t))
        return err_new(a, &err_db_failed, "not the columns of %s: %.500s", t->name, w.sql);
    for (bool more = true;;) {
        TRY(running_next(&r, a, &more));
        if (!more)
            break;
        TRY(read_row(&r, a, t, gathered_room(&g, t->row_size)));
    }
    void *items = arena_raw(a, g.count * t->row_size);
    if (g.count)
        memcpy(items, g.items, g.count * t->row_size);
    *rows = (struct rows){items, g.count};
    return NULL;
}

struct err *db_list_(struct db *db, struct arena *a, const struct table *t, struct rows *rows,
                     struct db_where w)
{
    return list(db, a, (struct sql_key){SQL_SELECT, 0, t, w.sql}, rows, w);
}

struct err *db_query_(struct db *db, struct arena *a, const struct table *t, struct rows *rows,
                      struct db_where w)
{
    return list(db, a, (struct sql_key){SQL_AS_IS, 0, t, w.sql}, rows, w);
}

struct err *db_int_(struct db *db, struct arena *a, int64_t *out, struct db_where w)
{
    RUNNING r = {.db = db};
    struct field_value v = {.type = FIELD_BIG};
    bool some = false;
    *out = 0;
    TRY(running_start(&r, a, (struct sql_key){SQL_AS_IS, 0, NULL, w.sql}, w.params, w.count));
    TRY(running_next(&r, a, &some));
    if (some && !db->driver->column(r.statement->handle, a, 0, &v))
        return err_new(a, &err_db_failed, "not a whole number of 64 bits: %.500s", w.sql);
    *out = v.i;
    return NULL;
}

// --- changes --------------------------------------------------------------------

// Runs to the end. If the INSERT gives the new id as a row, *id is that.
static struct err *finish(struct running *r, struct arena *a, int64_t *id)
{
    struct field_value v = {.type = FIELD_BIG};
    for (bool more = true; more;) {
        TRY(running_next(r, a, &more));
        if (more && id && !r->db->driver->column(r->statement->handle, a, 0, &v))
            return err_new(a, &err_db_failed, "no new id: %.500s", r->statement->sql);
    }
    if (id)
        *id = r->db->driver->words.returning ? v.i : r->db->driver->last_id(r->db);
    return NULL;
}

struct values {
    const struct field_value *items;
    size_t count;
};

// `changed` and `id` may be NULL.
static struct err *change(struct db *db, struct arena *a, struct sql_key key, struct values v,
                          int64_t *changed, int64_t *id)
{
    RUNNING r = {.db = db};
    TRY(running_start(&r, a, key, v.items, v.count));
    TRY(finish(&r, a, id));
    if (changed)
        *changed = db->driver->changed(db, r.statement->handle);
    return NULL;
}

struct err *db_exec_(struct db *db, struct arena *a, int64_t *changed, struct db_where w)
{
    struct sql_key key = {SQL_AS_IS, 0, NULL, w.sql};
    return change(db, a, key, (struct values){w.params, w.count}, changed, NULL);
}

struct err *db_insert(struct db *db, struct arena *a, const struct table *t, void *row)
{
    struct field_value *params = NEW_ARRAY(a, struct field_value, table_written(t));
    size_t n = column_values(a, t, row, NULL, params);
    const struct field *key = table_key(t);
    struct field_value id = {.type = FIELD_BIG};
    TRY(change(db, a, (struct sql_key){SQL_INSERT, 1, t, NULL}, (struct values){params, n}, NULL,
               key ? &id.i : NULL));
    if (key)
        field_set(key, row, id);
    return NULL;
}

size_t db_chunk_of(size_t left, size_t columns)
{
    static const size_t sizes[] = {64, 16, 4};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        if (sizes[i] <= left && sizes[i] * columns <= PARAMS_MAX)
            return sizes[i];
    return 1;
}

// `statement` is the INSERT or UPSERT of one row.
static struct err *write_chunks(struct db *db, struct arena *a, struct sql_key statement,
                                const char *rows, size_t count)
{
    const struct table *t = statement.table;
    size_t columns = table_written(t), chunk;
    struct field_value *params =
        NEW_ARRAY(a, struct field_value, db_chunk_of(count, columns) * columns);
    for (; count; rows += chunk * t->row_size, count -= chunk) {
        chunk = db_chunk_of(count, columns);
        statement.rows = (int)chunk;
        size_t n = 0;
        for (size_t i = 0; i < chunk; i++)
            n += column_values(a, t, rows + i * t->row_size, NULL, params + n);
        TRY(change(db, a, statement, (struct values){params, n}, NULL, NULL));
    }
    return NULL;
}

static struct err *write_all(struct db *db, struct arena *a, struct sql_key statement,
                             const void *rows, size_t count)
{
    if (count == 0)
        return NULL;
    if (db->in_tx || db_chunk_of(count, table_written(statement.table)) == count)
        return write_chunks(db, a, statement, rows, count);
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(write_chunks(db, a, statement, rows, count));
    return tx_commit(&tx, a);
}

struct err *db_insert_all(struct db *db, struct arena *a, const struct table *t, const void *rows,
                          size_t count)
{
    return write_all(db, a, (struct sql_key){SQL_INSERT, 1, t, NULL}, rows, count);
}

static struct err *update(struct db *db, struct arena *a, const struct table *t, const void *row,
                          struct sql_key statement)
{
    const struct field *key = table_key(t);
    if (!key)
        return err_new(a, &err_db_failed, "%s has no KEY to update by", t->name);
    struct field_value *params = NEW_ARRAY(a, struct field_value, table_written(t) + 1);
    size_t n = column_values(a, t, row, statement.text, params);
    params[n] = field_get(key, row);
    int64_t changed = 0;
    TRY(change(db, a, statement, (struct values){params, n + 1}, &changed, NULL));
    return changed ? NULL : err_new(a, &err_not_found, "%s %lld", t->name, (long long)params[n].i);
}

struct err *db_update(struct db *db, struct arena *a, const struct table *t, const void *row)
{
    return update(db, a, t, row, (struct sql_key){SQL_UPDATE, 0, t, NULL});
}

// The named columns as one comma-separated text.
static struct err *join_columns(struct arena *a, const struct table *t, va_list names,
                                struct buf *out)
{
    for (const char *name; (name = va_arg(names, const char *));) {
        const struct field *f = field_by_name(t->fields, name);
        if (!f || !is_written(f))
            return err_new(a, &err_db_failed, "%s has no column %s to write", t->name, name);
        buf_printf(out, out->n ? ",%s" : "%s", name);
    }
    return out->n ? NULL : err_new(a, &err_db_failed, "%s: no columns named", t->name);
}

struct err *db_update_only(struct db *db, struct arena *a, const struct table *t, const void *row,
                           ...)
{
    BUF_HERE(names, SQL_TEXT_MAX);
    va_list args;
    va_start(args, row);
    struct err *e = join_columns(a, t, args, &names);
    va_end(args);
    return e ? e : update(db, a, t, row, (struct sql_key){SQL_UPDATE_ONLY, 0, t, names.p});
}

struct err *db_upsert_all(struct db *db, struct arena *a, const struct table *t, const void *rows,
                          size_t count, const char *unique)
{
    return write_all(db, a, (struct sql_key){SQL_UPSERT, 1, t, unique}, rows, count);
}

struct err *db_upsert(struct db *db, struct arena *a, const struct table *t, const void *row,
                      const char *unique)
{
    return db_upsert_all(db, a, t, row, 1, unique);
}

// --- transactions -----------------------------------------------------------------

// Some collisions are reported at once, without the wait that the connection is set to.
static struct err *begin(struct db *db, struct arena *a)
{
    int64_t until = clock_steady_ms() + BEGIN_WAIT_MS;
    for (;;) {
        struct err *e = db_command(db, a, db->driver->words.begin);
        if (!e || e->kind != &err_db_busy || clock_steady_ms() >= until)
            return e;
        usleep((useconds_t)(1000 + rand_below(50 * 1000)));
    }
}

struct tx tx_begin(struct db *db, struct arena *a)
{
    if (db->in_tx)
        return (struct tx){.failed = err_new(a, &err_db_failed, "a transaction inside another"),
                           .done = true};
    struct err *e = begin(db, a);
    db->in_tx = !e;
    return (struct tx){.db = db, .failed = e, .done = e != NULL};
}

struct err *tx_commit(struct tx *tx, struct arena *a)
{
    if (tx->failed)
        return tx->failed;
    if (tx->db->tx_lost)
        return err_new(a, &err_db_failed, "nothing to commit: an earlier failure has ended it");
    TRY(db_command(tx->db, a, "COMMIT"));
    tx->db->in_tx = false;
    tx->done = true;
    return NULL;
}

struct err *db_retry(struct db *db, struct arena *a,
                     struct err *(*work)(struct db *db, struct arena *a, void *arg), void *arg)
{
    int64_t until = clock_steady_ms() + RETRY_MS;
    for (int pause_ms = 20;; pause_ms *= 2) {
        struct err *e = work(db, a, arg);
        if (!e || e->kind != &err_db_busy || clock_steady_ms() >= until)
            return e;
        usleep((useconds_t)(1000 + rand_below((uint64_t)pause_ms * 1000)));
    }
}

void tx_end(struct tx *tx)
{
    if (tx->done)
        return;
    ARENA(a);
    struct db *db = tx->db;
    if (db->driver->in_tx(db) && db_command(db, a, "ROLLBACK"))
        db->broken = true;
    db->in_tx = db->tx_lost = false;
    tx->done = true;
}
