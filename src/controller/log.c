// Logs: one's own, and for administrators everybody's.

#include "controller/log.h"

#include <string.h>

#include "common/arena.h"
#include "middleware/list.h"
#include "model/log.h"
#include "service/audit.h"
#include "service/log_search.h"

enum { OTHER_MAX = 1 << 17 };

// What only administrators may see inside `other`.
static const char *without_admin(struct arena *a, const char *other)
{
    yyjson_val *root, *key, *value;
    size_t i, max;
    if (!strstr(other, "admin_info"))
        return other;
    if (json_read(a, str_of(other), &root) || !yyjson_is_obj(root))
        return "";
    BUF_HERE(out, OTHER_MAX);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    yyjson_obj_foreach(root, i, max, key, value)
    {
        if (!yyjson_equals_str(key, "admin_info"))
            json_val(&j, yyjson_get_str(key), value);
    }
    json_end(&j);
    return arena_str(a, buf_view(&out));
}

static void write_log(struct http *x, struct json *j, const struct log_row *row)
{
    struct log_row shown = *row;
    if (http_audience(x) == FOR_USER)
        shown.other = without_admin(x->arena, shown.other);
    fields_write(log_table.fields, &shown, j, http_audience(x));
}

// --- lists -------------------------------------------------------------------------------

// Numbered pages end here, and so does counting: further back, go by cursor or by time.
enum { NUMBERED_MOST = 10000 };

struct hunting {
    struct list list; // what the query says
    struct log_search search;
};

static struct err *bad(struct http *x, const char *parameter)
{
    return err_new(x->arena, &err_field_invalid, "%s", parameter);
}

// "time.id" of the last row shown, or "time.0": what is older than that second.
static struct err *read_cursor(struct http *x, struct hunting *h)
{
    const char *text = http_query(x, "cursor");
    struct str rest = str_of(text), at;
    h->list.page.keyset = text != NULL;
    if (text_is_empty(text))
        return NULL;
    if (!str_next(&rest, '.', &at) || !str_to_int(at, &h->search.after.at) ||
        !str_to_int(rest, &h->search.after.id) || h->search.after.at < 1 || h->search.after.id < 0)
        return bad(x, "cursor");
    return NULL;
}

static const char *write_cursor(struct arena *a, struct log_place place)
{
    return arena_printf(a, "%lld.%lld", (long long)place.at, (long long)place.id);
}

static struct err *read_hunt(struct http *x, int64_t user_id, struct hunting *h)
{
    struct db_page *page = &h->list.page;
    TRY(list_begin(x, &log_table, "cursor", &h->list));
    TRY(read_cursor(x, h));
    TRY(http_query_int(x, "start_timestamp", 0, INT32_MAX, 0, &h->search.from));
    TRY(http_query_int(x, "end_timestamp", 0, INT32_MAX, 0, &h->search.to));
    if (page->ascending)
        return bad(x, "sort"); // newest first is the only order
    if (!page->keyset && page->page * page->size > NUMBERED_MOST)
        return bad(x, "p");
    if (user_id)
        list_and(&h->list, "user_id", DB_IS, P(user_id));
    h->search.filters = page->filters;
    h->search.filter_count = page->filter_count;
    h->search.want = (size_t)(page->keyset ? page->size + 1 : NUMBERED_MOST + 1);
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Which of what was found is on this page.
static void cut_page(const struct hunting *h, size_t *from, size_t *count)
{
    const struct db_page *page = &h->list.page;
    size_t size = (size_t)page->size;
    *from = page->keyset ? 0 : least((size_t)(page->page - 1) * size, h->search.count);
    *count = least(size, h->search.count - *from);
}

static void put_cursor(struct http *x, const struct hunting *h, struct json *j)
{
    const struct log_search *s = &h->search;
    size_t size = (size_t)h->list.page.size;
    bool full = s->count > size;
    if (full || !s->complete)
        json_str(j, "next_cursor", write_cursor(x->arena, full ? s->found[size - 1] : s->reached));
    else
        json_null(j, "next_cursor");
    if (!full && !s->complete)
        json_int(j, "searched_to", s->reached.at);
}

static void put_total(const struct hunting *h, struct json *j)
{
    const struct log_search *s = &h->search;
    json_int(j, "page", h->list.page.page);
    json_int(j, "total", (int64_t)least(s->count, NUMBERED_MOST));
    json_bool(j, "total_more", !s->complete || s->count > NUMBERED_MOST);
}

static struct err *reply_found(struct http *x, const struct hunting *h, const struct rows *rows)
{
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_int(&j, "page_size", h->list.page.size);
    if (h->list.page.keyset)
        put_cursor(x, h, &j);
    else
        put_total(h, &j);
    json_arr(&j, "items");
    for (size_t i = 0; i < rows->count; i++) {
        json_obj(&j, NULL);
        write_log(x, &j, (const struct log_row *)rows->items + i);
        json_end(&j);
    }
    return http_done(x, &j);
}

static struct err *reply_list(struct http *x, int64_t user_id, const char *keyword)
{
    struct hunting h = {0};
    struct rows rows;
    struct db *db;
    size_t from, count;
    TRY(read_hunt(x, user_id, &h));
    h.search.keyword = keyword;
    TRY(http_log_db(x, &db));
    TRY(log_search(db, x->arena, &h.search));
    cut_page(&h, &from, &count);
    TRY(log_rows(db, x->arena, h.search.found + from, count, &rows));
    return reply_found(x, &h, &rows);
}

struct err *api_log_own(struct http *x)
{
    return reply_list(x, x->user->id, NULL);
}

struct err *api_log_list(struct http *x)
{
    return reply_list(x, 0, NULL);
}

struct err *api_log_search(struct http *x)
{
    return reply_list(x, 0, http_query(x, "keyword"));
}

static struct err *note_deletion(struct http *x, struct db *db, const struct log_row *row)
{
    const char *content =
        arena_printf(x->arena, "Log %lld deleted: type %d, user %lld, request %s, quota %lld",
                     (long long)row->id, row->type, (long long)row->user_id, row->request_id,
                     (long long)row->quota);
    struct audit what = {LOG_TYPE_MANAGE, x->exchange->request_id, x->ip, x->user, NULL, content};
    return audit_write(db, x->arena, &what);
}

// Who deletes a line of the books leaves one.
struct err *api_log_delete(struct http *x)
{
    struct log_row row;
    struct db *db;
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    TRY(http_log_db(x, &db));
    TX tx = tx_begin(db, x->arena);
    TRY(tx.failed);
    TRY(db_find(db, x->arena, &log_table, &row, "id = ?", P(id)));
    TRY(db_exec(db, x->arena, NULL, "DELETE FROM logs WHERE id = ?", P(id)));
    TRY(note_deletion(x, db, &row));
    TRY(tx_commit(&tx, x->arena));
    return http_ok(x);
}
