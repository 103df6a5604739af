// There is no default password, ever.

#include "service/setup.h"

#include <stdatomic.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/rand.h"
#include "service/user.h"

enum { SETUP_TOKEN_SIZE = 40 };

static char setup_token[SETUP_TOKEN_SIZE + 1]; // "" = no link was given out
static atomic_bool done_before;

struct err *setup_is_done(struct db *db, struct arena *a, bool *done)
{
    *done = atomic_load(&done_before);
    if (*done)
        return NULL;
    TRY(user_has_root(db, a, done));
    if (*done)
        atomic_store(&done_before, true);
    return NULL;
}

// The relay key of the root account, without a limit.
static struct err *add_token(struct db *db, struct arena *a, const struct user *root,
                             const char *key)
{
    struct token row;
    fields_default(a, token_table.fields, &row);
    row.user_id = root->id;
    row.name = "initial";
    row.key = token_bare(key);
    row.key_digest = token_digest(a, row.key);
    row.unlimited_quota = true;
    row.created_time = clock_now();
    return db_insert(db, a, &token_table, &row);
}

// Inside a transaction: of two at once the second finds a root.
static struct err *make_root(struct db *db, struct arena *a, const char *username,
                             const char *password, struct user *out)
{
    bool exists = false;
    TRY(db_alone(db, a));
    TRY(user_has_root(db, a, &exists));
    if (exists)
        return err_new(a, &err_setup_done, "a root exists");
    fields_default(a, user_table.fields, out);
    out->username = username;
    out->role = ROLE_ROOT;
    out->quota = ROOT_QUOTA;
    TRY(user_take_password(a, out, password));
    return user_create(db, a, out);
}

// An operator must hear which variable it is.
static struct err *named(struct arena *a, struct err *e)
{
    const char *which = !e                              ? NULL
                        : e->kind == &err_password_weak ? "INITIAL_ROOT_PASSWORD"
                        : e->kind == &err_name_invalid  ? "INITIAL_ROOT_USERNAME"
                                                        : NULL;
    return which ? err_new(a, e->kind, "%s: %s", which, e->detail) : e;
}

static struct err *root_from(struct db *db, struct arena *a, const struct boot *boot, bool keep)
{
    struct user root;
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(named(a, make_root(db, a, text_is_empty(boot->root_username) ? "root" : boot->root_username,
                           boot->root_password, &root)));
    if (!text_is_empty(boot->root_access_token))
        TRY(user_set_access_token(db, a, &root, boot->root_access_token));
    if (!text_is_empty(boot->root_token))
        TRY(add_token(db, a, &root, boot->root_token));
    return keep ? tx_commit(&tx, a) : NULL;
}

// An address that a browser on this machine can open.
const char *setup_link(struct arena *a, const struct boot *boot)
{
    const char *host = boot->host;
    if (!*setup_token || atomic_load(&done_before))
        return NULL;
    if (text_is_empty(host) || text_eq(host, "0.0.0.0") || text_eq(host, "::"))
        host = "localhost";
    bool v6 = strchr(host, ':');
    return arena_printf(a, "%s://%s%s%s:%d/setup?token=%s",
                        text_is_empty(boot->tls_cert) ? "http" : "https", v6 ? "[" : "", host,
                        v6 ? "]" : "", boot->port, setup_token);
}

struct err *setup_root(struct db *db, struct arena *a, const struct boot *boot)
{
    bool done = false;
    TRY(setup_is_done(db, a, &done));
    if (done)
        return NULL;
    if (!text_is_empty(boot->root_password)) {
        struct err *e = root_from(db, a, boot, true);
        return e && e->kind == &err_setup_done ? NULL : e; // another node was first
    }
    rand_text(setup_token, SETUP_TOKEN_SIZE);
    return NULL;
}

struct err *setup_check(struct db *db, struct arena *a, const struct boot *boot)
{
    bool done = false;
    TRY(setup_is_done(db, a, &done));
    return done || text_is_empty(boot->root_password) ? NULL : root_from(db, a, boot, false);
}

static bool token_fits(const char *token)
{
    return *setup_token && strlen(token) == SETUP_TOKEN_SIZE &&
           hash_same(token, setup_token, SETUP_TOKEN_SIZE);
}

struct err *setup_by_link(struct db *db, struct arena *a, const char *token, const char *username,
                          const char *password, struct user *out)
{
    bool done = false;
    TRY(setup_is_done(db, a, &done));
    if (done)
        return err_new(a, &err_setup_done, "a root exists");
    if (!token_fits(token))
        return err_new(a, &err_setup_token_invalid, "wrong token");
    TX tx = tx_begin(db, a);
    TRY(tx.failed);
    TRY(make_root(db, a, username, password, out));
    TRY(tx_commit(&tx, a));
    atomic_store(&done_before, true);
    return NULL;
}
