// What the drivers of database servers share. For this folder only.

#pragma once
#include <stdbool.h>

#include "common/err.h"
#include "common/field.h"

enum {
    CONNECT_S = 3,
    STATEMENT_S = 15,                     // the server ends it
    LOCK_S = 5,                           // the wait for another transaction's row
    ANSWER_MS = (STATEMENT_S + 5) * 1000, // the server must have hung: the connection is given up
    MIGRATION_WAIT_S = 60,                // for another node that migrates
    CHECK_AFTER_MS = 30 * 1000,           // of idleness
    REPLACE_AFTER_MS = 30 * 60 * 1000,    // of age
    KEEPALIVE_IDLE_S = 10,                // a server whose machine is gone is noticed
    KEEPALIVE_INTERVAL_S = 5,             //   after 10 + 3 * 5 seconds
    KEEPALIVE_COUNT = 3,
};

// What stands between the first and the last `quote` of a server's message is somebody's data.
const char *without_quoted(struct arena *a, const char *message, char quote);

// A number that came as text ("14", "14.00", "-1.5e3") into v: false if it is not of v's type or
// out of range. A real that is a whole number counts as one as long as a double can tell.
bool number_of(struct str text, struct field_value *v);
bool number_of_int(int64_t n, struct field_value *v);
bool number_of_real(double r, struct field_value *v);
