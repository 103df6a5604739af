// The usage_hours table and its sums. Indexes are cheap: a row is inserted once an hour, then only
// summed.

#include "model/usage.h"

#include "common/clock.h"
#include "common/log.h"
#include "model/log.h"

static const struct field usage_fields[] = {
    FIELD(struct usage_hour, hour),
    FIELD(struct usage_hour, user_id),
    FIELD(struct usage_hour, token_id),
    FIELD(struct usage_hour, channel_id),
    FIELD(struct usage_hour, model_name, .max = 191),
    FIELD(struct usage_hour, username, .max = 64),
    FIELD(struct usage_hour, token_name, .max = 64),
    FIELD(struct usage_hour, requests, .flags = SUMMED),
    FIELD(struct usage_hour, errors, .flags = SUMMED),
    FIELD(struct usage_hour, others, .flags = SUMMED),
    FIELD(struct usage_hour, prompt_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, completion_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, cached_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, quota, .flags = SUMMED),
    FIELD(struct usage_hour, use_time_ms, .flags = SUMMED),
    FIELD(struct usage_hour, first_token_ms, .flags = SUMMED),
    {0},
};

#define UNIQUE_COLUMNS "hour, user_id, token_id, channel_id, model_name, username, token_name"
const char usage_unique[] = UNIQUE_COLUMNS;

static const struct table_index usage_indexes[] = {{UNIQUE_COLUMNS, true},
                                                   {"user_id, hour", false},
                                                   {"username, hour", false},
                                                   {"token_name, hour", false},
                                                   {"model_name, hour", false},
                                                   {"channel_id, hour", false},
                                                   {0}};

const struct table usage_table =
    TABLE("usage_hours", struct usage_hour, usage_fields, .indexes = usage_indexes);

#define MODEL_COLUMNS "hour, model_name"
const char usage_model_unique[] = MODEL_COLUMNS;

static const struct field model_fields[] = {
    FIELD(struct usage_hour, hour),
    FIELD(struct usage_hour, model_name, .max = 191),
    FIELD(struct usage_hour, requests, .flags = SUMMED),
    FIELD(struct usage_hour, errors, .flags = SUMMED),
    FIELD(struct usage_hour, prompt_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, completion_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, cached_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, quota, .flags = SUMMED),
    FIELD(struct usage_hour, use_time_ms, .flags = SUMMED),
    FIELD(struct usage_hour, first_token_ms, .flags = SUMMED),
    {0},
};

static const struct table_index model_indexes[] = {{MODEL_COLUMNS, true}, {0}};

const struct table usage_model_table =
    TABLE("usage_models", struct usage_hour, model_fields, .indexes = model_indexes);

#define USER_COLUMNS "day, user_id, username"
const char usage_user_unique[] = USER_COLUMNS;

static const struct field user_fields[] = {
    FIELD_AS(struct usage_hour, hour, "day"),
    FIELD(struct usage_hour, user_id),
    FIELD(struct usage_hour, username, .max = 64),
    FIELD(struct usage_hour, requests, .flags = SUMMED),
    FIELD(struct usage_hour, errors, .flags = SUMMED),
    FIELD(struct usage_hour, prompt_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, completion_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, cached_tokens, .flags = SUMMED),
    FIELD(struct usage_hour, quota, .flags = SUMMED),
    {0},
};

static const struct table_index user_indexes[] = {{USER_COLUMNS, true}, {0}};

const struct table usage_user_table =
    TABLE("usage_users", struct usage_hour, user_fields, .indexes = user_indexes);

// --- filling them from what there is ---------------------------------------------------

// One statement over all rows needs temporary files as large as they are, which MariaDB loses at
// some millions of rows; and nobody would know how far it is.
struct periods {
    const char *what;
    int64_t length;
    const char *next, *last; // queries: the first time that is not before `?`; the last one
    struct err *(*add)(struct db *db, struct arena *a, int64_t from, int64_t to);
};

enum { TELL_MS = 10000 };

static void tell(const struct periods *p, int64_t begin, int64_t at, int64_t end, int64_t *told_ms)
{
    if (clock_steady_ms() - *told_ms < TELL_MS)
        return;
    *told_ms = clock_steady_ms();
    log_info("migration: %s: %d %%", p->what, (int)((at - begin) * 100 / (end - begin)));
}

// Those that have rows, one by one. What stands in front of the first one's end is a period, too.
static struct err *each_period(struct db *db, struct arena *a, const struct periods *p)
{
    int64_t at = 0, begin = 0, last = 0, told_ms = clock_steady_ms();
    TRY(p->add(db, a, INT64_MIN, p->length));
    TRY(db_int(db, a, &last, p->last));
    for (int64_t from = p->length;; from = at + p->length) {
        TRY(db_int(db, a, &at, p->next, P(from)));
        if (!at)
            return NULL;
        at -= at % p->length;
        begin = begin ? begin : at;
        TRY(p->add(db, a, at, at + p->length));
        tell(p, begin, at + p->length, last + p->length, &told_ms);
    }
}

// enum log_type: 2 consume, 5 error.
static const char add_hour[] =
    "INSERT INTO usage_hours (" UNIQUE_COLUMNS ", requests, errors, others, prompt_tokens,"
    " completion_tokens, cached_tokens, quota, use_time_ms, first_token_ms)"
    " SELECT created_at - created_at % 3600, user_id, token_id, channel_id, model_name, username,"
    " token_name,"
    " SUM(CASE WHEN type = 2 THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN type = 5 THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN type IN (2, 5) THEN 0 ELSE 1 END),"
    " SUM(CASE WHEN type IN (2, 5) THEN prompt_tokens ELSE 0 END),"
    " SUM(CASE WHEN type IN (2, 5) THEN completion_tokens ELSE 0 END),"
    " SUM(CASE WHEN type IN (2, 5) THEN cached_tokens ELSE 0 END),"
    " SUM(CASE WHEN type IN (2, 5) THEN quota ELSE 0 END),"
    " SUM(CASE WHEN type = 2 THEN use_time_ms ELSE 0 END),"
    " SUM(CASE WHEN type = 2 THEN first_token_ms ELSE 0 END)"
    " FROM logs WHERE created_at >= ? AND created_at < ? GROUP BY 1, 2, 3, 4, 5, 6, 7";

static struct err *roll_up_hour(struct db *db, struct arena *a, int64_t from, int64_t to)
{
    return db_exec(db, a, NULL, add_hour, P(from), P(to));
}

struct err *usage_rebuild(struct db *db, struct arena *a)
{
    static const struct periods hours = {"rolling up the log", USAGE_HOUR,
                                         "SELECT MIN(created_at) FROM logs WHERE created_at >= ?",
                                         "SELECT MAX(created_at) FROM logs", roll_up_hour};
    TRY(db_add_indexes(db, a, &log_table));
    TRY(db_exec(db, a, NULL, "DELETE FROM usage_hours"));
    return each_period(db, a, &hours);
}

static const char add_models[] =
    "INSERT INTO usage_models (" MODEL_COLUMNS ", requests, errors, prompt_tokens,"
    " completion_tokens, cached_tokens, quota, use_time_ms, first_token_ms)"
    " SELECT hour, model_name, SUM(requests), SUM(errors), SUM(prompt_tokens),"
    " SUM(completion_tokens), SUM(cached_tokens), SUM(quota), SUM(use_time_ms),"
    " SUM(first_token_ms) FROM usage_hours"
    " WHERE hour >= ? AND hour < ? AND requests + errors > 0 GROUP BY 1, 2";

static const char add_users[] =
    "INSERT INTO usage_users (" USER_COLUMNS ", requests, errors, prompt_tokens,"
    " completion_tokens, cached_tokens, quota)"
    " SELECT hour - hour % 86400, user_id, username, SUM(requests), SUM(errors),"
    " SUM(prompt_tokens), SUM(completion_tokens), SUM(cached_tokens), SUM(quota)"
    " FROM usage_hours WHERE hour >= ? AND hour < ? AND requests + errors > 0 GROUP BY 1, 2, 3";

struct err *usage_add_users(struct db *db, struct arena *a, int64_t from, int64_t to)
{
    return db_exec(db, a, NULL, add_users, P(from), P(to));
}

static struct err *sum_up_day(struct db *db, struct arena *a, int64_t from, int64_t to)
{
    TRY(db_exec(db, a, NULL, add_models, P(from), P(to)));
    return usage_add_users(db, a, from, to);
}

struct err *usage_rebuild_sums(struct db *db, struct arena *a)
{
    static const struct periods days = {"summing up the log", USAGE_DAY,
                                        "SELECT MIN(hour) FROM usage_hours WHERE hour >= ?",
                                        "SELECT MAX(hour) FROM usage_hours", sum_up_day};
    TRY(db_add_indexes(db, a, &usage_table));
    TRY(db_exec(db, a, NULL, "DELETE FROM usage_models"));
    TRY(db_exec(db, a, NULL, "DELETE FROM usage_users"));
    return each_period(db, a, &days);
}

// --- deleting --------------------------------------------------------------------------

struct err *usage_forget(struct db *db, struct arena *a, int64_t hour)
{
    TRY(db_exec(db, a, NULL, "DELETE FROM usage_hours WHERE hour = ?", P(hour)));
    TRY(db_exec(db, a, NULL, "DELETE FROM usage_models WHERE hour = ?", P(hour)));
    return db_exec(db, a, NULL, "DELETE FROM usage_users WHERE day <= ?", P(hour));
}

struct err *usage_delete_step(struct db *db, struct arena *a, int64_t before, int64_t *changed)
{
    int64_t oldest = 0;
    *changed = 0;
    TRY(db_int(db, a, &oldest, "SELECT MIN(hour) FROM usage_hours"));
    if (!oldest || oldest >= before - before % USAGE_DAY)
        return NULL;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(usage_forget(db, a, oldest));
    *changed = 1;
    return tx_commit(&tx, a);
}
