// What was used in a bounded range, by time and model: one's own, or everybody's. Read from the
// roll-ups (model/usage.h), but for the pace of the last minute, which bounded parts of the log
// say.

#include "controller/dashboard.h"

#include "common/clock.h"
#include "model/usage.h"

enum { HOUR = USAGE_HOUR, DAY = USAGE_DAY, RANGE_MOST = 92 * DAY, HOURLY_MOST = 3 * DAY };
enum { ROWS_MOST = 5000, USERS_MOST = 10, ZONE_MOST = 14 * HOUR, ZONE_STEP = 60 };

struct usage_sum {
    int64_t at; // the beginning of the hour or, as the reader's clock has it, the day
    const char *model;
    int64_t requests, errors, quota, prompt_tokens, completion_tokens, use_time_ms;
};

static const struct field usage_sum_fields[] = {
    FIELD(struct usage_sum, at),
    FIELD(struct usage_sum, model),
    FIELD(struct usage_sum, requests),
    FIELD(struct usage_sum, errors),
    FIELD(struct usage_sum, quota),
    FIELD(struct usage_sum, prompt_tokens),
    FIELD(struct usage_sum, completion_tokens),
    FIELD(struct usage_sum, use_time_ms),
    {0},
};
static const struct table usage_sum_table = TABLE("usage", struct usage_sum, usage_sum_fields);

struct top_user {
    const char *username;
    int64_t requests, quota, tokens;
};

static const struct field top_user_fields[] = {
    FIELD(struct top_user, username),
    FIELD(struct top_user, requests),
    FIELD(struct top_user, quota),
    FIELD(struct top_user, tokens),
    {0},
};
static const struct table top_user_table = TABLE("top_user", struct top_user, top_user_fields);

struct range {
    int64_t from, to; // whole hours
    int64_t step, zone;
    int64_t user_id; // 0: everybody
};

static struct err *read_range(struct http *x, struct range *r)
{
    int64_t now = clock_now(), all = 0;
    TRY(http_query_int(x, "end_timestamp", 1, INT32_MAX, now + 1, &r->to));
    TRY(http_query_int(x, "start_timestamp", 0, INT32_MAX, r->to - DAY, &r->from));
    TRY(http_query_int(x, "zone_minutes", -ZONE_MOST / ZONE_STEP, ZONE_MOST / ZONE_STEP, 0,
                       &r->zone));
    TRY(http_query_int(x, "all", 0, 1, 0, &all));
    if (r->from >= r->to || r->to - r->from > RANGE_MOST)
        return err_new(x->arena, &err_field_invalid, "start_timestamp");
    if (all && x->user->role < ROLE_ADMIN)
        return err_new(x->arena, &err_role_required, "everybody's usage");
    r->from -= r->from % HOUR;
    r->to += (HOUR - r->to % HOUR) % HOUR;
    r->user_id = all ? 0 : x->user->id;
    r->step = r->to - r->from > HOURLY_MOST ? DAY : HOUR;
    r->zone = r->step == DAY ? r->zone * ZONE_STEP : 0;
    return NULL;
}

#define BUCKETS                                                                                    \
    "SELECT hour - (hour + ?) % ?, model_name, SUM(requests), SUM(errors), SUM(quota),"            \
    " SUM(prompt_tokens), SUM(completion_tokens), SUM(use_time_ms) FROM "
#define IN_RANGE " hour >= ? AND hour < ? AND requests + errors > 0"

static struct err *by_model(struct db *db, struct arena *a, const struct range *r, struct rows *out)
{
    if (r->user_id)
        return db_query(db, a, &usage_sum_table, out,
                        BUCKETS "usage_hours WHERE user_id = ? AND" IN_RANGE
                                " GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?",
                        P(r->zone), P(r->step), P(r->user_id), P(r->from), P(r->to), P(ROWS_MOST));
    return db_query(db, a, &usage_sum_table, out,
                    BUCKETS "usage_models WHERE" IN_RANGE " GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?",
                    P(r->zone), P(r->step), P(r->from), P(r->to), P(ROWS_MOST));
}

#define BY_USER(table, time)                                                                       \
    "SELECT username, SUM(requests + errors) AS requests, SUM(quota) AS quota,"                    \
    " SUM(prompt_tokens + completion_tokens) AS tokens FROM " table " WHERE " time                 \
    " >= ? AND " time " < ? AND requests + errors > 0 GROUP BY 1"

#define PARTS                                                                                      \
    BY_USER("usage_users", "day")                                                                  \
    " UNION ALL " BY_USER("usage_hours", "hour") " UNION ALL " BY_USER("usage_hours", "hour")

// Whole days of UTC, and the hours in front of and behind them.
static struct err *by_user(struct db *db, struct arena *a, const struct range *r, struct rows *out)
{
    int64_t first = r->from + (DAY - r->from % DAY) % DAY, last = r->to - r->to % DAY;
    if (r->user_id)
        return NULL;
    if (first > last)
        first = last = r->to;
    return db_query(db, a, &top_user_table, out,
                    "SELECT username, SUM(requests), SUM(quota), SUM(tokens) FROM (" PARTS
                    ") parts GROUP BY 1 ORDER BY 3 DESC LIMIT ?",
                    P(first), P(last), P(r->from), P(first), P(last), P(r->to), P(USERS_MOST));
}

// --- the pace: of the last minute ---------------------------------------------------------

enum { MINUTE = 60, PACE_ROWS = 20000, PACE_LAG = 2 }; // lag: until all rows of a second are there

struct pace {
    int64_t rows, oldest; // looked at
    int64_t requests, tokens;
};

static const struct field pace_fields[] = {
    FIELD(struct pace, rows),
    FIELD(struct pace, oldest),
    FIELD(struct pace, requests),
    FIELD(struct pace, tokens),
    {0},
};
static const struct table pace_table = TABLE("pace", struct pace, pace_fields);

// By an index, newest first.
#define NEWEST(whose)                                                                              \
    "SELECT COUNT(*), MIN(created_at), SUM(CASE WHEN type = 2 THEN 1 ELSE 0 END),"                 \
    " SUM(CASE WHEN type = 2 THEN prompt_tokens + completion_tokens ELSE 0 END) FROM"              \
    " (SELECT created_at, type, prompt_tokens, completion_tokens FROM logs"                        \
    " WHERE " whose "created_at >= ? AND created_at < ?"                                           \
    " ORDER BY created_at DESC, id DESC LIMIT ?) newest"

static struct err *read_newest(struct db *db, struct arena *a, int64_t user_id, int64_t from,
                               int64_t to, struct pace *out)
{
    struct rows rows;
    if (user_id)
        TRY(db_query(db, a, &pace_table, &rows, NEWEST("user_id = ? AND "), P(user_id), P(from),
                     P(to), P((int)PACE_ROWS)));
    else
        TRY(db_query(db, a, &pace_table, &rows, NEWEST(""), P(from), P(to), P((int)PACE_ROWS)));
    *out = *(const struct pace *)rows.items;
    return NULL;
}

// Exactly the last minute's; where that has more rows than are looked at, those of the last whole
// seconds, for a minute.
static struct err *read_pace(struct db *db, struct arena *a, const struct range *r,
                             struct pace *out)
{
    int64_t now = clock_now(), to = now + 1;
    TRY(read_newest(db, a, r->user_id, to - MINUTE, to, out));
    if (out->rows < PACE_ROWS)
        return NULL;
    to = now - PACE_LAG;
    int64_t from = out->oldest + 1 < to ? out->oldest + 1 : to - 1;
    TRY(read_newest(db, a, r->user_id, from, to, out));
    out->requests = out->requests * MINUTE / (to - from);
    out->tokens = out->tokens * MINUTE / (to - from);
    return NULL;
}

static void write_rows(struct http *x, struct json *j, const char *key, const struct table *t,
                       const struct rows *rows)
{
    json_arr(j, key);
    for (size_t i = 0; i < rows->count; i++) {
        json_obj(j, NULL);
        fields_write(t->fields, (const char *)rows->items + i * t->row_size, j, http_audience(x));
        json_end(j);
    }
    json_end(j);
}

struct err *api_dashboard_show(struct http *x)
{
    struct range r;
    struct rows usage = {0}, users = {0};
    struct pace pace;
    struct db *db;
    TRY(read_range(x, &r));
    TRY(http_log_db(x, &db));
    TRY(by_model(db, x->arena, &r, &usage));
    TRY(by_user(db, x->arena, &r, &users));
    TRY(read_pace(db, x->arena, &r, &pace));
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_int(&j, "from", r.from);
    json_int(&j, "to", r.to);
    json_int(&j, "step", r.step);
    json_int(&j, "requests_per_minute", pace.requests);
    json_int(&j, "tokens_per_minute", pace.tokens);
    write_rows(x, &j, "items", &usage_sum_table, &usage);
    write_rows(x, &j, "users", &top_user_table, &users);
    return http_done(x, &j);
}
