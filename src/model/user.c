// The users table.

#include "model/user.h"

static const struct field user_fields[] = {
    FIELD(struct user, id, .flags = KEY | FILTER | SORT),
    FIELD(struct user, username, .flags = UNIQUE | REQUIRED | FILTER | SORT, .min = 1, .max = 32),
    FIELD(struct user, password, .flags = SECRET | READONLY, .max = 256),
    FIELD(struct user, display_name, .flags = FILTER, .max = 64),
    FIELD(struct user, email, .flags = NULLABLE | UNIQUE | FILTER, .max = 128),
    FIELD(struct user, remark, .flags = ADMIN, .max = 255),
    FIELD(struct user, language, .max = 8),
    FIELD(struct user, role, .flags = FILTER | SORT, .min = 1, .max = 100, .def = "1"),
    FIELD(struct user, status, .flags = FILTER | SORT, .min = 1, .max = 2, .def = "1"),
    FIELD(struct user, group, .flags = FILTER | SORT, .min = 1, .max = 64, .def = "default"),
    FIELD(struct user, quota, .flags = READONLY | SORT),
    FIELD(struct user, used_quota, .flags = READONLY | SORT),
    FIELD(struct user, request_count, .flags = READONLY | SORT),
    FIELD(struct user, access_token_digest, .flags = SECRET | READONLY | NULLABLE | UNIQUE,
          .max = 64),
    FIELD(struct user, auth_version, .flags = SECRET | READONLY, .def = "1"),
    FIELD(struct user, created_at, .flags = READONLY | SORT),
    FIELD(struct user, last_login_at, .flags = READONLY | SORT),
    {0},
};

const struct table user_table = TABLE("users", struct user, user_fields);

struct err *user_by_id(struct db *db, struct arena *a, int64_t id, struct user *out)
{
    return db_find(db, a, &user_table, out, "id = ?", P(id));
}

struct err *user_by_name(struct db *db, struct arena *a, const char *username, struct user *out)
{
    return db_find(db, a, &user_table, out, "username = ?", P(username));
}

struct err *user_balance(struct db *db, struct arena *a, int64_t id, int64_t *out)
{
    return db_int(db, a, out,
                  "SELECT u.quota + (SELECT COALESCE(SUM(l.amount), 0) FROM leases l"
                  " WHERE l.kind = 'user' AND l.owner_id = u.id) FROM users u WHERE u.id = ?",
                  P(id));
}

struct err *user_add_quota(struct db *db, struct arena *a, int64_t id, int64_t delta)
{
    int64_t changed = 0;
    TRY(db_exec(db, a, &changed,
                "UPDATE users SET quota = quota + ? WHERE id = ? AND quota + ? >= 0", P(delta),
                P(id), P(delta)));
    return changed ? NULL : err_new(a, &err_quota_insufficient, "user %lld", (long long)id);
}

struct err *user_by_access_token(struct db *db, struct arena *a, const char *digest,
                                 struct user *out)
{
    return db_find(db, a, &user_table, out, "access_token_digest = ?", P(digest));
}

struct err *user_has_root(struct db *db, struct arena *a, bool *out)
{
    int64_t n = 0;
    TRY(db_int(db, a, &n, "SELECT COUNT(*) FROM users WHERE role = ?", P(ROLE_ROOT)));
    *out = n > 0;
    return NULL;
}
