// Reading a list's query, writing its answer.

#include "middleware/list.h"

#include <stdio.h>

#include "common/arena.h"

enum { PAGE_MOST = 1000000000 };

static bool may_use(const struct http *x, const struct field *f, unsigned flag)
{
    return f->flags & flag && !(f->flags & ADMIN && http_audience(x) == FOR_USER);
}

void list_and(struct list *l, const char *field, enum db_op op, struct field_value v)
{
    if (l->page.filter_count < LIST_FILTERS)
        l->filters[l->page.filter_count++] = (struct db_filter){field, op, v};
}

static struct err *read_filters(struct http *x, struct list *l, const char *without)
{
    for (const struct field *f = l->table->fields; f->name; f++) {
        struct field_value v;
        const char *text = may_use(x, f, FILTER) ? http_query(x, f->name) : NULL;
        if (text_is_empty(text) || list_has(without, f->name))
            continue;
        TRY(field_parse(x->arena, f, text, &v));
        list_and(l, f->name, DB_IS, v);
    }
    return NULL;
}

static struct err *read_sort(struct http *x, struct list *l)
{
    const char *sort = http_query(x, "sort");
    if (text_is_empty(sort))
        return NULL;
    l->page.ascending = *sort != '-';
    l->page.sort = sort + !l->page.ascending;
    const struct field *f = field_by_name(l->table->fields, l->page.sort);
    return f && may_use(x, f, SORT) ? NULL : err_new(x->arena, &err_field_invalid, "sort");
}

// An empty cursor is the first page; else it is the last id that was shown.
static struct err *read_cursor(struct http *x, struct list *l)
{
    const char *cursor = http_query(x, "cursor");
    l->page.keyset = cursor != NULL;
    if (text_is_empty(cursor))
        return NULL;
    l->page.ascending = false;
    return str_to_int(str_of(cursor), &l->page.after) && l->page.after > 0
               ? NULL
               : err_new(x->arena, &err_field_invalid, "cursor");
}

struct err *list_begin(struct http *x, const struct table *t, const char *without, struct list *out)
{
    struct str query = url_decode(x->arena, x->exchange->query, true);
    *out = (struct list){.table = t, .page.filters = out->filters};
    if (!query.p || !utf8_valid(query))
        return err_new(x->arena, &err_field_invalid, "query");
    TRY(http_query_int(x, "p", 1, PAGE_MOST, 1, &out->page.page));
    TRY(http_query_int(x, "page_size", 1, DB_PAGE_MAX, DB_PAGE_DEFAULT, &out->page.size));
    TRY(read_sort(x, out));
    TRY(read_filters(x, out, without));
    return list_has(without, "cursor") ? NULL : read_cursor(x, out);
}

struct err *list_run_(struct http *x, struct list *l, struct db_where own)
{
    return db_page_(x->db, x->arena, l->table, &l->rows, &l->page, own);
}

static void put_place(struct json *j, const struct db_page *page)
{
    json_int(j, "page_size", page->size);
    if (!page->keyset) {
        json_int(j, "page", page->page);
        json_int(j, "total", page->total);
    } else if (page->next) {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)page->next);
        json_str(j, "next_cursor", text);
    } else {
        json_null(j, "next_cursor");
    }
}

struct err *list_reply(struct http *x, const struct list *l,
                       void (*write_item)(struct http *x, struct json *j, const void *row))
{
    struct json j = http_data(x);
    json_obj(&j, "data");
    put_place(&j, &l->page);
    json_arr(&j, "items");
    for (size_t i = 0; i < l->rows.count; i++) {
        const char *row = (const char *)l->rows.items + i * l->table->row_size;
        json_obj(&j, NULL);
        if (write_item)
            write_item(x, &j, row);
        else
            fields_write(l->table->fields, row, &j, http_audience(x));
        json_end(&j);
    }
    return http_done(x, &j);
}
