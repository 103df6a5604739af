// One's own keys for the relay. The full key is shown when it is made, and on request.

#include "controller/token.h"

#include "common/arena.h"
#include "common/clock.h"
#include "middleware/list.h"
#include "model/lease.h"
#include "model/token.h"
#include "service/client_ip.h"
#include "service/snapshot.h"

static struct err *check_group(struct http *x, const struct token *t)
{
    if (text_is_empty(t->group))
        return NULL;
    const struct snapshot *s = snapshot_hold();
    bool usable = snapshot_group_usable(s, x->user->group, t->group);
    snapshot_release(s);
    return usable ? NULL : err_new(x->arena, &err_field_invalid, "group");
}

static struct err *check(struct http *x, const struct token *t)
{
    struct ip_list list;
    if (ip_list_parse(x->arena, t->allow_ips, &list))
        return err_new(x->arena, &err_field_invalid, "allow_ips");
    return check_group(x, t);
}

// As people see it: 3 expired and 4 exhausted are not stored, they follow from the rest.
static int status_of(const struct token *t)
{
    if (t->status != STATUS_ON)
        return t->status;
    if (t->expired_time != TOKEN_NEVER && t->expired_time <= clock_now())
        return STATUS_AUTO_OFF;
    return t->unlimited_quota || t->remain_quota > 0 ? STATUS_ON : STATUS_EXHAUSTED;
}

static void write_token(struct json *j, const struct token *t, const char *key)
{
    struct token shown = *t;
    shown.status = status_of(t);
    fields_write(token_table.fields, &shown, j, FOR_USER);
    json_str(j, "key", key);
}

static void write_masked(struct http *x, struct json *j, const void *row)
{
    const struct token *t = row;
    write_token(j, t, token_masked(x->arena, t->key));
}

static struct err *reply_token(struct http *x, struct token *t, const char *key)
{
    TRY(token_remain(x->db, x->arena, t->id, &t->remain_quota));
    struct json j = http_data(x);
    json_obj(&j, "data");
    write_token(&j, t, key);
    return http_done(x, &j);
}

static const char *whole_key(struct http *x, const struct token *t)
{
    return arena_printf(x->arena, "sk-%s", t->key);
}

// --- lists ------------------------------------------------------------------------------

// What nodes hold of a limited key is still his.
static struct err *add_held(struct http *x, struct list *l)
{
    struct token *tokens = l->rows.items;
    int64_t ids[DB_PAGE_MAX], *remains[DB_PAGE_MAX];
    for (size_t i = 0; i < l->rows.count; i++) {
        ids[i] = tokens[i].id;
        remains[i] = &tokens[i].remain_quota;
    }
    return lease_add_held(x->db, x->arena, "token", ids, remains, l->rows.count);
}

static struct err *reply_list(struct http *x, const char *keyword)
{
    struct list l;
    TRY(list_begin(x, &token_table, "", &l));
    l.page.keyword = keyword;
    l.page.keyword_in = "name";
    TRY(list_run(x, &l, "user_id = ?", P(x->user->id)));
    TRY(add_held(x, &l));
    return list_reply(x, &l, write_masked);
}

struct err *api_token_list(struct http *x)
{
    return reply_list(x, NULL);
}

struct err *api_token_search(struct http *x)
{
    return reply_list(x, http_query(x, "keyword"));
}

static struct err *find_own(struct http *x, struct token *out)
{
    int64_t id;
    TRY(http_param_int(x, "id", &id));
    return token_of_user(x->db, x->arena, id, x->user->id, out);
}

struct err *api_token_show(struct http *x)
{
    struct token t;
    TRY(find_own(x, &t));
    return reply_token(x, &t, token_masked(x->arena, t.key));
}

struct err *api_token_reveal(struct http *x)
{
    struct token t;
    TRY(find_own(x, &t));
    struct json j = http_data(x);
    json_obj(&j, "data");
    json_str(&j, "key", whole_key(x, &t));
    return http_done(x, &j);
}

// --- making, changing, deleting ------------------------------------------------------------

static struct err *check_count(struct http *x)
{
    struct settings s;
    int64_t count = 0;
    TRY(http_settings(x, &s));
    TRY(db_int(x->db, x->arena, &count, "SELECT COUNT(*) FROM tokens WHERE user_id = ?",
               P(x->user->id)));
    return count < s.user.max_user_tokens
               ? NULL
               : err_new(x->arena, &err_too_many_tokens, "%lld", (long long)count);
}

struct err *api_token_create(struct http *x)
{
    struct token t;
    fields_default(x->arena, token_table.fields, &t);
    TRY(http_body(x, token_table.fields, &t));
    TRY(check(x, &t));
    TRY(check_count(x));
    t.user_id = x->user->id;
    t.key = token_new_key(x->arena);
    t.key_digest = token_digest(x->arena, t.key);
    t.created_time = clock_now();
    TRY(db_insert(x->db, x->arena, &token_table, &t));
    http_changed(x, CHANGE_TOKEN, t.id);
    return reply_token(x, &t, whole_key(x, &t));
}

// The balance changes by a difference, so that what was spent meanwhile stays spent.
static struct err *store(struct http *x, const struct token *t, bool new_quota)
{
    int64_t remain = 0, changed = 0;
    TX tx = tx_begin(x->db, x->arena);
    TRY(tx.failed);
    TRY(db_update_only(x->db, x->arena, &token_table, t, "name", "status", "unlimited_quota",
                       "expired_time", "model_limits_enabled", "model_limits", "group", "allow_ips",
                       "rpm", "tpm", "rpd", "concurrency", NULL));
    if (new_quota) {
        TRY(token_remain(x->db, x->arena, t->id, &remain));
        int64_t delta = t->remain_quota - remain;
        TRY(db_exec(x->db, x->arena, &changed,
                    "UPDATE tokens SET remain_quota = remain_quota + ?"
                    " WHERE id = ? AND remain_quota + ? >= 0",
                    P(delta), P(t->id), P(delta)));
        if (!changed)
            return err_new(x->arena, &err_quota_too_low, "key %lld", (long long)t->id);
    }
    return tx_commit(&tx, x->arena);
}

struct err *api_token_update(struct http *x)
{
    struct token t;
    int64_t id = 0;
    TRY(http_body_id(x, &id));
    TRY(token_of_user(x->db, x->arena, id, x->user->id, &t));
    TRY(http_patch(x, token_table.fields, &t));
    TRY(check(x, &t));
    bool new_quota = http_has(x, "remain_quota");
    if (new_quota)
        TRY(http_recall(x, ACCOUNT_TOKEN, t.id));
    TRY(store(x, &t, new_quota));
    http_changed(x, CHANGE_TOKEN, t.id);
    return reply_token(x, &t, token_masked(x->arena, t.key));
}

struct err *api_token_delete(struct http *x)
{
    struct token t;
    TRY(find_own(x, &t));
    TRY(http_recall(x, ACCOUNT_TOKEN, t.id));
    TRY(db_exec(x->db, x->arena, NULL, "DELETE FROM tokens WHERE id = ?", P(t.id)));
    http_changed(x, CHANGE_TOKEN, t.id);
    return http_ok(x);
}
