// Every table of the database, in the order in which they are created.

#pragma once
#include "common/db/db.h"

extern const struct table *const model_tables[];  // ends with NULL
extern const struct migration model_migrations[]; // ends with {0}

// Those of a database for the log alone (LOG_SQL_DSN).
extern const struct table *const model_log_tables[];
extern const struct migration model_log_migrations[];
