// The logs table. Few indexes, because it is the hottest insert of all, and each of them grows at
// its end, or at one end per user: what else is searched by, usage_hours finds (log_search.h).

#include "model/log.h"

static const struct field log_fields[] = {
    FIELD(struct log_row, id, .flags = KEY | SORT | FILTER),
    FIELD(struct log_row, request_id, .flags = INDEX | READONLY | FILTER, .max = 64),
    FIELD(struct log_row, created_at, .flags = READONLY | FILTER | SORT),
    FIELD(struct log_row, type, .flags = READONLY | FILTER),
    FIELD(struct log_row, user_id, .flags = READONLY | FILTER),
    FIELD(struct log_row, username, .flags = READONLY | FILTER, .max = 64),
    FIELD(struct log_row, token_id, .flags = READONLY | FILTER),
    FIELD(struct log_row, token_name, .flags = READONLY | FILTER, .max = 64),
    FIELD(struct log_row, channel_id, .flags = READONLY | FILTER | ADMIN),
    FIELD(struct log_row, model_name, .flags = READONLY | FILTER, .max = 191),
    FIELD(struct log_row, prompt_tokens, .flags = READONLY),
    FIELD(struct log_row, completion_tokens, .flags = READONLY),
    FIELD(struct log_row, cached_tokens, .flags = READONLY),
    FIELD(struct log_row, quota, .flags = READONLY),
    FIELD(struct log_row, use_time_ms, .flags = READONLY),
    FIELD(struct log_row, first_token_ms, .flags = READONLY),
    FIELD(struct log_row, is_stream, .flags = READONLY | FILTER),
    FIELD(struct log_row, group, .flags = READONLY | FILTER, .max = 64),
    FIELD(struct log_row, ip, .flags = READONLY, .max = 48),
    FIELD(struct log_row, content, .flags = READONLY, .max = 1 << 14),
    FIELD(struct log_row, other, .flags = READONLY, .max = 1 << 16),
    {0},
};

static const struct table_index log_indexes[] = {
    {.columns = "user_id, created_at, id"},
    {.columns = "created_at, id"},
    {.columns = "type, created_at, id", .where = LOG_RARE_TYPES},
    {0},
};

const struct table log_table = TABLE("logs", struct log_row, log_fields, .indexes = log_indexes);

static const struct field moved_fields[] = {
    FIELD(struct moved_rows, kind, .flags = UNIQUE, .max = 16),
    FIELD(struct moved_rows, ids),
    {0},
};

const struct table moved_table = TABLE("moved_rows", struct moved_rows, moved_fields);

enum { DELETE_STEP = 1000 };

// Up to the end of the second in which the thousandth stands: a range of an index, which no
// database reads the table for.
struct err *log_delete_step(struct db *db, struct arena *a, int64_t before, int64_t *changed)
{
    int64_t last = 0;
    TRY(db_int(db, a, &last,
               "SELECT created_at FROM logs WHERE created_at < ? ORDER BY created_at, id"
               " LIMIT 1 OFFSET ?",
               P(before), P((int)DELETE_STEP - 1)));
    return db_exec(db, a, changed, "DELETE FROM logs WHERE created_at < ?",
                   P(last ? last + 1 : before));
}
