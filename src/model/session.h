// Sessions: logins of the console that may be revoked on the server.

#pragma once
#include "common/db/db.h"

struct session {
    int64_t id, user_id;
    const char *digest; // sha256 hex of the id that the cookie's JWT carries
    int64_t auth_version;
    const char *ip, *user_agent;
    int64_t created_at, expires_at, revoked_at; // revoked_at 0 = alive
};

extern const struct table session_table;

struct err *session_by_digest(struct db *db, struct arena *a, const char *digest,
                              struct session *out);
struct err *session_revoke(struct db *db, struct arena *a, const char *digest);
// Forgets what has expired or was revoked.
struct err *session_purge(struct db *db, struct arena *a, int64_t now);
