// Bringing a database's tables up to what the field tables say. For this folder only.

#pragma once
#include "common/db/db.h"

// Adds what is missing, as db_add_indexes does; never changes or drops what is there.
struct err *schema_add_columns(struct db *db, struct arena *a, const struct table *t);

// The names of a table's columns; none if there is no such table.
struct err *schema_columns(struct db *db, struct arena *a, const char *table, struct rows *names);

struct schema_name {
    const char *name;
};
bool schema_has(const struct rows *names, const char *name);
