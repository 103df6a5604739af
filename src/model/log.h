// Logs: one row for everything that moved money or deserves to be remembered. The fields are also
// the journal's record (service/journal.h).

#pragma once
#include "common/db/db.h"

enum log_type {
    LOG_TYPE_TOPUP = 1,
    LOG_TYPE_CONSUME,
    LOG_TYPE_MANAGE,
    LOG_TYPE_SYSTEM,
    LOG_TYPE_ERROR,
    LOG_TYPE_REFUND,
    LOG_TYPE_LOGIN,
};

struct log_row {
    int64_t id;
    const char *request_id;
    int64_t created_at;
    int type; // enum log_type
    int64_t user_id;
    const char *username;
    int64_t token_id;
    const char *token_name;
    int64_t channel_id;
    const char *model_name;
    int64_t prompt_tokens; // all input, cached too
    int64_t completion_tokens;
    int64_t quota;
    int64_t use_time_ms, first_token_ms;
    bool is_stream;
    const char *group, *ip, *content;
    const char *other; // JSON: how the amount came about, tried channels, how the stream ended
};

extern const struct table log_table;
