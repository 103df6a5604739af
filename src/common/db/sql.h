// SQL texts from tables. For this folder only.

#pragma once
#include "common/buf.h"
#include "common/db/db.h"

struct db_words;

enum sql_verb {
    SQL_AS_IS,
    SQL_SELECT,
    SQL_LOCK,
    SQL_INSERT,
    SQL_UPDATE,
    SQL_UPDATE_ONLY,
    SQL_UPSERT,
};

// Stands for a text: what the verb and the table do not say is in `text` (the whole statement, the
// WHERE part, the columns of UPDATE_ONLY, the unique columns of UPSERT) and `rows` (of INSERT and
// UPSERT).
struct sql_key {
    enum sql_verb verb;
    int rows;
    const struct table *table;
    const char *text;
};

enum { SQL_TEXT_MAX = 1024 * 1024 };

void sql_build(struct buf *out, const struct db_words *words, struct sql_key key);

// [name] becomes a quoted identifier and ? what the database uses, but not in '...', "..." and
// comments. False if something that was opened is not closed.
bool sql_rewrite(struct buf *out, const struct db_words *words, const char *sql, size_t *places);

// Is it a column of its own? VIRTUAL ones are not.
static inline bool is_column(const struct field *f)
{
    return !(f->flags & VIRTUAL);
}
static inline bool is_written(const struct field *f)
{
    return !(f->flags & (VIRTUAL | KEY));
}
const struct field *table_key(const struct table *t); // NULL if it has none
size_t table_written(const struct table *t);          // how many columns an INSERT writes
