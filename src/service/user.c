// Accounts: how they are made, and who stands above whom.

#include "service/user.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/rand.h"
#include "service/password.h"

enum { ACCESS_TOKEN_SIZE = 40 };

static struct err *name_allowed(struct arena *a, const char *name)
{
    struct str s = str_of(name);
    size_t n = 0;
    for (const char *c = name; *c; c++) {
        n += ((unsigned char)*c & 0xc0) != 0x80;
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return err_new(a, &err_name_invalid, "control character");
    }
    if (!n || n > USERNAME_MAX || str_trim(s).n != s.n || !utf8_valid(s))
        return err_new(a, &err_name_invalid, "%zu characters", n);
    return NULL;
}

static struct err *as_taken(struct arena *a, struct err *e, const char *name)
{
    return e && e->kind == &err_db_duplicate ? err_new(a, &err_name_taken, "%s", name) : e;
}

struct err *user_take_password(struct arena *a, struct user *row, const char *password)
{
    TRY(password_allowed(a, row->username, password));
    return password_hash(a, password, &row->password);
}

struct err *user_create(struct db *db, struct arena *a, struct user *row)
{
    TRY(name_allowed(a, row->username));
    row->created_at = clock_now();
    row->auth_version = 1;
    if (text_is_empty(row->display_name))
        row->display_name = row->username;
    return as_taken(a, db_insert(db, a, &user_table, row), row->username);
}

struct err *user_set_access_token(struct db *db, struct arena *a, const struct user *user,
                                  const char *token)
{
    struct user changed = *user;
    changed.access_token_digest = token_digest(a, token);
    return db_update_only(db, a, &user_table, &changed, "access_token_digest", NULL);
}

struct err *user_new_access_token(struct db *db, struct arena *a, const struct user *user,
                                  const char **token)
{
    char random[ACCESS_TOKEN_SIZE + 1];
    rand_text(random, ACCESS_TOKEN_SIZE);
    *token = arena_printf(a, "tfa_%s", random);
    return user_set_access_token(db, a, user, *token);
}

struct err *user_outranks(struct arena *a, const struct user *actor, const struct user *target)
{
    if (target->role < actor->role)
        return NULL;
    return err_new(a, &err_rank_forbidden, "%s on %s", actor->username, target->username);
}

struct err *user_may_grant(struct arena *a, const struct user *actor, int role)
{
    if (role != ROLE_COMMON && role != ROLE_ADMIN && role != ROLE_ROOT)
        return err_new(a, &err_field_invalid, "role");
    if (role < actor->role || actor->role == ROLE_ROOT)
        return NULL;
    return err_new(a, &err_rank_forbidden, "role %d by %s", role, actor->username);
}

const char *token_bare(const char *key)
{
    return strncmp(key, "sk-", 3) ? key : key + 3;
}
