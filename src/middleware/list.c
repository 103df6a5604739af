// Identifiers come from field tables, values are always parameters.

#include "middleware/list.h"

#include <stdio.h>
#include <string.h>

#include "common/arena.h"

enum { SQL_MAX = 1 << 15, PAGE_MAX = 1000000 };

static void put_name(struct buf *sql, const char *name)
{
    buf_puts(sql, "[");
    buf_puts(sql, name);
    buf_puts(sql, "]");
}

static const char *key_of(const struct table *t)
{
    for (const struct field *f = t->fields; f->name; f++)
        if (f->flags & KEY)
            return f->name;
    return "id";
}

static bool may_use(const struct http *x, const struct field *f, unsigned flag)
{
    return f->flags & flag && !(f->flags & ADMIN && http_audience(x) == FOR_USER);
}

static struct err *read_filters(struct http *x, struct list *l, const char *without)
{
    for (const struct field *f = l->table->fields; f->name; f++) {
        struct field_value v;
        const char *text = may_use(x, f, FILTER) ? http_query(x, f->name) : NULL;
        if (text_is_empty(text) || list_has(without, f->name))
            continue;
        TRY(field_parse(x->arena, f, text, &v));
        BUF_HERE(sql, 256);
        put_name(&sql, f->name);
        buf_puts(&sql, " = ?");
        list_and(l, sql.p, v);
    }
    return NULL;
}

static struct err *read_sort(struct http *x, struct list *l)
{
    const char *sort = http_query(x, "sort");
    l->descending = true;
    if (text_is_empty(sort))
        return NULL;
    l->descending = *sort == '-';
    l->sort = field_by_name(l->table->fields, sort + l->descending);
    if (!l->sort || !may_use(x, l->sort, SORT))
        return err_new(x->arena, &err_field_invalid, "sort");
    return NULL;
}

// An empty cursor is the first page; else it is the last id that was shown.
static struct err *read_cursor(struct http *x, struct list *l)
{
    const char *cursor = http_query(x, "cursor");
    int64_t before = 0;
    l->by_cursor = cursor != NULL;
    if (text_is_empty(cursor))
        return NULL;
    if (!str_to_int(str_of(cursor), &before) || before < 1)
        return err_new(x->arena, &err_field_invalid, "cursor");
    BUF_HERE(sql, 256);
    put_name(&sql, key_of(l->table));
    buf_puts(&sql, " < ?");
    list_and(l, sql.p, P(before));
    return NULL;
}

struct err *list_begin(struct http *x, const struct table *t, struct list *out)
{
    return list_begin_without(x, t, "", out);
}

struct err *list_begin_without(struct http *x, const struct table *t, const char *filters,
                               struct list *out)
{
    struct str query = url_decode(x->arena, x->exchange->query, true);
    *out = (struct list){.table = t, .arena = x->arena, .where = ""};
    if (!query.p || !utf8_valid(query))
        return err_new(x->arena, &err_field_invalid, "query");
    TRY(http_query_int(x, "p", 1, PAGE_MAX, 1, &out->page));
    TRY(http_query_int(x, "page_size", 1, PAGE_SIZE_MAX, PAGE_SIZE, &out->size));
    TRY(read_sort(x, out));
    TRY(read_filters(x, out, filters));
    return read_cursor(x, out);
}

void list_and(struct list *l, const char *sql, struct field_value v)
{
    l->where = *l->where ? arena_printf(l->arena, "%s AND %s", l->where, sql)
                         : arena_strdup(l->arena, sql);
    for (const char *c = strchr(sql, '?'); c && l->count < LIST_PARAMS; c = strchr(c + 1, '?'))
        l->params[l->count++] = v;
}

// "%text%" with the wildcards in it taken literally ('!' escapes).
static const char *pattern_of(struct arena *a, const char *text)
{
    char *out = arena_raw(a, 2 * strlen(text) + 3), *to = out;
    *to++ = '%';
    for (; *text; text++) {
        if (strchr("%_!", *text))
            *to++ = '!';
        *to++ = *text;
    }
    *to++ = '%';
    *to = '\0';
    return out;
}

void list_and_contains(struct http *x, struct list *l, const char *columns, const char *text)
{
    BUF_HERE(sql, 4096);
    struct str rest = str_of(columns), column;
    if (text_is_empty(text))
        return;
    while (str_next(&rest, ',', &column)) {
        buf_puts(&sql, sql.n ? " OR LOWER(" : "(LOWER(");
        put_name(&sql, arena_str(x->arena, column));
        buf_puts(&sql, ") LIKE LOWER(?) ESCAPE '!'");
    }
    buf_puts(&sql, ")");
    list_and(l, sql.p, P(pattern_of(x->arena, text)));
}

static struct err *count_all(struct http *x, struct list *l)
{
    BUF_HERE(sql, SQL_MAX);
    buf_puts(&sql, "SELECT COUNT(*) FROM ");
    put_name(&sql, l->table->name);
    buf_puts(&sql, " WHERE ");
    buf_puts(&sql, l->where);
    return db_int_(x->db, x->arena, &l->total, (struct db_where){sql.p, l->count, l->params});
}

// Rows of the same value follow each other by KEY, so that pages never overlap.
static void put_order(struct buf *sql, const struct list *l)
{
    const char *way = l->descending || l->by_cursor ? " DESC" : "";
    buf_puts(sql, " ORDER BY ");
    if (l->sort && !l->by_cursor && !(l->sort->flags & KEY)) {
        put_name(sql, l->sort->name);
        buf_puts(sql, way);
        buf_puts(sql, ", ");
    }
    put_name(sql, key_of(l->table));
    buf_puts(sql, way);
    buf_puts(sql, " LIMIT ? OFFSET ?");
}

static void keep_page(struct list *l)
{
    if (!l->by_cursor || l->rows.count <= (size_t)l->size)
        return;
    l->rows.count = (size_t)l->size;
    const char *last = (const char *)l->rows.items + (l->rows.count - 1) * l->table->row_size;
    l->next_cursor = field_get(field_by_name(l->table->fields, key_of(l->table)), last).i;
}

struct err *list_run(struct http *x, struct list *l)
{
    BUF_HERE(sql, SQL_MAX);
    if (!*l->where)
        l->where = "1 = 1";
    if (!l->by_cursor)
        TRY(count_all(x, l));
    buf_puts(&sql, l->where);
    put_order(&sql, l);
    if (sql.overflow || l->count > LIST_PARAMS - 2)
        return err_new(x->arena, &err_bad_request, "too many conditions");
    l->params[l->count] = P(l->size + l->by_cursor);
    l->params[l->count + 1] = P(l->by_cursor ? (int64_t)0 : (l->page - 1) * l->size);
    TRY(db_list_(x->db, x->arena, l->table, &l->rows,
                 (struct db_where){sql.p, l->count + 2, l->params}));
    keep_page(l);
    return NULL;
}

static void put_place(struct json *j, const struct list *l)
{
    if (!l->by_cursor) {
        json_int(j, "page", l->page);
        json_int(j, "total", l->total);
    } else if (l->next_cursor) {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)l->next_cursor);
        json_str(j, "next_cursor", text);
    } else {
        json_null(j, "next_cursor");
    }
    json_int(j, "page_size", l->size);
}

struct err *list_reply(struct http *x, const struct list *l,
                       void (*write_item)(struct http *x, struct json *j, const void *row))
{
    struct json j = http_data(x);
    json_obj(&j, "data");
    put_place(&j, l);
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
