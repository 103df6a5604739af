// Lists: filters and sort keys are the table's fields, pages go by number or by cursor.
//
//     struct list l;
//     TRY(list_begin(x, &token_table, &l));           // ?p= &page_size= &sort= &<field>=
//     list_and(&l, "user_id = ?", P(x->user->id));
//     TRY(list_run(x, &l));
//     return list_reply(x, &l, write_item);

#pragma once
#include "middleware/http.h"

enum { PAGE_SIZE = 20, PAGE_SIZE_MAX = 100, LIST_PARAMS = 64 };

struct list {
    const struct table *table;
    struct arena *arena;
    const char *where; // conditions so far, joined by AND
    struct field_value params[LIST_PARAMS];
    size_t count;
    const struct field *sort; // NULL: by KEY
    bool descending;
    int64_t page, size, total;
    bool by_cursor;      // newest first, `total` is not counted
    int64_t next_cursor; // 0 = this was the last page
    struct rows rows;
};

// Reads the query; err_field_invalid names the parameter. Sorted by KEY, newest first, unless the
// query says something else.
struct err *list_begin(struct http *x, const struct table *t, struct list *out);
// The same, but for filters (comma-separated) that the handler reads itself.
struct err *list_begin_without(struct http *x, const struct table *t, const char *filters,
                               struct list *out);
// One more condition; `sql` holds one `?` for each value.
void list_and(struct list *l, const char *sql, struct field_value v);
// One of the fields, or any of several columns (comma-separated), contains this text.
void list_and_contains(struct http *x, struct list *l, const char *columns, const char *text);
struct err *list_run(struct http *x, struct list *l);

// data = {page, page_size, total, items}, with a cursor {page_size, next_cursor, items}.
// write_item NULL writes the fields.
struct err *list_reply(struct http *x, const struct list *l,
                       void (*write_item)(struct http *x, struct json *j, const void *row));
