// The nodes table.

#include "model/node.h"

static const struct field node_fields[] = {
    FIELD(struct node_row, id, .flags = KEY),
    FIELD(struct node_row, name, .flags = UNIQUE, .max = 64),
    FIELD(struct node_row, folder, .max = 64),
    FIELD(struct node_row, process, .max = 32),
    FIELD(struct node_row, beats),
    FIELD(struct node_row, seen_at),
    {0},
};

const struct table node_table = TABLE("nodes", struct node_row, node_fields);
