// Pages of a table for people: filters, keyword, order, and how many there are in all.

#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/db/driver.h"

// A WHERE part under construction: text and the values of its places.
struct part {
    struct arena *a;
    const struct table *table;
    struct buf sql;
    struct field_value *params;
    size_t count, cap;
};

static void part_free(struct part *p)
{
    buf_free(&p->sql);
}

static void add_param(struct part *p, struct field_value v)
{
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct field_value *more = NEW_ARRAY(p->a, struct field_value, cap);
        if (p->count)
            memcpy(more, p->params, p->count * sizeof(*more));
        p->params = more;
        p->cap = cap;
    }
    p->params[p->count++] = v;
}

static void add_and(struct part *p)
{
    if (p->sql.n)
        buf_puts(&p->sql, " AND ");
}

static struct db_where where_of(const struct part *p)
{
    return (struct db_where){p->sql.p, p->count, p->params};
}

static struct err *invalid(struct arena *a, const char *name)
{
    return err_new(a, &err_field_invalid, "%s", name);
}

// --- conditions -----------------------------------------------------------------

// % and _ are what the caller typed, not wildcards.
static const char *like_pattern(struct arena *a, const char *text)
{
    char *pattern = arena_raw(a, strlen(text) * 2 + 3), *to = pattern;
    *to++ = '%';
    for (; *text; text++) {
        if (strchr("%_!", *text))
            *to++ = '!';
        *to++ = *text;
    }
    *to++ = '%';
    *to = '\0';
    return pattern;
}

static void add_contains(struct part *p, const char *column, const char *text)
{
    buf_printf(&p->sql, "LOWER([%s]) LIKE LOWER(?) ESCAPE '!'", column);
    add_param(p, p_text(like_pattern(p->a, text)));
}

// A column of this name that can be compared with something, or NULL.
static const struct field *searchable(const struct table *t, const char *name, unsigned flags)
{
    const struct field *f = field_by_name(t->fields, name);
    bool fine = f && is_column(f) && !(f->flags & SEALED) && (f->flags & flags) == flags;
    return fine ? f : NULL;
}

static bool same_kind(enum field_type a, enum field_type b)
{
    return a == b || (a <= FIELD_BIG && b <= FIELD_BIG) || (a == FIELD_REAL && b <= FIELD_BIG);
}

static struct err *add_filter(struct part *p, const struct db_filter *filter)
{
    static const char *const ops[] = {[DB_IS] = "=", [DB_FROM] = ">=", [DB_TO] = "<="};
    const struct field *f = searchable(p->table, filter->field, FILTER);
    struct field_value v = filter->value;
    if (!f || !same_kind(f->type, v.type))
        return invalid(p->a, filter->field);
    add_and(p);
    if (filter->op == DB_CONTAINS) {
        if (f->type != FIELD_TEXT || !v.s)
            return invalid(p->a, filter->field);
        add_contains(p, f->name, v.s);
        return NULL;
    }
    if (f->flags & NULLABLE && filter->op == DB_IS && text_is_empty(v.s)) {
        buf_printf(&p->sql, "[%s] IS NULL", f->name); // "" is stored as NULL
        return NULL;
    }
    buf_printf(&p->sql, "[%s] %s ?", f->name, ops[filter->op]);
    add_param(p, v);
    return NULL;
}

static struct err *add_keyword(struct part *p, const char *keyword, const char *fields)
{
    struct str rest = str_of(fields), name;
    if (text_is_empty(keyword))
        return NULL;
    add_and(p);
    const char *glue = "(";
    while (str_next(&rest, ',', &name)) {
        const char *column = arena_str(p->a, str_trim(name));
        const struct field *f = searchable(p->table, column, 0);
        if (!f || f->type != FIELD_TEXT)
            return invalid(p->a, column);
        buf_puts(&p->sql, glue);
        glue = " OR ";
        add_contains(p, column, keyword);
    }
    buf_puts(&p->sql, *glue == '(' ? "1 = 1" : ")");
    return NULL;
}

static struct err *add_conditions(struct part *p, const struct db_page *page, struct db_where w)
{
    if (!text_is_empty(w.sql)) {
        buf_printf(&p->sql, "(%s)", w.sql);
        for (size_t i = 0; i < w.count; i++)
            add_param(p, w.params[i]);
    }
    for (size_t i = 0; i < page->filter_count; i++)
        TRY(add_filter(p, &page->filters[i]));
    return add_keyword(p, page->keyword, page->keyword_in);
}

struct err *db_filter_sql(struct arena *a, const struct table *t, const struct db_filter *filters,
                          size_t count, struct db_where *out)
{
    __attribute__((cleanup(part_free))) struct part p = {
        .a = a, .table = t, .sql = BUF(SQL_TEXT_MAX)};
    for (size_t i = 0; i < count; i++)
        TRY(add_filter(&p, &filters[i]));
    *out = (struct db_where){arena_str(a, buf_view(&p.sql)), p.count, p.params};
    return NULL;
}

// --- order and place ----------------------------------------------------------------

static int64_t page_size(const struct db_page *page)
{
    if (page->size < 1)
        return DB_PAGE_DEFAULT;
    return page->size < DB_PAGE_MAX ? page->size : DB_PAGE_MAX;
}

static struct err *count_total(struct db *db, struct part *p, struct db_page *page)
{
    const char *all = p->sql.n ? arena_printf(p->a, " WHERE %s", p->sql.p) : "";
    struct db_where w = where_of(p);
    w.sql = arena_printf(p->a, "SELECT COUNT(*) FROM [%s]%s", p->table->name, all);
    return db_int_(db, p->a, &page->total, w);
}

// The KEY comes last, so that equal values have an order, too, and no row stands on two pages.
static struct err *add_order(struct part *p, const struct db_page *page)
{
    const char *direction = page->ascending ? "ASC" : "DESC", *key = table_key(p->table)->name;
    buf_puts(&p->sql, p->sql.n ? " ORDER BY " : "ORDER BY ");
    if (!text_is_empty(page->sort) && !text_eq(page->sort, key)) {
        if (!searchable(p->table, page->sort, SORT))
            return invalid(p->a, page->sort);
        buf_printf(&p->sql, "[%s] %s, ", page->sort, direction);
    }
    buf_printf(&p->sql, "[%s] %s LIMIT ?", key, direction);
    return NULL;
}

static struct err *list_numbered(struct db *db, struct part *p, struct rows *rows,
                                 struct db_page *page)
{
    int64_t size = page_size(page), number = page->page > 1 ? page->page : 1, offset;
    if (__builtin_mul_overflow(number - 1, size, &offset))
        return invalid(p->a, "page");
    TRY(count_total(db, p, page));
    TRY(add_order(p, page));
    buf_puts(&p->sql, " OFFSET ?");
    add_param(p, p_int(size));
    add_param(p, p_int(offset));
    return db_list_(db, p->a, p->table, rows, where_of(p));
}

static struct err *list_after(struct db *db, struct part *p, struct rows *rows,
                              struct db_page *page)
{
    const struct field *key = table_key(p->table);
    int64_t size = page_size(page);
    if (page->after) {
        add_and(p);
        buf_printf(&p->sql, "[%s] %c ?", key->name, page->ascending ? '>' : '<');
        add_param(p, p_int(page->after));
    }
    struct db_page by_key = {.ascending = page->ascending};
    TRY(add_order(p, &by_key));
    add_param(p, p_int(size + 1)); // one more tells whether there is a next page
    TRY(db_list_(db, p->a, p->table, rows, where_of(p)));
    if ((int64_t)rows->count <= size)
        return NULL;
    rows->count = (size_t)size;
    const char *last = (const char *)rows->items + (rows->count - 1) * p->table->row_size;
    page->next = field_get(key, last).i;
    return NULL;
}

struct err *db_page_(struct db *db, struct arena *a, const struct table *t, struct rows *rows,
                     struct db_page *page, struct db_where w)
{
    __attribute__((cleanup(part_free))) struct part p = {
        .a = a, .table = t, .sql = BUF(SQL_TEXT_MAX)};
    *rows = (struct rows){0};
    page->total = page->next = 0;
    if (!table_key(t))
        return err_new(a, &err_db_failed, "%s has no KEY to page by", t->name);
    TRY(add_conditions(&p, page, w));
    return page->keyset ? list_after(db, &p, rows, page) : list_numbered(db, &p, rows, page);
}
