// The sessions table.

#include "model/session.h"

#include "common/clock.h"

static const struct field session_fields[] = {
    FIELD(struct session, id, .flags = KEY),
    FIELD(struct session, user_id, .flags = INDEX | READONLY),
    FIELD(struct session, digest, .flags = UNIQUE | SECRET | READONLY, .max = 64),
    FIELD(struct session, auth_version, .flags = SECRET | READONLY),
    FIELD(struct session, ip, .flags = READONLY, .max = 48),
    FIELD(struct session, user_agent, .flags = READONLY, .max = 512),
    FIELD(struct session, created_at, .flags = READONLY),
    FIELD(struct session, expires_at, .flags = READONLY),
    FIELD(struct session, revoked_at, .flags = READONLY),
    {0},
};

const struct table session_table = TABLE("sessions", struct session, session_fields);

struct err *session_by_digest(struct db *db, struct arena *a, const char *digest,
                              struct session *out)
{
    return db_find(db, a, &session_table, out, "digest = ?", P(digest));
}

struct err *session_revoke(struct db *db, struct arena *a, const char *digest)
{
    return db_exec(db, a, NULL, "UPDATE sessions SET revoked_at = ? WHERE digest = ?",
                   P(clock_now()), P(digest));
}

struct err *session_purge(struct db *db, struct arena *a, int64_t now)
{
    return db_exec(db, a, NULL, "DELETE FROM sessions WHERE expires_at <= ? OR revoked_at > 0",
                   P(now));
}
