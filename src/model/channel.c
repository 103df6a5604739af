// The channels table.

#include "model/channel.h"

#include "common/clock.h"

static const struct field channel_fields[] = {
    FIELD(struct channel, id, .flags = KEY | FILTER | SORT),
    FIELD(struct channel, type, .flags = REQUIRED | FILTER | SORT, .min = 1, .max = 9999,
          .def = "1"),
    FIELD(struct channel, name, .flags = REQUIRED | FILTER | SORT, .min = 1, .max = 128),
    FIELD(struct channel, key, .flags = SECRET | SEALED, .max = 1 << 20),
    FIELD(struct channel, base_url, .flags = FILTER, .max = 512),
    FIELD(struct channel, models, .flags = FILTER, .max = 1 << 18),
    FIELD(struct channel, group, .flags = FILTER, .min = 1, .max = 512, .def = "default"),
    FIELD(struct channel, model_mapping, .flags = JSON_TEXT, .max = 1 << 16),
    FIELD(struct channel, priority, .flags = SORT, .min = -1000000, .max = 1000000),
    FIELD(struct channel, weight, .flags = SORT, .min = 0, .max = 1000000),
    FIELD(struct channel, status, .flags = FILTER | SORT, .min = 1, .max = 3, .def = "1"),
    FIELD(struct channel, auto_ban, .def = "1"),
    FIELD(struct channel, tag, .flags = FILTER, .max = 64),
    FIELD(struct channel, remark, .max = 255),
    FIELD(struct channel, proxy, .flags = SEALED, .max = 512), // may hold a password
    FIELD(struct channel, other, .max = 1024),
    FIELD(struct channel, header_override, .flags = JSON_TEXT, .max = 1 << 16),
    FIELD(struct channel, param_override, .flags = JSON_TEXT, .max = 1 << 16),
    FIELD(struct channel, system_prompt, .max = 1 << 16),
    FIELD(struct channel, test_model, .max = 128),
    FIELD(struct channel, rpm, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct channel, tpm, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct channel, rpd, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct channel, concurrency, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct channel, response_time, .flags = READONLY | SORT),
    FIELD(struct channel, used_quota, .flags = READONLY | SORT),
    FIELD(struct channel, balance, .flags = READONLY | SORT),
    FIELD(struct channel, status_reason, .flags = READONLY, .max = 512),
    FIELD(struct channel, status_time, .flags = READONLY),
    FIELD(struct channel, key_states, .flags = READONLY | JSON_TEXT, .max = 1 << 20),
    FIELD(struct channel, created_time, .flags = READONLY | SORT),
    FIELD(struct channel, test_time, .flags = READONLY | SORT),
    {0},
};

const struct table channel_table = TABLE("channels", struct channel, channel_fields);

struct err *channel_by_id(struct db *db, struct arena *a, int64_t id, struct channel *out)
{
    return db_find(db, a, &channel_table, out, "id = ?", P(id));
}

struct err *channel_set_status(struct db *db, struct arena *a, int64_t id, int status,
                               const char *reason, bool *changed)
{
    int64_t rows = 0;
    TRY(db_exec(db, a, &rows,
                "UPDATE channels SET status = ?, status_reason = ?, status_time = ?"
                " WHERE id = ? AND status <> ?",
                P(status), P(reason), P(clock_now()), P(id), P(status)));
    *changed = rows == 1;
    return NULL;
}
