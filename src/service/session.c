// What browsers keep is signed; what counts is the row.

#include "service/session.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/hash.h"
#include "common/rand.h"
#include "service/jwt.h"

enum { SESSION_ID_SIZE = 32, USER_AGENT_MAX = 500 };

static unsigned char jwt_key[JWT_KEY_SIZE], csrf_key[JWT_KEY_SIZE];

void session_setup(struct str secret)
{
    hash_hmac_sha256(secret, STR("session"), jwt_key);
    hash_hmac_sha256(secret, STR("csrf"), csrf_key);
}

static const char *digest_of(struct arena *a, struct str sid)
{
    unsigned char digest[SHA256_SIZE];
    hash_sha256(sid, digest);
    return hash_hex(a, digest, sizeof(digest));
}

static const char *csrf_of(struct arena *a, const char *digest)
{
    unsigned char mac[SHA256_SIZE];
    hash_hmac_sha256((struct str){(const char *)csrf_key, sizeof(csrf_key)}, str_of(digest), mac);
    return base64url(a, mac, sizeof(mac));
}

static const char *ticket_jwt(struct arena *a, const struct session *s, const char *sid)
{
    BUF_HERE(payload, JWT_MAX);
    struct json j = {.out = &payload};
    json_obj(&j, NULL);
    json_str(&j, "sid", sid);
    json_int(&j, "sub", s->user_id);
    json_int(&j, "iat", s->created_at);
    json_int(&j, "exp", s->expires_at);
    json_end(&j);
    return jwt_sign(a, jwt_key, buf_view(&payload));
}

// At most n bytes, cut between characters; not UTF-8 at all becomes "".
static const char *shortened(struct arena *a, const char *text, size_t n)
{
    struct str s = str_of(text);
    if (s.n > n) {
        s.n = n;
        while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    return utf8_valid(s) ? arena_str(a, s) : "";
}

struct err *session_begin(struct db *db, struct arena *a, const struct user *user,
                          const struct session_visit *visit, struct session_ticket *out)
{
    char sid[SESSION_ID_SIZE + 1];
    rand_text(sid, SESSION_ID_SIZE);
    struct session row = {
        .user_id = user->id,
        .digest = digest_of(a, str_of(sid)),
        .auth_version = user->auth_version,
        .ip = visit->ip,
        .user_agent = shortened(a, visit->user_agent, USER_AGENT_MAX),
        .created_at = clock_now(),
    };
    out->seconds = (int64_t)visit->hours * 3600;
    row.expires_at = row.created_at + out->seconds;
    TRY(session_purge(db, a, row.created_at));
    TRY(db_insert(db, a, &session_table, &row));
    out->jwt = ticket_jwt(a, &row, sid);
    out->csrf = csrf_of(a, row.digest);
    return NULL;
}

static struct err *refuse(struct arena *a, const char *why)
{
    return err_new(a, &err_login_required, "%s", why);
}

struct err *session_check(struct db *db, struct arena *a, struct str jwt, struct session *session,
                          struct user *user)
{
    yyjson_val *claims = jwt_verify(a, jwt_key, jwt);
    struct str sid = claims ? json_str_at(claims, "sid") : (struct str){0};
    if (!sid.p)
        return refuse(a, "not a session");
    struct err *e = session_by_digest(db, a, digest_of(a, sid), session);
    if (!e)
        e = user_by_id(db, a, session->user_id, user);
    if (e && e->kind == &err_not_found)
        return refuse(a, "no such session");
    TRY(e);
    if (session->revoked_at || session->expires_at <= clock_now() ||
        session->auth_version != user->auth_version)
        return refuse(a, "ended session");
    return user->status == STATUS_ON ? NULL : err_new(a, &err_user_disabled, "%s", user->username);
}

bool session_csrf_fits(struct arena *a, const struct session *session, struct str csrf)
{
    const char *right = csrf_of(a, session->digest);
    return csrf.n == strlen(right) && hash_same(right, csrf.p, csrf.n);
}

struct err *session_end_others(struct db *db, struct arena *a, int64_t user_id, int64_t keep)
{
    TRY(db_exec(db, a, NULL, "UPDATE users SET auth_version = auth_version + 1 WHERE id = ?",
                P(user_id)));
    return db_exec(db, a, NULL,
                   "UPDATE sessions SET auth_version ="
                   " (SELECT auth_version FROM users WHERE id = ?) WHERE id = ? AND user_id = ?",
                   P(user_id), P(keep), P(user_id));
}
