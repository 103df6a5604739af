// The tokens table, and how keys look.

#include "model/token.h"

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"
#include "common/rand.h"

static const struct field token_fields[] = {
    FIELD(struct token, id, .flags = KEY | FILTER | SORT),
    FIELD(struct token, user_id, .flags = INDEX | READONLY | FILTER),
    FIELD(struct token, name, .flags = REQUIRED | FILTER | SORT, .min = 1, .max = 50),
    FIELD(struct token, key, .flags = SECRET | SEALED | READONLY, .max = 256),
    FIELD(struct token, key_digest, .flags = SECRET | UNIQUE | READONLY, .max = 64),
    FIELD(struct token, status, .flags = FILTER | SORT, .min = 1, .max = 2, .def = "1"),
    FIELD(struct token, remain_quota, .flags = SORT, .min = 0, .max = 1e15),
    FIELD(struct token, unlimited_quota, .flags = FILTER),
    FIELD(struct token, used_quota, .flags = READONLY | SORT),
    FIELD(struct token, expired_time, .flags = SORT, .min = -1, .max = 1e12, .def = "-1"),
    FIELD(struct token, model_limits_enabled),
    FIELD(struct token, model_limits, .max = 1 << 16),
    FIELD(struct token, group, .flags = FILTER, .max = 64),
    FIELD(struct token, allow_ips, .max = 1 << 14),
    FIELD(struct token, rpm, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct token, tpm, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct token, rpd, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct token, concurrency, .flags = SORT, .min = 0, .max = 1e9),
    FIELD(struct token, created_time, .flags = READONLY | SORT),
    FIELD(struct token, accessed_time, .flags = READONLY | SORT),
    {0},
};

const struct table token_table = TABLE("tokens", struct token, token_fields);

const char *token_new_key(struct arena *a)
{
    char *key = arena_raw(a, TOKEN_KEY_SIZE + 1);
    rand_text(key, TOKEN_KEY_SIZE);
    return key;
}

const char *token_digest(struct arena *a, const char *key)
{
    unsigned char digest[SHA256_SIZE];
    hash_sha256(str_of(key), digest);
    return hash_hex(a, digest, sizeof(digest));
}

const char *token_masked(struct arena *a, const char *key)
{
    size_t n = strlen(key);
    return n < 12 ? "sk-****" : arena_printf(a, "sk-%.4s**********%s", key, key + n - 4);
}

struct err *token_by_digest(struct db *db, struct arena *a, const char *digest, struct token *out)
{
    return db_find(db, a, &token_table, out, "key_digest = ?", P(digest));
}

struct err *token_of_user(struct db *db, struct arena *a, int64_t id, int64_t user_id,
                          struct token *out)
{
    return db_find(db, a, &token_table, out, "id = ? AND user_id = ?", P(id), P(user_id));
}

struct err *token_remain(struct db *db, struct arena *a, int64_t id, int64_t *out)
{
    return db_int(db, a, out,
                  "SELECT t.remain_quota + (SELECT COALESCE(SUM(l.amount), 0) FROM leases l"
                  " WHERE l.kind = 'token' AND l.owner_id = t.id) FROM tokens t WHERE t.id = ?",
                  P(id));
}
