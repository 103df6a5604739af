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

#define LOG_RARE_TYPES "type <> 2" // all but consume: those have an index of their own

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
    int64_t cached_tokens; // of the prompt, read from a cache
    int64_t quota;
    int64_t use_time_ms, first_token_ms;
    bool is_stream;
    const char *group, *ip, *content;
    const char *other; // JSON: how the amount came about, tried channels, how the stream ended
};

extern const struct table log_table;

// Deletes the oldest rows from before that time, some thousand at most; *changed 0: none is left.
struct err *log_delete_step(struct db *db, struct arena *a, int64_t before, int64_t *changed);

// In a log database of its own: which rows the last move out of the main database brought here.
// They may still stand there, and must not come again (service/log_move.h).
struct moved_rows {
    const char *kind; // the table's name
    const char *ids;  // comma-separated
};

extern const struct table moved_table;
