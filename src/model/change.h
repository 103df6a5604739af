// Changes: what nodes keep in memory and must read again, in the order it was written down. Nodes
// that missed a message, or have no Redis, read on from the last row that they know.

#pragma once
#include "common/db/db.h"

struct change {
    int64_t id;
    const char *process; // of a node, by whom: it knows already
    const char *kind;    // service/change.h
    int64_t owner_id;    // 0: all of the kind
    int64_t created_at;
};

extern const struct table change_table;

struct err *change_newest(struct db *db, struct arena *a, int64_t *id); // 0: there is none
// The oldest `most` behind that id, not by this process.
struct err *change_list(struct db *db, struct arena *a, int64_t after, const char *process,
                        int most, struct rows *out);
