// What was used, hour by hour: the roll-up of the log that statistics read, and that tells a search
// which hours hold what it looks for.
//
// One row for each hour, user, token, channel and model that had log rows, under the names that
// user and token had then. So there are never more rows than log rows, and their number follows the
// variety of the traffic, not its amount. Users and tokens are for one's own dashboard and keys,
// channels for what an upstream does, models for both, names for searching by them.
//
// The sums are those of the log's consume and error rows, exactly: service/rollup.h writes them in
// the transaction that writes the rows. Deleting log rows leaves them as they are.

#pragma once
#include "common/db/db.h"

enum { USAGE_HOUR = 3600 };

struct usage_hour {
    int64_t hour; // its first second
    int64_t user_id, token_id, channel_id;
    const char *model_name, *username, *token_name;
    int64_t requests, errors; // consume and error rows
    int64_t others;           // is there any other log row? a hint for searches, not a count
    int64_t prompt_tokens, completion_tokens, cached_tokens, quota;
    int64_t use_time_ms, first_token_ms; // of requests
};

extern const struct table usage_table;
extern const char usage_unique[]; // the columns that tell rows apart

// Deletes the oldest hour from before that time; *changed 0: none is left.
struct err *usage_delete_step(struct db *db, struct arena *a, int64_t before, int64_t *changed);

// Fills the roll-up of a database whose log is older than it: from all log rows, whatever stood
// there before. In the caller's transaction.
struct err *usage_rebuild(struct db *db, struct arena *a);
