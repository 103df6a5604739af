// Keeping what later requests will refer to (model/kept.h): in memory at once, in SQL soon after.
//
// A relay hands over what is to be kept and goes on. Until a writer on a worker has put it into
// SQL it is found here, so that on this node a name can be used as soon as it is known. What has
// no document stays here for a while. Nothing is in the journal: what a killed process had not
// written is forgotten, and who refers to it is told so (ADR 7).

#pragma once
#include "model/kept.h"

struct db_pool;
struct keep_limits {
    int64_t count_most, bytes_most; // of one user
};

void keep_setup(struct db_pool *pool);

// Any thread; copies everything. What cannot be kept because too much waits to be written is
// dropped, with a line in the log. A document may be in parts, which are joined.
void keep_put(const struct kept *row, const struct str *document, size_t parts,
              const struct keep_limits *limits);

// Only in memory: true and a copy in the arena, without its document. Any thread.
bool keep_peek(struct arena *a, int64_t user_id, int kind, const char *name, struct kept *out);

// On a worker; err_not_found when there is none, it has expired, or it is somebody else's.
struct err *keep_find(struct db *db, struct arena *a, int64_t user_id, int kind, const char *name,
                      struct kept *out);
struct err *keep_drop(struct db *db, struct arena *a, int64_t user_id, int kind, const char *name);
