// The facts table.

#include "model/fact.h"

static const struct field fact_fields[] = {
    FIELD(struct fact, id, .flags = KEY),
    FIELD(struct fact, name, .flags = UNIQUE, .max = 64),
    FIELD(struct fact, value, .max = 255),
    {0},
};

const struct table fact_table = TABLE("facts", struct fact, fact_fields);

struct err *fact_keep(struct db *db, struct arena *a, const char *name, const char *candidate,
                      const char **out)
{
    struct fact row = {.name = name, .value = candidate};
    struct err *e = db_find(db, a, &fact_table, &row, "name = ?", P(name));
    if (e && e->kind == &err_not_found) {
        row = (struct fact){.name = name, .value = candidate};
        e = db_insert(db, a, &fact_table, &row);
    }
    if (e && e->kind == &err_db_duplicate) // another node was quicker
        e = db_find(db, a, &fact_table, &row, "name = ?", P(name));
    *out = row.value;
    return e;
}
