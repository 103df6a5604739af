// Logging in and out, and what people may change about themselves.

#include "controller/account.h"

#include "common/arena.h"
#include "common/clock.h"
#include "middleware/cookies.h"
#include "service/audit.h"
#include "service/login_limit.h"
#include "service/metrics.h"
#include "service/password.h"
#include "service/snapshot.h"
#include "service/user.h"

enum { REGISTRATIONS_PER_ADDRESS = 20 };

struct credentials {
    const char *username, *password, *original_password, *display_name;
};

const struct field account_login_fields[] = {
    FIELD(struct credentials, username, .flags = REQUIRED, .max = 256),
    FIELD(struct credentials, password, .flags = REQUIRED, .max = 1024),
    {0},
};

const struct field account_register_fields[] = {
    FIELD(struct credentials, username, .flags = REQUIRED, .max = 256),
    FIELD(struct credentials, password, .flags = REQUIRED, .max = 1024),
    FIELD(struct credentials, display_name, .max = 64),
    {0},
};

const struct field account_password_fields[] = {
    FIELD(struct credentials, original_password, .flags = REQUIRED, .max = 1024),
    FIELD(struct credentials, password, .flags = REQUIRED, .max = 1024),
    {0},
};

const struct field account_self_fields[] = {
    FIELD(struct user, display_name, .min = 1, .max = 64),
    FIELD(struct user, language, .max = 8),
    {0},
};

static struct err *reply_user(struct http *x, const struct user *user)
{
    struct user shown = *user;
    TRY(user_balance(x->db, x->arena, user->id, &shown.quota));
    return http_reply(x, &user_table, &shown);
}

static struct err *note(struct http *x, const struct user *about, enum log_type type,
                        const char *content)
{
    struct audit what = {type, x->exchange->request_id, x->ip, about, NULL, content};
    return audit_write(x->db, x->arena, &what);
}

// Takes the same time whether the name, the password or both are wrong.
static struct err *check_password(struct http *x, const struct user *user, const char *password,
                                  bool *right)
{
    http_db_release(x);
    TRY(password_check(x->arena, password, user->password, right));
    return http_db_take(x);
}

static struct err *find_by_name(struct http *x, const char *username, struct user *out)
{
    struct err *e = user_by_name(x->db, x->arena, username, out);
    if (e && e->kind == &err_not_found) {
        *out = (struct user){.username = username};
        return NULL;
    }
    return e;
}

static struct err *wrong_login(struct http *x, const char *username)
{
    metric_add(metric_cell(METRIC_LOGINS_FAILED, NULL), 1);
    return err_new(x->arena, &err_login_failed, "%s from %s", username, x->ip);
}

// Is it his password? Within the limit of guesses.
static struct err *prove(struct http *x, const struct settings *s, const struct user *user,
                         const char *password, bool *right)
{
    TRY(login_limit_begin(x->arena, x->ip, user->username, s->user.login_attempts));
    struct err *e = check_password(x, user, password, right);
    login_limit_end(x->ip, user->username, *right ? LOGIN_RIGHT : e ? LOGIN_UNTRIED : LOGIN_WRONG);
    return e;
}

static struct err *begin_session(struct http *x, const struct settings *s, struct user *user)
{
    struct str agent = http_header(&x->exchange->headers, "user-agent");
    struct session_visit visit = {x->ip, arena_str(x->arena, agent), s->user.session_hours};
    struct session_ticket ticket;
    TRY(session_begin(x->db, x->arena, user, &visit, &ticket));
    cookies_set(x, &ticket);
    user->last_login_at = clock_now();
    return db_update_only(x->db, x->arena, &user_table, user, "last_login_at", NULL);
}

struct err *api_account_login(struct http *x)
{
    struct credentials in = {0};
    struct settings s;
    struct user user;
    bool right = false;
    TRY(http_body(x, account_login_fields, &in));
    TRY(http_settings(x, &s));
    TRY(find_by_name(x, in.username, &user));
    TRY(prove(x, &s, &user, in.password, &right));
    if (!right)
        return wrong_login(x, in.username);
    if (user.status != STATUS_ON)
        return err_new(x->arena, &err_user_disabled, "%s", user.username);
    if (!s.user.password_login_enabled && user.role != ROLE_ROOT)
        return err_new(x->arena, &err_password_login_off, "%s", user.username);
    TRY(begin_session(x, &s, &user));
    TRY(note(x, &user, LOG_TYPE_LOGIN, "Logged in"));
    return reply_user(x, &user);
}

struct err *api_account_logout(struct http *x)
{
    if (x->session->id)
        TRY(session_revoke(x->db, x->arena, x->session->digest));
    cookies_clear(x);
    return http_ok(x);
}

struct err *api_account_register(struct http *x)
{
    struct credentials in = {.display_name = ""};
    struct settings s;
    struct user user;
    TRY(http_settings(x, &s));
    if (!s.user.register_enabled)
        return err_new(x->arena, &err_register_off, "from %s", x->ip);
    TRY(http_body(x, account_register_fields, &in));
    TRY(login_limit_begin(x->arena, x->ip, "\nregister", REGISTRATIONS_PER_ADDRESS));
    login_limit_end(x->ip, "\nregister", LOGIN_WRONG); // every one counts
    fields_default(x->arena, user_table.fields, &user);
    user.username = in.username;
    user.display_name = in.display_name;
    user.quota = s.user.quota_for_new_user;
    TRY(http_take_password(x, &user, in.password));
    TRY(user_create(x->db, x->arena, &user));
    TRY(note(x, &user, LOG_TYPE_SYSTEM,
             arena_printf(x->arena, "Registered with %lld quota", (long long)user.quota)));
    return reply_user(x, &user);
}

struct err *api_account_show(struct http *x)
{
    return reply_user(x, x->user);
}

struct err *api_account_update(struct http *x)
{
    struct user user = *x->user;
    TRY(http_body(x, account_self_fields, &user));
    TRY(db_update_only(x->db, x->arena, &user_table, &user, "display_name", "language", NULL));
    return reply_user(x, &user);
}

// All other sessions end with the old password.
static struct err *store_password(struct http *x, const struct user *user)
{
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(db_update_only(x->db, x->arena, &user_table, user, "password", NULL));
    TRY(session_end_others(x->db, x->arena, user->id, x->session->id));
    TRY(note(x, user, LOG_TYPE_MANAGE, "Changed the password"));
    return tx_commit(&tx, x->arena);
}

struct err *api_account_password(struct http *x)
{
    struct credentials in = {0};
    struct settings s;
    struct user user = *x->user;
    bool right = false;
    TRY(http_body(x, account_password_fields, &in));
    TRY(http_settings(x, &s));
    TRY(prove(x, &s, &user, in.original_password, &right));
    if (!right)
        return err_new(x->arena, &err_password_wrong, "%s", user.username);
    TRY(http_take_password(x, &user, in.password));
    TRY(store_password(x, &user));
    http_changed(x, CHANGE_USER, user.id);
    return http_ok(x);
}

struct err *api_account_token(struct http *x)
{
    const char *token;
    TRY(user_new_access_token(x->db, x->arena, x->user, &token));
    TRY(note(x, x->user, LOG_TYPE_MANAGE, "Made a new access token"));
    struct json j = http_data(x);
    json_str(&j, "data", token);
    return http_done(x, &j);
}

static void write_group(struct json *j, const struct snapshot *s, const char *user_group,
                        const char *name, const char *text)
{
    int64_t ratio = 0;
    if (!snapshot_group_usable(s, user_group, name) ||
        !snapshot_group_ratio(s, user_group, name, &ratio))
        return;
    json_obj(j, name);
    json_str(j, "desc", text ? text : "");
    json_real(j, "ratio", (double)ratio / MICRO);
    json_end(j);
}

// {"group": {"desc", "ratio"}} of those that this user's keys may use.
struct err *api_account_groups(struct http *x)
{
    struct json j = http_data(x);
    yyjson_val *groups, *name, *text;
    size_t i, max;
    const struct snapshot *s = snapshot_hold();
    json_obj(&j, "data");
    if (!json_read(x->arena, str_of(s->settings.ratio.user_usable_groups), &groups))
        yyjson_obj_foreach(groups, i, max, name, text)
        {
            write_group(&j, s, x->user->group, yyjson_get_str(name), yyjson_get_str(text));
        }
    snapshot_release(s);
    return http_done(x, &j);
}
