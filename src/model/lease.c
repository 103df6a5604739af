// The leases and journal_positions tables.

#include "model/lease.h"

#include "common/arena.h"

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
    FIELD(struct journal_position, logs_apart),
    {0},
};

const struct table journal_position_table =
    TABLE("journal_positions", struct journal_position, position_fields);

static struct db_where held_by(struct arena *a, const char *kind, const int64_t *ids, size_t count)
{
    struct field_value *params = NEW_ARRAY(a, struct field_value, count + 1);
    char *marks = arena_alloc(a, 2 * count + 1), *to = marks;
    params[0] = P(kind);
    for (size_t i = 0; i < count; i++) {
        params[i + 1] = P(ids[i]);
        *to++ = '?';
        *to++ = i + 1 < count ? ',' : '\0';
    }
    const char *sql = arena_printf(a, "kind = ? AND owner_id IN (%s)", marks);
    return (struct db_where){sql, count + 1, params};
}

struct err *lease_add_held(struct db *db, struct arena *a, const char *kind, const int64_t *ids,
                           int64_t *const *amounts, size_t count)
{
    struct rows rows;
    if (!count)
        return NULL;
    TRY(db_list_(db, a, &lease_table, &rows, held_by(a, kind, ids, count)));
    const struct lease *held = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        for (size_t k = 0; k < count; k++)
            if (ids[k] == held[i].owner_id)
                *amounts[k] += held[i].amount;
    return NULL;
}

struct err *lease_of_others(struct db *db, struct arena *a, const char *kind, int64_t owner_id,
                            const char *but, struct rows *out)
{
    return db_list(db, a, &lease_table, out,
                   "kind = ? AND owner_id = ? AND node <> ? AND amount > 0 ORDER BY id", P(kind),
                   P(owner_id), P(but));
}
