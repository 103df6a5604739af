// DDL from field tables: CREATE TABLE, ADD COLUMN, CREATE INDEX.

#include "common/db/schema.h"

#include <string.h>

#include "common/arena.h"
#include "common/db/driver.h"
#include "common/hash.h"

enum {
    INDEXED_TEXT_MAX = 768, // MySQL: 3072 bytes of four-byte characters ...
    INDEX_BYTES_MAX = 3072, // ... in all columns together
    NAME_MAX_LENGTH = 60,   // PostgreSQL cuts names at 63
};

// --- what is there ----------------------------------------------------------------

static const struct field name_fields[] = {FIELD(struct schema_name, name), {0}};
static const struct table name_table = TABLE("names", struct schema_name, name_fields);

struct err *schema_columns(struct db *db, struct arena *a, const char *table, struct rows *names)
{
    return db_query(db, a, &name_table, names, db->driver->words.columns, P(table));
}

bool schema_has(const struct rows *names, const char *name)
{
    const struct schema_name *n = names->items;
    for (size_t i = 0; i < names->count; i++)
        if (text_eq(n[i].name, name))
            return true;
    return false;
}

struct err *db_has_column(struct db *db, struct arena *a, const char *table, const char *column,
                          bool *has)
{
    struct rows names;
    TRY(schema_columns(db, a, table, &names));
    *has = schema_has(&names, column);
    return NULL;
}

// --- columns ----------------------------------------------------------------------

static bool is_sized(const struct db_words *w, const struct field *f)
{
    return w->varchar && f->type == FIELD_TEXT && f->max > 0 && f->max <= INDEXED_TEXT_MAX &&
           !(f->flags & SEALED);
}

static void put_text(struct buf *out, const char *s)
{
    buf_puts(out, "'");
    for (; *s; s++)
        buf_printf(out, *s == '\'' ? "'%c" : "%c", *s);
    buf_puts(out, "'");
}

static void put_text_default(const struct db_words *w, const struct field *f, struct buf *out)
{
    bool expression = w->text_default_is_expression && !is_sized(w, f);
    buf_puts(out, expression ? " DEFAULT (" : " DEFAULT ");
    put_text(out, f->def ? f->def : "");
    buf_puts(out, expression ? ")" : "");
}

static struct err *put_default(struct arena *a, const struct db_words *w, const struct field *f,
                               struct buf *out)
{
    if (f->type == FIELD_TEXT) {
        put_text_default(w, f, out);
        return NULL;
    }
    struct field_value v = {.type = f->type};
    if (f->def)
        TRY(field_parse(a, f, f->def, &v));
    if (f->type == FIELD_REAL)
        buf_printf(out, " DEFAULT %.17g", v.r);
    else
        buf_printf(out, " DEFAULT %lld", (long long)v.i);
    return NULL;
}

static struct err *put_column(struct arena *a, const struct db_words *w, const struct field *f,
                              struct buf *out)
{
    buf_printf(out, "[%s] ", f->name);
    if (f->flags & KEY) {
        buf_puts(out, w->key);
        return NULL;
    }
    if (is_sized(w, f))
        buf_printf(out, "VARCHAR(%d)", (int)f->max);
    else
        buf_puts(out, w->type[f->type]);
    if (f->type == FIELD_TEXT && f->flags & NULLABLE)
        return NULL;
    buf_puts(out, " NOT NULL");
    return put_default(a, w, f, out);
}

// DDL is run as it is written here, once; nothing to gain from keeping it prepared.
static struct err *run(struct db *db, struct arena *a, const struct buf *sql)
{
    BUF_HERE(text, SQL_TEXT_MAX);
    size_t places;
    if (!sql_rewrite(&text, &db->driver->words, sql->p, &places) || places || sql->overflow)
        return err_new(a, &err_db_failed, "malformed: %.500s", sql->p);
    return db_command(db, a, text.p);
}

static struct err *create_table(struct db *db, struct arena *a, const struct table *t)
{
    BUF_HERE(sql, SQL_TEXT_MAX);
    buf_printf(&sql, "CREATE TABLE [%s] (", t->name);
    const char *comma = "";
    for (const struct field *f = t->fields; f->name; f++) {
        if (!is_column(f))
            continue;
        buf_puts(&sql, comma);
        comma = ", ";
        TRY(put_column(a, &db->driver->words, f, &sql));
    }
    buf_printf(&sql, ")%s", db->driver->words.table_end);
    return run(db, a, &sql);
}

static struct err *add_column(struct db *db, struct arena *a, const struct table *t,
                              const struct field *f)
{
    BUF_HERE(sql, SQL_TEXT_MAX);
    buf_printf(&sql, "ALTER TABLE [%s] ADD COLUMN ", t->name);
    TRY(put_column(a, &db->driver->words, f, &sql));
    return run(db, a, &sql);
}

struct err *schema_add_columns(struct db *db, struct arena *a, const struct table *t)
{
    struct rows there;
    TRY(schema_columns(db, a, t->name, &there));
    if (!there.count)
        return create_table(db, a, t);
    for (const struct field *f = t->fields; f->name; f++)
        if (is_column(f) && !schema_has(&there, f->name))
            TRY(add_column(db, a, t, f));
    return NULL;
}

// --- indexes ----------------------------------------------------------------------

// "user_id, [key]" and "user_id,key" are the same columns.
static bool next_column(struct str *rest, struct str *name)
{
    if (!str_next(rest, ',', name))
        return false;
    *name = str_trim(*name);
    if (name->n > 2 && name->p[0] == '[' && name->p[name->n - 1] == ']')
        *name = (struct str){name->p + 1, name->n - 2};
    return true;
}

// The same for the same columns, for ever: what stands in a database must be found again.
static const char *index_name(struct arena *a, const struct table *t, struct table_index index)
{
    BUF_HERE(name, 4096);
    buf_printf(&name, "%s_%s", index.unique ? "unique" : "index", t->name);
    struct str rest = str_of(index.columns), column;
    while (next_column(&rest, &column))
        buf_printf(&name, "_%.*s", STR_ARGS(column));
    if (name.n <= NAME_MAX_LENGTH)
        return arena_strdup(a, name.p);
    uint32_t sum = hash_crc32c(0, name.p, name.n);
    return arena_printf(a, "%.*s_%08x", NAME_MAX_LENGTH - 9, name.p, sum);
}

static struct err *check_indexed(struct arena *a, const struct table *t, struct str column)
{
    const struct field *f = field_by_name(t->fields, arena_str(a, column));
    if (!f || !is_column(f) || f->flags & SEALED)
        return err_new(a, &err_db_failed, "%s.%.*s cannot be indexed", t->name, STR_ARGS(column));
    if (f->type == FIELD_TEXT && (f->max < 1 || f->max > INDEXED_TEXT_MAX))
        return err_new(a, &err_db_failed, "%s.%s is indexed and needs a .max of 1 to %d", t->name,
                       f->name, INDEXED_TEXT_MAX);
    return NULL;
}

static struct err *check_index(struct arena *a, const struct table *t, struct table_index index)
{
    struct str rest = str_of(index.columns), column;
    int bytes = 0;
    while (next_column(&rest, &column)) {
        TRY(check_indexed(a, t, column));
        const struct field *f = field_by_name(t->fields, arena_str(a, column));
        bytes += f->type == FIELD_TEXT ? (int)f->max * 4 : (int)sizeof(int64_t);
    }
    if (bytes > INDEX_BYTES_MAX)
        return err_new(a, &err_db_failed, "%s: the index over %s is too long for MySQL", t->name,
                       index.columns);
    return NULL;
}

static struct err *add_index(struct db *db, struct arena *a, const struct table *t,
                             const struct rows *there, struct table_index index)
{
    BUF_HERE(sql, SQL_TEXT_MAX);
    const char *name = index_name(a, t, index);
    if (schema_has(there, name))
        return NULL;
    TRY(check_index(a, t, index));
    buf_printf(&sql, "CREATE %sINDEX [%s] ON [%s] (", index.unique ? "UNIQUE " : "", name, t->name);
    struct str rest = str_of(index.columns), column;
    for (const char *comma = ""; next_column(&rest, &column); comma = ", ")
        buf_printf(&sql, "%s[%.*s]", comma, STR_ARGS(column));
    buf_puts(&sql, ")");
    if (index.where && db->driver->words.partial_index)
        buf_printf(&sql, " WHERE %s", index.where);
    return run(db, a, &sql);
}

struct err *db_add_indexes(struct db *db, struct arena *a, const struct table *t)
{
    struct rows there;
    TRY(db_query(db, a, &name_table, &there, db->driver->words.indexes, P(t->name)));
    for (const struct field *f = t->fields; f->name; f++)
        if (is_column(f) && f->flags & (UNIQUE | INDEX))
            TRY(add_index(db, a, t, &there, (struct table_index){f->name, f->flags & UNIQUE}));
    for (const struct table_index *i = t->indexes; i && i->columns; i++)
        TRY(add_index(db, a, t, &there, *i));
    return NULL;
}

struct err *db_drop_index(struct db *db, struct arena *a, const struct table *t,
                          struct table_index index)
{
    BUF_HERE(sql, SQL_TEXT_MAX);
    struct rows there;
    const char *name = index_name(a, t, index);
    TRY(db_query(db, a, &name_table, &there, db->driver->words.indexes, P(t->name)));
    if (!schema_has(&there, name))
        return NULL;
    buf_printf(&sql, "DROP INDEX [%s]", name);
    if (db->driver->words.drop_index_on)
        buf_printf(&sql, " ON [%s]", t->name);
    return run(db, a, &sql);
}
