// Users: who may log in, and whose balance pays.

#pragma once
#include "common/db/db.h"

enum role { ROLE_GUEST = 0, ROLE_COMMON = 1, ROLE_ADMIN = 10, ROLE_ROOT = 100 };
enum status { STATUS_ON = 1, STATUS_OFF = 2, STATUS_AUTO_OFF = 3, STATUS_EXHAUSTED = 4 };

struct user {
    int64_t id;
    const char *username, *password; // argon2id, encoded
    const char *display_name, *email, *remark, *language;
    int role, status;
    const char *group;
    // The part of the balance that no node holds. What people mean by "balance" is this plus the
    // leases (model/lease.h): user_balance().
    int64_t quota;
    int64_t used_quota, request_count;
    const char *access_token_digest; // sha256 hex of the management token, "" if none
    int64_t auth_version;            // sessions of an older version are dead
    int64_t created_at, last_login_at;
};

extern const struct table user_table;

struct err *user_by_id(struct db *db, struct arena *a, int64_t id, struct user *out);
struct err *user_by_name(struct db *db, struct arena *a, const char *username, struct user *out);

// quota plus what is leased to nodes and not yet spent.
struct err *user_balance(struct db *db, struct arena *a, int64_t id, int64_t *out);

// Adds (or, negative, takes) quota; err_quota_insufficient when that would go below zero.
struct err *user_add_quota(struct db *db, struct arena *a, int64_t id, int64_t delta);

struct err *user_by_access_token(struct db *db, struct arena *a, const char *digest,
                                 struct user *out);
struct err *user_has_root(struct db *db, struct arena *a, bool *out);
