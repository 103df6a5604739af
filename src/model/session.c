// The sessions table.

#include "model/session.h"

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
