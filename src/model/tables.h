// Every table of the database, in the order in which they are created.

#pragma once
#include "common/db/db.h"

extern const struct table *const model_tables[];  // ends with NULL
extern const struct migration model_migrations[]; // ends with {0}
