// Finding log rows, newest first, in a table of any size: by the order (created_at, id), never
// further than a bounded number of rows at a time.
//
// Only users, times and kinds have an index on the log (model/log.c). For everything else the
// roll-up says in which hours, and of which users, there is such a row, and only those are read.
// What neither tells (is_stream, group ...) is looked for row by row until the time is up: then the
// search says how far it came, and goes on from there when asked again.

#pragma once
#include "common/db/db.h"

enum { LOG_KEYWORD_MAX = 191 };

struct log_place {
    int64_t at, id; // created_at and id: what comes after it is older
};

struct log_search {
    const struct db_filter *filters; // on log_table
    size_t filter_count;
    const char *keyword;    // a whole request id, user name, token name or model name; "" = none
    int64_t from, to;       // created_at; 0 = open
    struct log_place after; // {0, 0}: from the newest
    size_t want;            // rows
    int step_rows;          // that one query looks at; 0 = as many as is good

    struct log_place *found; // out: in the arena
    size_t count;
    bool complete;            // out: there are no more than those
    struct log_place reached; // out, if it is not: where to go on
};

struct err *log_search(struct db *db, struct arena *a, struct log_search *s);

// The rows at these places, at most DB_PAGE_MAX, in their order; a row that has gone is left out.
struct err *log_rows(struct db *db, struct arena *a, const struct log_place *places, size_t count,
                     struct rows *out);
