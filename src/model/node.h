// Nodes: who serves under which name, and a sign of life.

#pragma once
#include "common/db/db.h"

struct node_row {
    int64_t id;
    const char *name;
    const char *folder;  // of which DATA_DIR: the node's records are there
    const char *process; // "": stopped with everything booked and given back
    int64_t beats;       // one more every two seconds
    int64_t seen_at;
};

extern const struct table node_table;
