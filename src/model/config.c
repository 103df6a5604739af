// The configs table.

#include "model/config.h"

#include "common/clock.h"

static const struct field config_fields[] = {
    FIELD(struct config, id, .flags = KEY),
    FIELD(struct config, key, .flags = UNIQUE, .max = 128),
    FIELD(struct config, value, .flags = SEALED), // some are secrets: all are sealed alike
    FIELD(struct config, updated_at),
    {0},
};

const struct table config_table = TABLE("configs", struct config, config_fields);

struct err *config_set(struct db *db, struct arena *a, const char *key, const char *value)
{
    struct config row = {.key = key, .value = value, .updated_at = clock_now()};
    return db_upsert(db, a, &config_table, &row, "key");
}
