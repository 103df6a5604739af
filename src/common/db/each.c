// UPDATE of many rows, each by values of its own, in few statements:
//     UPDATE t SET c = CASE id WHEN 1 THEN c + 5 WHEN 2 THEN c + 7 ELSE c END WHERE id IN (1, 2)
// which all three databases take. A round trip for each row is what would limit a busy node.

#include <string.h>

#include "common/arena.h"
#include "common/db/driver.h"

enum { SETS_MOST = 3 };

struct part {
    const struct db_each *each;
    const int64_t *rows;
    size_t count, width; // of rows; a row is so many numbers
    struct buf sql;
    struct field_value *params;
    size_t param_count;
};

static void put_param(struct part *p, int64_t v)
{
    p->params[p->param_count++] = P(v);
}

static void put_set(struct part *p, size_t at)
{
    const struct db_each_set *set = &p->each->sets[at];
    buf_printf(&p->sql, at ? ", [%s] = " : "[%s] = ", set->column);
    if (p->count > 1)
        buf_printf(&p->sql, "CASE [%s]", p->each->key);
    for (size_t i = 0; i < p->count; i++) {
        const int64_t *row = p->rows + i * p->width;
        if (p->count > 1) {
            buf_printf(&p->sql, " WHEN ? THEN %s", set->becomes);
            put_param(p, row[0]);
        } else {
            buf_puts(&p->sql, set->becomes);
        }
        put_param(p, row[1 + at]);
    }
    if (p->count > 1)
        buf_printf(&p->sql, " ELSE [%s] END", set->column);
}

static void put_keys(struct part *p)
{
    buf_printf(&p->sql, "[%s] IN (", p->each->key);
    for (size_t i = 0; i < p->count; i++) {
        buf_puts(&p->sql, i ? ", ?" : "?");
        put_param(p, p->rows[i * p->width]);
    }
    buf_puts(&p->sql, ")");
    const struct db_where *where = &p->each->where;
    if (text_is_empty(where->sql))
        return;
    buf_printf(&p->sql, " AND %s", where->sql);
    for (size_t i = 0; i < where->count; i++)
        p->params[p->param_count++] = where->params[i];
}

static struct db_where where_of(const struct part *p)
{
    return (struct db_where){p->sql.p, p->param_count, p->params};
}

struct locked {
    int64_t key;
};

// A database locks the rows of one statement in the order in which it comes across them.
static struct err *lock_in_order(struct db *db, struct arena *a, struct part *p)
{
    const struct field fields[] = {FIELD_AS(struct locked, key, p->each->key), {0}};
    const struct table t = TABLE(p->each->table, struct locked, fields);
    struct rows rows;
    buf_printf(&p->sql, "SELECT [%s] FROM [%s] WHERE ", p->each->key, p->each->table);
    put_keys(p);
    buf_printf(&p->sql, " ORDER BY [%s]%s", p->each->key, db->driver->words.for_update);
    return db_query_(db, a, &t, &rows, where_of(p));
}

static struct err *update(struct db *db, struct arena *a, struct part *p, int64_t *changed)
{
    buf_printf(&p->sql, "UPDATE [%s] SET ", p->each->table);
    for (size_t i = 0; i + 1 < p->width; i++)
        put_set(p, i);
    buf_puts(&p->sql, " WHERE ");
    put_keys(p);
    return db_exec_(db, a, changed, where_of(p));
}

static struct err *update_part(struct db *db, struct arena *a, struct part p, int64_t *changed)
{
    size_t most = p.count * (2 * p.width - 1) + p.each->where.count;
    p.params = NEW_ARRAY(a, struct field_value, most);
    p.sql = BUF(SQL_TEXT_MAX);
    struct err *e = NULL;
    if (p.count > 1 && p.each->shared && *db->driver->words.for_update)
        e = lock_in_order(db, a, &p);
    buf_clear(&p.sql);
    p.param_count = 0;
    if (!e)
        e = update(db, a, &p, changed);
    buf_free(&p.sql);
    return e;
}

struct err *db_update_each(struct db *db, struct arena *a, int64_t *changed,
                           const struct db_each *each, const int64_t *rows, size_t count)
{
    size_t width = 1, chunk;
    while (width <= SETS_MOST && each->sets[width - 1].column)
        width++;
    *changed = 0;
    for (; count; rows += chunk * width, count -= chunk) {
        int64_t n = 0;
        chunk = db_chunk_of(count, 2 * width);
        TRY(update_part(db, a, (struct part){each, rows, chunk, width, {0}, NULL, 0}, &n));
        *changed += n;
    }
    return NULL;
}
