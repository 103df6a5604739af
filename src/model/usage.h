// What was used, hour by hour: the roll-up of the log that statistics read, and that tells a search
// which hours hold what it looks for.
//
// One row for each hour, user, token, channel and model that had log rows, under the names that
// user and token had then. So there are never more rows than log rows, and their number follows the
// variety of the traffic, not its amount. Users and tokens are for one's own dashboard and keys,
// channels for what an upstream does, models for both, names for searching by them.
//
// Two sums of these sums are for everybody's statistics, which would have to read all of them:
// - usage_models drops who asked and keeps the hours, because a day begins when its reader's does.
// - usage_users drops the rest and keeps days of UTC: what a range has besides whole days is added
//   from the hours at its ends.
//
// The sums are those of the log's consume and error rows, exactly: service/rollup.h writes them in
// the transaction that writes the rows. Deleting log rows leaves them as they are.

#pragma once
#include "common/db/db.h"

enum { USAGE_HOUR = 3600, USAGE_DAY = 86400 };

struct usage_hour {
    int64_t hour; // its first second; of usage_users: the day's
    int64_t user_id, token_id, channel_id;
    const char *model_name, *username, *token_name;
    int64_t requests, errors; // consume and error rows
    int64_t others;           // is there any other log row? a hint for searches, not a count
    int64_t prompt_tokens, completion_tokens, cached_tokens, quota;
    int64_t use_time_ms, first_token_ms; // of requests
};

// All three hold struct usage_hour, or some of its members.
extern const struct table usage_table, usage_model_table, usage_user_table;
// The columns that tell rows apart.
extern const char usage_unique[], usage_model_unique[], usage_user_unique[];

// Deletes the oldest hour of the days that ended before that time; *changed 0: none is left. The
// first hour of a day takes the day's usage_users along.
struct err *usage_delete_step(struct db *db, struct arena *a, int64_t before, int64_t *changed);

// In the caller's transaction:

// Deletes an hour, and of its day and older ones all usage_users.
struct err *usage_forget(struct db *db, struct arena *a, int64_t hour);

// Fills usage_hours of a database whose log is older than it: from all log rows, whatever stood
// there before.
struct err *usage_rebuild(struct db *db, struct arena *a);
// Fills the two others from usage_hours.
struct err *usage_rebuild_sums(struct db *db, struct arena *a);
// Adds hours from..to to usage_users, where nothing of them stands.
struct err *usage_add_users(struct db *db, struct arena *a, int64_t from, int64_t to);
