// Tokens: the keys our users hand to their programs.

#pragma once
#include "common/db/db.h"
#include "model/user.h"

enum { TOKEN_KEY_SIZE = 48, TOKEN_NEVER = -1 };

struct token {
    int64_t id, user_id;
    const char *name;
    const char *key;        // 48 characters, without "sk-"; sealed at rest
    const char *key_digest; // sha256 hex of those characters: how relays find it
    int status;             // STATUS_ON, STATUS_OFF
    int64_t remain_quota;   // the part that no node holds; see token_remain()
    bool unlimited_quota;
    int64_t used_quota;
    int64_t expired_time; // unix seconds, TOKEN_NEVER
    bool model_limits_enabled;
    const char *model_limits;           // comma-separated
    const char *group;                  // "" = the user's
    const char *allow_ips;              // addresses and CIDR blocks, a line each; "" = any
    int64_t rpm, tpm, rpd, concurrency; // limits (service/limit.h); 0 = none
    int64_t created_time, accessed_time;
};

extern const struct table token_table;

const char *token_new_key(struct arena *a);
const char *token_digest(struct arena *a, const char *key);
const char *token_masked(struct arena *a, const char *key); // "sk-abcd**********wxyz"

struct err *token_by_digest(struct db *db, struct arena *a, const char *digest, struct token *out);
// Of this user only: err_not_found for anybody else's.
struct err *token_of_user(struct db *db, struct arena *a, int64_t id, int64_t user_id,
                          struct token *out);
// remain_quota plus what is leased to nodes and not yet spent.
struct err *token_remain(struct db *db, struct arena *a, int64_t id, int64_t *out);
