// The logs table. Few indexes: it is the hottest insert of all.

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
    {"user_id, id", false}, {"created_at, id", false}, {0}};

const struct table log_table = TABLE("logs", struct log_row, log_fields, .indexes = log_indexes);
