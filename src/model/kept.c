// The kept table.

#include "model/kept.h"

static const struct field kept_fields[] = {
    FIELD(struct kept, id, .flags = KEY),
    FIELD(struct kept, user_id),
    FIELD(struct kept, kind),
    FIELD(struct kept, name, .max = KEPT_NAME_MAX),
    FIELD(struct kept, previous, .max = KEPT_NAME_MAX),
    FIELD(struct kept, channel_id),
    FIELD(struct kept, key_id, .max = 32),
    FIELD(struct kept, model, .max = 191),
    FIELD(struct kept, document, .flags = SEALED | SECRET),
    FIELD(struct kept, size),
    FIELD(struct kept, created_at),
    FIELD(struct kept, expires_at, .flags = INDEX),
    {0},
};

static const struct table_index kept_indexes[] = {
    {"user_id, kind, name", true}, {"user_id, id", false}, {0}};

const struct table kept_table = TABLE("kept", struct kept, kept_fields, .indexes = kept_indexes);

struct err *kept_by_name(struct db *db, struct arena *a, int64_t user_id, int kind,
                         const char *name, struct kept *out)
{
    return db_find(db, a, &kept_table, out, "user_id = ? AND kind = ? AND name = ?", P(user_id),
                   P(kind), P(name));
}

struct err *kept_delete(struct db *db, struct arena *a, int64_t user_id, int kind, const char *name)
{
    return db_exec(db, a, NULL, "DELETE FROM kept WHERE user_id = ? AND kind = ? AND name = ?",
                   P(user_id), P(kind), P(name));
}

static struct err *delete_oldest(struct db *db, struct arena *a, int64_t user_id, int64_t count)
{
    return db_exec(db, a, NULL,
                   "DELETE FROM kept WHERE id IN (SELECT id FROM (SELECT id FROM kept WHERE"
                   " user_id = ? ORDER BY id LIMIT ?) old)",
                   P(user_id), P(count));
}

static struct err *sums_of(struct db *db, struct arena *a, int64_t user_id, int64_t *count,
                           int64_t *bytes)
{
    TRY(db_int(db, a, count, "SELECT COUNT(*) FROM kept WHERE user_id = ?", P(user_id)));
    return db_int(db, a, bytes, "SELECT SUM(size) FROM kept WHERE user_id = ?", P(user_id));
}

struct err *kept_trim(struct db *db, struct arena *a, int64_t user_id, int64_t count_most,
                      int64_t bytes_most)
{
    for (;;) {
        int64_t count, bytes;
        TRY(sums_of(db, a, user_id, &count, &bytes));
        if (!count || (count <= count_most && bytes <= bytes_most))
            return NULL;
        int64_t over = count - count_most, step = count / 16 + 1;
        TRY(delete_oldest(db, a, user_id, over > step ? over : step));
    }
}
