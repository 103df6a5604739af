// Users, as those manage them whose role is higher.

#include "controller/user.h"

#include <string.h>

#include "common/arena.h"
#include "middleware/list.h"
#include "model/lease.h"
#include "service/audit.h"
#include "service/session.h"
#include "service/snapshot.h"
#include "service/user.h"

#define QUOTA_MOST ((int64_t)1000000000000000)

// A user as he is sent: the row's fields, and what the row does not hold or not show.
struct user_request {
    struct user row;
    const char *password;
    int64_t quota;
};

#define ROW(member, ...) FIELD_AS(struct user_request, row.member, #member, __VA_ARGS__)

const struct field user_create_fields[] = {
    ROW(username, .flags = REQUIRED, .max = 256),
    FIELD(struct user_request, password, .flags = REQUIRED, .max = 1024),
    ROW(display_name, .max = 64),
    ROW(remark, .max = 255),
    ROW(role, .min = 1, .max = 100),
    ROW(group, .min = 1, .max = 64),
    FIELD(struct user_request, quota, .min = 0, .max = 1e15),
    {0},
};

const struct field user_update_fields[] = {
    FIELD(struct user_request, password, .max = 1024),
    ROW(display_name, .max = 64),
    ROW(remark, .max = 255),
    ROW(role, .min = 1, .max = 100),
    ROW(status, .min = 1, .max = 2),
    ROW(group, .min = 1, .max = 64),
    {0},
};

struct manage_request {
    int64_t id, value;
    const char *action, *mode;
};

const struct field user_manage_fields[] = {
    FIELD(struct manage_request, id, .flags = REQUIRED, .min = 1, .max = 9e18),
    FIELD(struct manage_request, action, .flags = REQUIRED, .max = 32),
    FIELD(struct manage_request, mode, .max = 32, .def = "add"),
    FIELD(struct manage_request, value, .min = 0, .max = 1e15),
    {0},
};

static struct err *note_as(struct http *x, enum log_type type, const struct user *about,
                           const char *content)
{
    struct audit what = {type, x->exchange->request_id, x->ip, about, x->user, content};
    return audit_write(x->db, x->arena, &what);
}

static struct err *reply_user(struct http *x, const struct user *user)
{
    struct user shown = *user;
    TRY(user_balance(x->db, x->arena, user->id, &shown.quota));
    return http_reply(x, &user_table, &shown);
}

static struct err *note(struct http *x, const struct user *about, const char *content)
{
    return note_as(x, LOG_TYPE_MANAGE, about, content);
}

// Groups without a ratio cannot be billed, so nobody is put into one.
static struct err *check_group(struct http *x, const char *group)
{
    int64_t ratio;
    const struct snapshot *s = snapshot_hold();
    bool known = snapshot_group_ratio(s, group, group, &ratio);
    snapshot_release(s);
    return known ? NULL : err_new(x->arena, &err_field_invalid, "group");
}

// The one who is to be managed; nobody manages his equals.
static struct err *find_below(struct http *x, int64_t id, struct user *out)
{
    TRY(user_by_id(x->db, x->arena, id, out));
    return user_outranks(x->arena, x->user, out);
}

// --- lists ------------------------------------------------------------------------------

// Balances as people understand them: with what nodes hold.
static struct err *add_held(struct http *x, struct list *l)
{
    struct user *users = l->rows.items;
    int64_t ids[DB_PAGE_MAX], *quotas[DB_PAGE_MAX];
    for (size_t i = 0; i < l->rows.count; i++) {
        ids[i] = users[i].id;
        quotas[i] = &users[i].quota;
    }
    return lease_add_held(x->db, x->arena, "user", ids, quotas, l->rows.count);
}

// Those below, and himself; root sees all.
static struct err *reply_list(struct http *x, const char *keyword)
{
    struct list l;
    TRY(list_begin(x, &user_table, "", &l));
    l.page.keyword = keyword;
    l.page.keyword_in = "username,display_name,email";
    TRY(list_run(x, &l, "role < ? OR id = ? OR ? = 100", P(x->user->role), P(x->user->id),
                 P(x->user->role)));
    TRY(add_held(x, &l));
    return list_reply(x, &l, NULL);
}

struct err *api_user_list(struct http *x)
{
    return reply_list(x, NULL);
}

struct err *api_user_search(struct http *x)
{
    return reply_list(x, http_query(x, "keyword"));
}

struct err *api_user_show(struct http *x)
{
    int64_t id;
    struct user user;
    TRY(http_param_int(x, "id", &id));
    TRY(user_by_id(x->db, x->arena, id, &user));
    if (user.id != x->user->id)
        TRY(user_outranks(x->arena, x->user, &user));
    return reply_user(x, &user);
}

// --- making, changing, deleting ------------------------------------------------------------

static struct err *store_new(struct http *x, struct user *user)
{
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(user_create(x->db, x->arena, user));
    TRY(note_as(x, LOG_TYPE_SYSTEM, user,
                arena_printf(x->arena, "Created with %lld quota", (long long)user->quota)));
    return tx_commit(&tx, x->arena);
}

struct err *api_user_create(struct http *x)
{
    struct user_request in = {0};
    fields_default(x->arena, user_table.fields, &in.row);
    TRY(http_body(x, user_create_fields, &in));
    TRY(user_may_grant(x->arena, x->user, in.row.role));
    TRY(check_group(x, in.row.group));
    in.row.quota = in.quota;
    TRY(http_take_password(x, &in.row, in.password));
    TRY(store_new(x, &in.row));
    return reply_user(x, &in.row);
}

// Sessions end with a right that they were given under.
static struct err *store_changed(struct http *x, const struct user *user, bool end_sessions,
                                 const char *content)
{
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(db_update_only(x->db, x->arena, &user_table, user, "password", "display_name", "remark",
                       "role", "status", "group", NULL));
    if (end_sessions)
        TRY(session_end_others(x->db, x->arena, user->id, 0));
    TRY(note(x, user, content));
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_USER, user->id);
    return NULL;
}

static struct err *may_change(struct http *x, const struct user *before, const struct user *after)
{
    if (after->role != before->role)
        TRY(user_may_grant(x->arena, x->user, after->role));
    return text_eq(after->group, before->group) ? NULL : check_group(x, after->group);
}

struct err *api_user_update(struct http *x)
{
    struct user_request in = {.password = ""};
    struct user before;
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    TRY(find_below(x, id, &before));
    in.row = before;
    TRY(http_body(x, user_update_fields, &in));
    TRY(may_change(x, &before, &in.row));
    bool new_password = !text_is_empty(in.password);
    if (new_password)
        TRY(http_take_password(x, &in.row, in.password));
    bool end = new_password || in.row.role != before.role || in.row.status != before.status;
    TRY(store_changed(x, &in.row, end, "Changed by an administrator"));
    return reply_user(x, &in.row);
}

static struct err *refuse_root(struct http *x, const struct user *user)
{
    return user->role == ROLE_ROOT ? err_new(x->arena, &err_root_protected, "%s", user->username)
                                   : NULL;
}

// The rows of logs stay: they are the books.
static struct err *delete_user(struct http *x, const struct user *user)
{
    TRY(http_recall(x, ACCOUNT_USER, user->id));
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM tokens WHERE user_id = ?", P(user->id)));
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM sessions WHERE user_id = ?", P(user->id)));
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM kept WHERE user_id = ?", P(user->id)));
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM users WHERE id = ?", P(user->id)));
    TRY(note(x, user, "Deleted"));
    TRY(tx_commit(&tx, x->arena));
    http_changed(x, CHANGE_USER, user->id);
    return NULL;
}

struct err *api_user_delete(struct http *x)
{
    struct user user;
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    TRY(user_by_id(x->db, x->arena, id, &user));
    TRY(refuse_root(x, &user));
    TRY(user_outranks(x->arena, x->user, &user));
    TRY(delete_user(x, &user));
    return http_ok(x);
}

// --- POST /api/user/manage -----------------------------------------------------------------

static struct err *set_status(struct http *x, struct user *user, int status, const char *content)
{
    user->status = status;
    return store_changed(x, user, status != STATUS_ON, content);
}

static struct err *enable(struct http *x, struct user *user, const struct manage_request *in)
{
    (void)in;
    return set_status(x, user, STATUS_ON, "Enabled");
}

static struct err *disable(struct http *x, struct user *user, const struct manage_request *in)
{
    (void)in;
    return set_status(x, user, STATUS_OFF, "Disabled");
}

static struct err *remove_user(struct http *x, struct user *user, const struct manage_request *in)
{
    (void)in;
    return delete_user(x, user);
}

static struct err *set_role(struct http *x, struct user *user, int role, const char *content)
{
    TRY(user_may_grant(x->arena, x->user, role));
    user->role = role;
    return store_changed(x, user, true, content);
}

static struct err *promote(struct http *x, struct user *user, const struct manage_request *in)
{
    (void)in;
    return set_role(x, user, ROLE_ADMIN, "Promoted to administrator");
}

static struct err *demote(struct http *x, struct user *user, const struct manage_request *in)
{
    (void)in;
    return set_role(x, user, ROLE_COMMON, "Demoted to user");
}

// How much more or less it shall be.
static struct err *delta_of(struct http *x, const struct manage_request *in, int64_t balance,
                            int64_t *delta)
{
    if (text_eq(in->mode, "add"))
        *delta = in->value;
    else if (text_eq(in->mode, "subtract"))
        *delta = -in->value;
    else if (text_eq(in->mode, "override"))
        *delta = in->value - balance;
    else
        return err_new(x->arena, &err_field_invalid, "mode");
    return balance + *delta > QUOTA_MOST ? err_new(x->arena, &err_field_invalid, "value") : NULL;
}

// What was spent and is not booked yet is still part of the balance, so a computed difference never
// brings it back.
static struct err *add_quota(struct http *x, struct user *user, const struct manage_request *in)
{
    int64_t balance = 0, delta = 0;
    struct user now;
    TRY(http_recall(x, ACCOUNT_USER, user->id));
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(db_lock(x->db, x->arena, &user_table, &now, "id = ?", P(user->id)));
    TRY(user_balance(x->db, x->arena, user->id, &balance));
    TRY(delta_of(x, in, balance, &delta));
    struct err *e = user_add_quota(x->db, x->arena, user->id, delta);
    if (e && e->kind == &err_quota_insufficient)
        return err_new(x->arena, &err_quota_too_low, "%s has %lld", user->username,
                       (long long)balance);
    TRY(e);
    TRY(note(x, user,
             arena_printf(x->arena, "Quota %+lld: %lld, before %lld", (long long)delta,
                          (long long)(balance + delta), (long long)balance)));
    return tx_commit(&tx, x->arena);
}

static const struct {
    const char *name;
    struct err *(*run)(struct http *x, struct user *user, const struct manage_request *in);
    bool on_root;  // root may do it to himself
    bool is_final; // nobody is left to answer with
} actions[] = {
    {"enable", enable},   {"disable", disable}, {"delete", remove_user, .is_final = true},
    {"promote", promote}, {"demote", demote},   {"add_quota", add_quota, .on_root = true},
};

static struct err *may_manage(struct http *x, const struct user *user, bool on_root)
{
    if (on_root && user->id == x->user->id && user->role == ROLE_ROOT)
        return NULL;
    TRY(refuse_root(x, user));
    return user_outranks(x->arena, x->user, user);
}

struct err *api_user_manage(struct http *x)
{
    struct manage_request in;
    struct user user;
    fields_default(x->arena, user_manage_fields, &in);
    TRY(http_body(x, user_manage_fields, &in));
    TRY(user_by_id(x->db, x->arena, in.id, &user));
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        if (!text_eq(actions[i].name, in.action))
            continue;
        TRY(may_manage(x, &user, actions[i].on_root));
        TRY(actions[i].run(x, &user, &in));
        return actions[i].is_final ? http_ok(x) : reply_user(x, &user);
    }
    return err_new(x->arena, &err_field_invalid, "action");
}
