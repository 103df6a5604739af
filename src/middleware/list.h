// Lists: what the query says about filters, order and place, handed to db_page.
//
//     struct list l;
//     TRY(list_begin(x, &token_table, "", &l));       // ?p= &page_size= &sort= &cursor= &<field>=
//     TRY(list_run(x, &l, "user_id = ?", P(x->user->id)));
//     return list_reply(x, &l, write_item);

#pragma once
#include "middleware/http.h"

enum { LIST_FILTERS = 40 };

struct list {
    const struct table *table;
    struct db_page page;
    struct db_filter filters[LIST_FILTERS];
    struct rows rows;
};

// `without`: fields (comma-separated) that the handler filters by itself; "cursor", too, if its
// cursors are no ids. err_field_invalid names
// the parameter. The list must stay where it is.
struct err *list_begin(struct http *x, const struct table *t, const char *without,
                       struct list *out);
// One more condition, on a field with the FILTER flag.
void list_and(struct list *l, const char *field, enum db_op op, struct field_value v);

// With a condition of the handler's own; "" if there is none.
#define list_run(x, l, ...) list_run_((x), (l), DB_WHERE(__VA_ARGS__))
struct err *list_run_(struct http *x, struct list *l, struct db_where own);

// data = {page, page_size, total, items}, with a cursor {page_size, next_cursor, items}.
// write_item NULL writes the fields.
struct err *list_reply(struct http *x, const struct list *l,
                       void (*write_item)(struct http *x, struct json *j, const void *row));
