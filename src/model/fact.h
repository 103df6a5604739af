// Facts: what the database remembers about this installation, by name, once and for ever.

#pragma once
#include "common/db/db.h"

struct fact {
    int64_t id;
    const char *name, *value;
};

extern const struct table fact_table;

// What is remembered under the name; where nothing is, `candidate` from now on, for everybody.
struct err *fact_keep(struct db *db, struct arena *a, const char *name, const char *candidate,
                      const char **out);
