// Building the statements that a table implies, and putting any text into a database's words.

#include "common/db/sql.h"

#include <string.h>

#include "common/db/driver.h"

const struct field *table_key(const struct table *t)
{
    for (const struct field *f = t->fields; f->name; f++)
        if (f->flags & KEY)
            return f;
    return NULL;
}

size_t table_written(const struct table *t)
{
    size_t n = 0;
    for (const struct field *f = t->fields; f->name; f++)
        n += is_written(f);
    return n;
}

static void select_sql(struct buf *out, const struct table *t, const char *where)
{
    buf_puts(out, "SELECT ");
    const char *comma = "";
    for (const struct field *f = t->fields; f->name; f++) {
        if (!is_column(f))
            continue;
        buf_printf(out, "%s[%s]", comma, f->name);
        comma = ", ";
    }
    buf_printf(out, " FROM [%s]", t->name);
    if (text_is_empty(where))
        return;
    buf_puts(out, str_starts(str_of(where), "ORDER BY ") ? " " : " WHERE ");
    buf_puts(out, where);
}

static void insert_sql(struct buf *out, const struct table *t, int rows)
{
    buf_printf(out, "INSERT INTO [%s] (", t->name);
    const char *comma = "";
    for (const struct field *f = t->fields; f->name; f++) {
        if (!is_written(f))
            continue;
        buf_printf(out, "%s[%s]", comma, f->name);
        comma = ", ";
    }
    buf_puts(out, ") VALUES ");
    size_t columns = table_written(t);
    for (int row = 0; row < rows; row++) {
        buf_puts(out, row ? ", (" : "(");
        for (size_t i = 0; i < columns; i++)
            buf_puts(out, i ? ", ?" : "?");
        buf_puts(out, ")");
    }
}

// `only` NULL: every column.
static void update_sql(struct buf *out, const struct table *t, const char *only)
{
    buf_printf(out, "UPDATE [%s] SET ", t->name);
    const char *comma = "";
    for (const struct field *f = t->fields; f->name; f++) {
        if (!is_written(f) || (only && !list_has(only, f->name)))
            continue;
        buf_printf(out, "%s[%s] = ?", comma, f->name);
        comma = ", ";
    }
    buf_printf(out, " WHERE [%s] = ?", table_key(t)->name);
}

static void conflict_columns(struct buf *out, const char *unique)
{
    struct str rest = str_of(unique), name;
    const char *comma = "";
    while (str_next(&rest, ',', &name)) {
        name = str_trim(name);
        buf_printf(out, "%s[%.*s]", comma, STR_ARGS(name));
        comma = ", ";
    }
}

// Then they are set, to what they are: something must be. Else not: SQLite would write each index
// that has one of them again.
static bool only_unique(const struct table *t, const char *unique)
{
    for (const struct field *f = t->fields; f->name; f++)
        if (is_written(f) && !list_has(unique, f->name))
            return false;
    return true;
}

static void upsert_sql(struct buf *out, const struct db_words *words, const struct table *t,
                       const char *unique, int rows)
{
    bool duplicate_key = words->upsert == ON_DUPLICATE_KEY;
    insert_sql(out, t, rows);
    if (duplicate_key) {
        buf_puts(out, " ON DUPLICATE KEY UPDATE ");
    } else {
        buf_puts(out, " ON CONFLICT (");
        conflict_columns(out, unique);
        buf_puts(out, ") DO UPDATE SET ");
    }
    const char *comma = "";
    bool all = only_unique(t, unique);
    for (const struct field *f = t->fields; f->name; f++) {
        if (!is_written(f) || (!all && list_has(unique, f->name)))
            continue;
        buf_printf(out, "%s[%s] = ", comma, f->name);
        if (f->flags & SUMMED)
            buf_printf(out, "[%s].[%s] + ", t->name, f->name);
        buf_printf(out, duplicate_key ? "VALUES([%s])" : "excluded.[%s]", f->name);
        comma = ", ";
    }
}

void sql_build(struct buf *out, const struct db_words *words, struct sql_key key)
{
    const struct table *t = key.table;
    switch (key.verb) {
    case SQL_AS_IS: buf_puts(out, key.text); break;
    case SQL_SELECT: select_sql(out, t, key.text); break;
    case SQL_LOCK:
        select_sql(out, t, key.text);
        buf_puts(out, words->for_update);
        break;
    case SQL_UPDATE: update_sql(out, t, NULL); break;
    case SQL_UPDATE_ONLY: update_sql(out, t, key.text); break;
    case SQL_UPSERT: upsert_sql(out, words, t, key.text, key.rows); break;
    case SQL_INSERT:
        insert_sql(out, t, key.rows);
        if (words->returning && key.rows == 1 && table_key(t))
            buf_printf(out, " RETURNING [%s]", table_key(t)->name);
        break;
    }
}

// The length of a string, quoted identifier or comment that begins here; 0 if none does, and
// SIZE_MAX if it has no end.
static size_t quoted_length(const char *s)
{
    const char *end;
    if (*s == '\'' || *s == '"') { // a doubled quote inside reads as two strings side by side
        end = strchr(s + 1, *s);
        return end ? (size_t)(end - s) + 1 : SIZE_MAX;
    }
    if (s[0] == '-' && s[1] == '-')
        return strcspn(s, "\n");
    if (s[0] == '/' && s[1] == '*') {
        end = strstr(s + 2, "*/");
        return end ? (size_t)(end - s) + 2 : SIZE_MAX;
    }
    return 0;
}

static void put_place(struct buf *out, const struct db_words *words, size_t number)
{
    if (!words->numbered) {
        buf_puts(out, "?");
        return;
    }
    buf_puts(out, "$");
    buf_int(out, (int64_t)number);
}

bool sql_rewrite(struct buf *out, const struct db_words *words, const char *sql, size_t *places)
{
    *places = 0;
    while (*sql) {
        size_t n = quoted_length(sql);
        if (n == SIZE_MAX)
            return false;
        if (n) {
            buf_add(out, sql, n);
        } else if (*sql == '[') {
            const char *end = strchr(sql, ']');
            if (!end || end == sql + 1)
                return false;
            n = (size_t)(end - sql) + 1;
            buf_add(out, &words->quote, 1);
            buf_add(out, sql + 1, n - 2);
            buf_add(out, &words->quote, 1);
        } else if (*sql == '?') {
            n = 1;
            put_place(out, words, ++*places);
        } else {
            n = strcspn(sql, "'\"-/[?");
            n = n ? n : 1; // a lone - or /
            buf_add(out, sql, n);
        }
        sql += n;
    }
    return true;
}
