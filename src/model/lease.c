// The leases and journal_positions tables.

#include "model/lease.h"

static const struct field lease_fields[] = {
    FIELD(struct lease, id, .flags = KEY), FIELD(struct lease, node, .max = 64),
    FIELD(struct lease, kind, .max = 8),   FIELD(struct lease, owner_id),
    FIELD(struct lease, amount),           FIELD(struct lease, last_move),
    FIELD(struct lease, updated_at),       {0},
};
static const struct table_index lease_indexes[] = {
    {"kind, owner_id, node", true},
    {0},
};

const struct table lease_table =
    TABLE("leases", struct lease, lease_fields, .indexes = lease_indexes);

static const struct field position_fields[] = {
    FIELD(struct journal_position, id, .flags = KEY),
    FIELD(struct journal_position, node, .flags = UNIQUE, .max = 64),
    FIELD(struct journal_position, segment),
    FIELD(struct journal_position, offset),
    {0},
};

const struct table journal_position_table =
    TABLE("journal_positions", struct journal_position, position_fields);
