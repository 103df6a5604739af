// Windows of time, newest first; in each, a bounded number of rows is looked at.

#include "service/log_search.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "model/log.h"
#include "model/usage.h"

enum {
    STEP_ROWS = 5000, // looked at by one query
    TIME_MS = 250,    // no new step begins after that
    HINTS = 500,      // roll-up rows read at once
    WINDOW_USERS = 8, // more: all rows of the hour are looked at
    QUERY_PARAMS = 64,
};

// How rows that a search wants are found.
enum path {
    PATH_DIRECT, // by an index that has nothing else
    PATH_TIME,   // by time, or by user and time
    PATH_HINTS,  // hour by hour, as the roll-up says
};

// Rows between two times, of these users only, if it names any.
struct window {
    int64_t from;
    struct log_place before;
    int64_t users[WINDOW_USERS];
    int user_count;
    bool any_user;
};

struct hunt {
    struct db *db;
    struct arena *a;
    struct log_search *s;
    enum path path;
    struct db_where filters; // on logs
    struct db_where hints;   // on usage_hours
    int64_t user_id;         // that the filters name, or 0
    bool looks;              // are there filters that an index does not answer?
    struct hint *hint;       // read ahead
    size_t hint_count, hint_at;
    bool hints_end;
    int64_t until_ms;
};

// --- statements ---------------------------------------------------------------------

struct query {
    struct buf sql;
    struct field_value params[QUERY_PARAMS];
    size_t count;
};

static void query_done(struct query *q)
{
    buf_free(&q->sql);
}
#define QUERY(name) __attribute__((cleanup(query_done))) struct query name = {.sql = BUF(1 << 16)}

static void put_param(struct query *q, struct field_value v)
{
    if (q->count == QUERY_PARAMS)
        q->sql.overflow = true;
    else
        q->params[q->count++] = v;
}

static void put_where(struct query *q, struct db_where w)
{
    if (text_is_empty(w.sql))
        return;
    buf_printf(&q->sql, " AND %s", w.sql);
    for (size_t i = 0; i < w.count; i++)
        put_param(q, w.params[i]);
}

static struct err *where_of(const struct query *q, struct arena *a, struct db_where *out)
{
    *out = (struct db_where){q->sql.p, q->count, q->params};
    return q->sql.overflow ? err_new(a, &err_field_invalid, "too many filters") : NULL;
}

static const struct field place_fields[] = {
    FIELD_AS(struct log_place, at, "created_at"),
    FIELD(struct log_place, id),
    {0},
};
static const struct table place_table = TABLE("logs", struct log_place, place_fields);

struct hint {
    int64_t hour, user_id;
};
static const struct field hint_fields[] = {
    FIELD(struct hint, hour),
    FIELD(struct hint, user_id),
    {0},
};
static const struct table hint_table = TABLE("usage_hours", struct hint, hint_fields);

// "user_id = ?" or "user_id IN (?, ?)" and the window's times.
static void put_window(struct query *q, const struct window *w)
{
    if (!w->any_user) {
        buf_puts(&q->sql, w->user_count == 1 ? "user_id = ?" : "user_id IN (?");
        put_param(q, P(w->users[0]));
        for (int i = 1; i < w->user_count; i++) {
            buf_puts(&q->sql, ", ?");
            put_param(q, P(w->users[i]));
        }
        buf_puts(&q->sql, w->user_count == 1 ? " AND " : ") AND ");
    }
    buf_puts(&q->sql, "created_at >= ? AND created_at <= ? AND (created_at < ? OR id < ?)");
    put_param(q, P(w->from));
    put_param(q, P(w->before.at));
    put_param(q, P(w->before.at));
    put_param(q, P(w->before.id));
}

static struct err *list_places(struct hunt *h, struct query *q, int64_t limit, int64_t skip,
                               struct rows *out)
{
    struct db_where where;
    buf_puts(&q->sql, " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?");
    put_param(q, P(limit));
    put_param(q, P(skip));
    TRY(where_of(q, h->a, &where));
    return db_list_(h->db, h->a, &place_table, out, where);
}

// --- looking through a window -----------------------------------------------------------

// So that no more than STEP_ROWS are looked at: the second in which the last of them stands.
static struct err *shorten(struct hunt *h, struct window *w)
{
    struct rows rows;
    QUERY(q);
    put_window(&q, w);
    TRY(list_places(h, &q, 1, h->s->step_rows ? h->s->step_rows : STEP_ROWS, &rows));
    if (rows.count)
        w->from = ((const struct log_place *)rows.items)->at;
    return NULL;
}

static void keep_found(struct log_search *s, const struct rows *rows)
{
    memcpy(s->found + s->count, rows->items, rows->count * sizeof(*s->found));
    s->count += rows->count;
}

// What it finds is kept; *w is what is left: nothing if before.at is not behind from.
static struct err *look(struct hunt *h, struct window *w)
{
    struct window step = *w;
    struct rows rows;
    QUERY(q);
    if (h->looks && (step.any_user || step.user_count == 1))
        TRY(shorten(h, &step));
    put_window(&q, &step);
    put_where(&q, h->filters);
    TRY(list_places(h, &q, (int64_t)(h->s->want - h->s->count), 0, &rows));
    keep_found(h->s, &rows);
    w->before = (struct log_place){step.from, 0};
    return NULL;
}

static bool is_over(const struct hunt *h)
{
    return h->s->count >= h->s->want || clock_steady_ms() >= h->until_ms;
}

static struct err *look_through(struct hunt *h, struct window *w)
{
    while (w->before.at > w->from || (w->before.at == w->from && w->before.id)) {
        TRY(look(h, w));
        h->s->reached = w->before;
        if (is_over(h))
            break;
    }
    return NULL;
}

// --- windows ----------------------------------------------------------------------------

static bool is_column_of_usage(const char *name)
{
    static const char guides[] = "user_id,username,token_id,token_name,channel_id,model_name";
    return list_has(guides, name);
}

// The next hours that hold what is looked for, before an hour.
static struct err *read_hints(struct hunt *h, int64_t before)
{
    struct rows rows;
    struct db_where where;
    QUERY(q);
    buf_puts(&q.sql, "hour < ? AND hour >= ?");
    put_param(&q, P(before));
    put_param(&q, P(h->s->from - h->s->from % USAGE_HOUR));
    put_where(&q, h->hints);
    buf_puts(&q.sql, " ORDER BY hour DESC LIMIT ?");
    put_param(&q, P((int)HINTS));
    TRY(where_of(&q, h->a, &where));
    TRY(db_list_(h->db, h->a, &hint_table, &rows, where));
    h->hint = rows.items;
    h->hint_count = rows.count;
    h->hint_at = 0;
    h->hints_end = rows.count < HINTS;
    return NULL;
}

static void add_user(struct window *w, int64_t id)
{
    for (int i = 0; i < w->user_count; i++)
        if (w->users[i] == id)
            return;
    if (w->user_count == WINDOW_USERS)
        w->any_user = true;
    else
        w->users[w->user_count++] = id;
}

// The hour of the next hint, and of whom. The last hour that was read ahead may have more users.
static void next_hour(struct hunt *h, struct window *w, int64_t *hour)
{
    *w = (struct window){0};
    *hour = h->hint[h->hint_at].hour;
    while (h->hint_at < h->hint_count && h->hint[h->hint_at].hour == *hour)
        add_user(w, h->hint[h->hint_at++].user_id);
    if (h->hint_at == h->hint_count && !h->hints_end)
        w->any_user = true;
    w->from = *hour > h->s->from ? *hour : h->s->from;
    w->before = (struct log_place){*hour + USAGE_HOUR, 0};
    if (w->before.at > h->s->reached.at)
        w->before = h->s->reached;
}

static struct err *by_hints(struct hunt *h)
{
    int64_t before = h->s->reached.at + (h->s->reached.id > 0); // the hour it stands in, too
    while (!is_over(h)) {
        struct window w;
        if (h->hint_at == h->hint_count && !h->hints_end)
            TRY(read_hints(h, before));
        if (h->hint_at == h->hint_count)
            break;
        next_hour(h, &w, &before);
        TRY(look_through(h, &w));
        if (w.before.at > w.from || (w.before.at == w.from && w.before.id))
            return NULL; // not to its end
    }
    h->s->complete = h->s->count < h->s->want && h->hint_at == h->hint_count && h->hints_end;
    return NULL;
}

static struct err *by_time(struct hunt *h)
{
    struct window w = {.from = h->s->from, .before = h->s->reached, .any_user = !h->user_id};
    w.users[0] = h->user_id;
    w.user_count = h->user_id != 0;
    TRY(look_through(h, &w));
    h->s->complete = h->s->count < h->s->want && w.before.at <= w.from && w.before.id == 0;
    return NULL;
}

// --- which way ----------------------------------------------------------------------------

static bool has_rare_type(const struct db_filter *f)
{
    return text_eq(f->field, "type") && f->value.i != LOG_TYPE_CONSUME;
}

// What the roll-up must have counted for a row of this type to be there.
static const char *counted(int64_t type)
{
    return type == LOG_TYPE_CONSUME ? "requests > 0"
           : type == LOG_TYPE_ERROR ? "errors > 0"
                                    : "others > 0";
}

static void put_hint(struct query *q, const struct db_filter *f)
{
    buf_printf(&q->sql, q->sql.n ? " AND [%s] = ?" : "[%s] = ?", f->field);
    put_param(q, f->value);
}

static struct err *keep_where(struct hunt *h, const struct query *q, struct db_where *out)
{
    struct db_where here;
    TRY(where_of(q, h->a, &here));
    struct field_value *params = NEW_ARRAY(h->a, struct field_value, q->count + 1);
    memcpy(params, q->params, q->count * sizeof(*params));
    *out = (struct db_where){arena_str(h->a, buf_view(&q->sql)), q->count, params};
    return NULL;
}

// A path for the filters, and what the roll-up is asked.
static struct err *choose(struct hunt *h)
{
    bool guided = false, rare = false;
    QUERY(q);
    h->path = PATH_TIME;
    for (size_t i = 0; i < h->s->filter_count; i++) {
        const struct db_filter *f = &h->s->filters[i];
        bool user = text_eq(f->field, "user_id"), type = text_eq(f->field, "type");
        if (text_eq(f->field, "id") || text_eq(f->field, "request_id"))
            h->path = PATH_DIRECT;
        h->user_id = user ? f->value.i : h->user_id;
        h->looks |= !user;
        rare |= has_rare_type(f);
        if (is_column_of_usage(f->field))
            put_hint(&q, f);
        if (type)
            buf_printf(&q.sql, "%s%s", q.sql.n ? " AND " : "", counted(f->value.i));
        guided |= is_column_of_usage(f->field) && !user;
    }
    if (h->path == PATH_DIRECT)
        return NULL;
    if (guided || (rare && h->user_id))
        h->path = PATH_HINTS;
    else if (rare)
        h->path = PATH_DIRECT;
    return keep_where(h, &q, &h->hints);
}

// Rare types have their own index: its words must stand there, and no other index may tempt.
static struct err *directly(struct hunt *h)
{
    struct window w = {.from = h->s->from, .before = h->s->reached, .any_user = true};
    struct rows rows;
    bool rare = false;
    QUERY(q);
    put_window(&q, &w);
    for (size_t i = 0; i < h->s->filter_count; i++)
        rare |= has_rare_type(&h->s->filters[i]);
    buf_puts(&q.sql, rare ? " AND " LOG_RARE_TYPES : "");
    put_where(&q, h->filters);
    TRY(list_places(h, &q, (int64_t)h->s->want, 0, &rows));
    keep_found(h->s, &rows);
    h->s->complete = h->s->count < h->s->want;
    return NULL;
}

static struct err *run(struct hunt *h)
{
    switch (h->path) {
    case PATH_DIRECT: return directly(h);
    case PATH_TIME: return by_time(h);
    case PATH_HINTS: return by_hints(h);
    }
    return NULL;
}

// --- keywords -------------------------------------------------------------------------------

static const char *const named[] = {"username", "token_name", "model_name"};

// A request id; else every column in which the roll-up knows the word. *known: is it anywhere?
static struct err *resolve(struct hunt *h, const char *word, struct query *out, bool *known)
{
    int64_t n = 0;
    TRY(db_int(h->db, h->a, &n,
               "SELECT COUNT(*) FROM (SELECT 1 AS one FROM logs WHERE request_id = ? LIMIT 1) x",
               P(word)));
    *known = n > 0;
    if (*known) {
        buf_puts(&out->sql, "request_id = ?");
        put_param(out, P(word));
        h->path = PATH_DIRECT;
        return NULL;
    }
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        TRY(db_int(h->db, h->a, &n,
                   arena_printf(h->a,
                                "SELECT COUNT(*) FROM (SELECT 1 AS one FROM usage_hours"
                                " WHERE %s = ? ORDER BY hour DESC LIMIT ?) x",
                                named[i]),
                   P(word), P((int)HINTS)));
        if (!n)
            continue;
        buf_printf(&out->sql, "%s%s = ?", *known ? " OR " : "(", named[i]);
        put_param(out, P(word));
        *known = true;
    }
    buf_puts(&out->sql, *known ? ")" : "");
    return NULL;
}

// Joined to what the filters ask.
static struct err *and_also(struct hunt *h, struct db_where *w, const struct query *more)
{
    struct db_where one;
    QUERY(q);
    TRY(where_of(more, h->a, &one));
    buf_puts(&q.sql, text_is_empty(w->sql) ? "1 = 1" : w->sql);
    for (size_t i = 0; i < w->count; i++)
        put_param(&q, w->params[i]);
    put_where(&q, one);
    return keep_where(h, &q, w);
}

static struct err *add_keyword(struct hunt *h, bool *known)
{
    QUERY(q);
    *known = true;
    if (text_is_empty(h->s->keyword))
        return NULL;
    if (h->path != PATH_DIRECT)
        h->path = PATH_HINTS;
    TRY(resolve(h, h->s->keyword, &q, known));
    if (!*known)
        return NULL;
    h->looks = true;
    TRY(and_also(h, &h->filters, &q));
    return h->path == PATH_HINTS ? and_also(h, &h->hints, &q) : NULL;
}

struct err *log_search(struct db *db, struct arena *a, struct log_search *s)
{
    struct hunt h = {.db = db, .a = a, .s = s, .until_ms = clock_steady_ms() + TIME_MS};
    bool known;
    s->found = arena_raw(a, s->want * sizeof(*s->found));
    s->count = 0;
    s->complete = false;
    s->reached = s->after.at ? s->after : (struct log_place){s->to ? s->to + 1 : INT64_MAX, 0};
    TRY(db_filter_sql(a, &log_table, s->filters, s->filter_count, &h.filters));
    TRY(choose(&h));
    TRY(add_keyword(&h, &known));
    s->complete = !known;
    return known ? run(&h) : NULL;
}

// --- whole rows -------------------------------------------------------------------------------

// Few lengths, so that few statements are prepared: the last id fills up.
static struct db_where these(struct arena *a, const struct log_place *places, size_t count)
{
    size_t n = count <= 1 ? 1 : count <= 20 ? 20 : DB_PAGE_MAX;
    struct field_value *params = NEW_ARRAY(a, struct field_value, n);
    BUF_HERE(sql, 4096);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&sql, i ? ", ?" : "id IN (?");
        params[i] = P(places[i < count ? i : count - 1].id);
    }
    buf_puts(&sql, ")");
    return (struct db_where){arena_str(a, buf_view(&sql)), n, params};
}

static int newest_first(const void *a, const void *b)
{
    const struct log_row *x = a, *y = b;
    if (x->created_at != y->created_at)
        return x->created_at < y->created_at ? 1 : -1;
    return x->id < y->id ? 1 : -1;
}

struct err *log_rows(struct db *db, struct arena *a, const struct log_place *places, size_t count,
                     struct rows *out)
{
    *out = (struct rows){0};
    if (!count)
        return NULL;
    TRY(db_list_(db, a, &log_table, out, these(a, places, count)));
    qsort(out->items, out->count, sizeof(struct log_row), newest_first);
    return NULL;
}
