// The abilities table.

#include "model/ability.h"

#include <string.h>

#include "common/arena.h"

static const struct field ability_fields[] = {
    FIELD(struct ability, id, .flags = KEY),
    FIELD(struct ability, group, .flags = FILTER, .max = 64),
    FIELD(struct ability, model, .flags = FILTER, .max = 191),
    FIELD(struct ability, channel_id, .flags = INDEX | FILTER),
    FIELD(struct ability, enabled),
    FIELD(struct ability, priority),
    FIELD(struct ability, weight),
    {0},
};

static const struct table_index ability_indexes[] = {{"[group], model, channel_id", true}, {0}};

const struct table ability_table =
    TABLE("abilities", struct ability, ability_fields, .indexes = ability_indexes);

struct err *ability_remove(struct db *db, struct arena *a, int64_t channel_id)
{
    return db_exec(db, a, NULL, "DELETE FROM abilities WHERE channel_id = ?", P(channel_id));
}

static size_t count_items(const char *list)
{
    size_t n = 1;
    for (const char *c = list; *c; c++)
        n += *c == ',';
    return n;
}

static bool listed(const struct ability *rows, size_t n, const struct ability *row)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].group, row->group) && !strcmp(rows[i].model, row->model))
            return true;
    return false;
}

struct err *ability_rebuild(struct db *db, struct arena *a, const struct channel *c)
{
    TRY(ability_remove(db, a, c->id));
    size_t room = count_items(c->group) * count_items(c->models), n = 0;
    struct ability *rows = NEW_ARRAY(a, struct ability, room);
    struct str groups = str_of(c->group), group;
    while (str_next(&groups, ',', &group)) {
        struct str models = str_of(c->models), model;
        size_t from = n;
        while (str_next(&models, ',', &model)) {
            struct ability row = {
                .group = arena_str(a, str_trim(group)),
                .model = arena_str(a, str_trim(model)),
                .channel_id = c->id,
                .enabled = c->status == STATUS_ON,
                .priority = c->priority,
                .weight = c->weight,
            };
            if (*row.group && *row.model && !listed(rows + from, n - from, &row))
                rows[n++] = row;
        }
    }
    return db_insert_all(db, a, &ability_table, rows, n);
}

struct err *ability_enable(struct db *db, struct arena *a, int64_t channel_id, bool enabled)
{
    return db_exec(db, a, NULL, "UPDATE abilities SET enabled = ? WHERE channel_id = ?", P(enabled),
                   P(channel_id));
}
