// Logs: one's own, and for administrators everybody's.

#include "controller/log.h"

#include <string.h>

#include "common/arena.h"
#include "middleware/list.h"
#include "model/log.h"
#include "service/audit.h"

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

static void write_log(struct http *x, struct json *j, const void *row)
{
    struct log_row shown = *(const struct log_row *)row;
    if (http_audience(x) == FOR_USER)
        shown.other = without_admin(x->arena, shown.other);
    fields_write(log_table.fields, &shown, j, http_audience(x));
}

static struct err *add_period(struct http *x, struct list *l)
{
    int64_t from, to;
    TRY(http_query_int(x, "start_timestamp", 0, INT64_MAX, 0, &from));
    TRY(http_query_int(x, "end_timestamp", 0, INT64_MAX, 0, &to));
    if (from)
        list_and(l, "created_at", DB_FROM, P(from));
    if (to)
        list_and(l, "created_at", DB_TO, P(to));
    return NULL;
}

static struct err *reply_list(struct http *x, int64_t user_id, const char *keyword)
{
    struct list l;
    TRY(list_begin(x, &log_table, "", &l));
    TRY(add_period(x, &l));
    l.page.keyword = keyword;
    l.page.keyword_in = "content,username,token_name,model_name,request_id";
    if (user_id)
        list_and(&l, "user_id", DB_IS, P(user_id));
    TRY(list_run(x, &l, ""));
    return list_reply(x, &l, write_log);
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

// Who deletes a line of the books leaves one.
struct err *api_log_delete(struct http *x)
{
    struct log_row row;
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(db_find(x->db, x->arena, &log_table, &row, "id = ?", P(id)));
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM logs WHERE id = ?", P(id)));
    const char *content = arena_printf(
        x->arena, "Log %lld deleted: type %d, user %lld, request %s, quota %lld", (long long)id,
        row.type, (long long)row.user_id, row.request_id, (long long)row.quota);
    struct audit what = {LOG_TYPE_MANAGE, x->exchange->request_id, x->ip, x->user, NULL, content};
    TRY(audit_write(x->db, x->arena, &what));
    TRY(tx_commit(&tx, x->arena));
    return http_ok(x);
}
