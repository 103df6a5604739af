// This node's name, which is its alone while it lives: leases and journal positions go by it.
//
// A living process counts its row's beats every two seconds. A node that starts with the DATA_DIR
// of the one before it takes the name at once (the journal's folder is locked, so that one is
// dead). With another DATA_DIR it looks for beats first, and does not take a name whose leases
// belong to records on a disk that it does not have: that is for an operator to decide
// (node_release).

#pragma once
#include "common/db/db.h"

// err_node_taken, after up to six seconds.
struct err *node_claim(struct db_pool *pool, struct arena *a, const char *name,
                       const char *data_dir);
struct err *node_beat(struct db *db, struct arena *a, bool *others); // do other nodes serve?
void node_leave(void); // everything is booked and given back
// False once somebody has taken or released the name while we could not beat: then our leases are
// void. True where no name was ever claimed.
bool node_is_ours(void);

// Gives the leases of a dead node back and forgets it, telling on standard output whom that
// concerns. What it spent and had not booked is lost with its disk. err_node_taken while it lives,
// and so says `heard` (may it be heard otherwise?).
struct err *node_release(struct db_pool *pool, struct arena *a, const char *name,
                         bool (*heard)(const char *name));
