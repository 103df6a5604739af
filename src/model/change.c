// The changes table.

#include "model/change.h"

static const struct field change_fields[] = {
    FIELD(struct change, id, .flags = KEY),
    FIELD(struct change, process, .max = 32),
    FIELD(struct change, kind, .max = 16),
    FIELD(struct change, owner_id),
    FIELD(struct change, created_at, .flags = INDEX),
    {0},
};

const struct table change_table = TABLE("changes", struct change, change_fields);

struct err *change_newest(struct db *db, struct arena *a, int64_t *id)
{
    return db_int(db, a, id, "SELECT MAX(id) FROM changes");
}

struct err *change_list(struct db *db, struct arena *a, int64_t after, const char *process,
                        int most, struct rows *out)
{
    return db_list(db, a, &change_table, out, "id > ? AND process <> ? ORDER BY id LIMIT ?",
                   P(after), P(process), P((int64_t)most));
}
