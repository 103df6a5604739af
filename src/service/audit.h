// What people did, in the log: logins and management, a row each.

#pragma once
#include "model/log.h"
#include "model/user.h"

struct audit {
    enum log_type type;
    const char *request_id, *ip;
    const struct user *about; // whose log it stands in
    const struct user *by;    // who did it; NULL = himself
    const char *content;
};

// Inside the caller's transaction where there is one.
struct err *audit_write(struct db *db, struct arena *a, const struct audit *what);
