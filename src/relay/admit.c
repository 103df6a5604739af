// Who asks, may they, and what might it cost.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "model/token.h"
#include "relay/state.h"
#include "service/client_ip.h"

// --- the key --------------------------------------------------------------------

static struct str bearer(struct str value)
{
    if (value.n > 7 && !strncasecmp(value.p, "Bearer ", 7))
        return str_trim(str_skip(value, 7));
    return (struct str){0};
}

// AWS's clients sign with a secret that we do not have, unless they are told to use a bearer token.
static bool is_signed(const struct exchange *x)
{
    return str_starts(http_header(&x->headers, "authorization"), "AWS4-HMAC-SHA256");
}

// Wherever the official clients put it.
static struct str key_of(const struct exchange *x)
{
    struct str key = bearer(http_header(&x->headers, "authorization"));
    static const char *const others[] = {"x-api-key", "api-key", "x-goog-api-key"};
    for (size_t i = 0; !key.n && i < sizeof(others) / sizeof(*others); i++)
        key = str_trim(http_header(&x->headers, others[i]));
    return key;
}

// Google's clients may put it into the address.
static struct str key_in_query(const struct relay *r)
{
    return r->route->speaks == &gemini_dialect ? url_query(r->arena, r->x->query, "key")
                                               : (struct str){0};
}

struct err *relay_identify(struct relay *r, bool *missing)
{
    struct str key = key_of(r->x);
    if (!key.n)
        key = key_in_query(r);
    if (str_starts(key, "sk-"))
        key = str_skip(key, 3);
    *missing = false;
    if (!key.n && is_signed(r->x))
        return err_new(r->arena, &err_signature_unsupported, "AWS Signature Version 4");
    if (!key.n)
        return err_new(r->arena, &err_token_missing, "no key");
    hash_sha256(key, r->digest);
    r->caller = directory_find(r->digest);
    *missing = !r->caller;
    return NULL;
}

// On a worker, after a miss.
void relay_load_caller(struct job *job)
{
    struct relay *r = (struct relay *)job;
    DB(db);
    struct err *e = db_lease(relay_pool(), r->arena, &db);
    if (!e)
        e = directory_load(db, r->arena, r->digest, &r->caller);
    if (e) // the database is away: what was known of him holds
        r->caller = directory_believe(r->digest);
    r->failed = r->caller ? NULL : e;
}

// --- may they ---------------------------------------------------------------------

static struct err *check_caller(struct relay *r)
{
    const struct caller *c = r->caller;
    if (c->unknown)
        return err_new(r->arena, &err_token_invalid, "unknown key");
    if (c->user_status != STATUS_ON)
        return err_new(r->arena, &err_user_disabled, "user %lld", (long long)c->user_id);
    if (c->token_status != STATUS_ON)
        return err_new(r->arena, &err_token_disabled, "token %lld", (long long)c->token_id);
    if (c->expired_time != TOKEN_NEVER && c->expired_time <= clock_now())
        return err_new(r->arena, &err_token_expired, "token %lld", (long long)c->token_id);
    if (c->addresses.count && !ip_list_has(&c->addresses, r->ip))
        return err_new(r->arena, &err_ip_not_allowed, "%s", r->ip);
    if (!snapshot_group_usable(r->snapshot, c->user_group, c->group) ||
        !snapshot_group_ratio(r->snapshot, c->user_group, c->group, &r->group_ratio))
        return err_new(r->arena, &err_group_not_allowed, "%s", c->group);
    return NULL;
}

static struct err *check_model(struct relay *r)
{
    static const struct price free_of_charge = {0};
    const char *model = r->head.model;
    if (text_is_empty(model))
        return err_new(r->arena, &err_model_missing, "no model");
    if (strlen(model) > 191)
        return err_new(r->arena, &err_field_invalid, "model");
    if (!caller_may_model(r->caller, model))
        return err_new(r->arena, &err_model_not_allowed, "%s", model);
    r->candidates = snapshot_candidates(r->snapshot, r->caller->group, model);
    if (!r->candidates)
        return err_new(r->arena, &err_model_not_found, "%s", model);
    r->price = snapshot_price(r->snapshot, model);
    if (!r->price && !r->snapshot->settings.ratio.self_use_mode)
        return err_new(r->arena, &err_model_unpriced, "%s", model);
    if (!r->price)
        r->price = &free_of_charge;
    return NULL;
}

// The same on every node.
static uint64_t session_of(const struct relay *r, const char *name)
{
    unsigned char digest[SHA256_SIZE];
    uint64_t session;
    hash_sha256(str_of(name), digest);
    memcpy(&session, digest, sizeof(session));
    return (session ^ (uint64_t)r->caller->user_id) | 1;
}

enum { SESSION_MOST = OUTLINE_KEPT };

// What outlives the document.
static void keep_head(struct relay *r)
{
    struct chat_head *h = &r->head;
    h->model = h->model ? arena_strdup(r->arena, h->model) : NULL;
    h->previous = h->previous ? arena_strdup(r->arena, h->previous) : NULL;
    if (r->snapshot->settings.relay.affinity && !text_is_empty(h->session) &&
        strlen(h->session) < SESSION_MOST) // longer ones may be cut in large requests
        r->session = session_of(r, h->session);
    h->session = NULL;
}

// Many a script calls its JSON a text.
static bool may_be_json(struct str type)
{
    return !type.n || str_is_nocase(type, "application/json") ||
           (type.n > 5 && !strncasecmp(type.p, "text/", 5));
}

static struct err *read_body(struct relay *r)
{
    struct str type = http_media_type(http_header(&r->x->headers, "content-type"));
    if (!may_be_json(type))
        return err_new(r->arena, &err_content_type_unsupported, "%.*s", STR_ARGS(type));
    const struct dialect *speaks = r->route->speaks;
    TRY(json_text_read(r->document, r->x->body, &r->body));
    TRY(json_no_duplicates(r->document, r->body.root));
    TRY(speaks->read_head(r->arena, r->body.root, &r->head));
    keep_head(r);
    return speaks->read_path ? speaks->read_path(r->arena, r->x->path, r->x->query, &r->head)
                             : NULL;
}

// --- what might it cost -------------------------------------------------------------

enum { BYTES_PER_TOKEN = 4, PROMPT_MOST = 200000, OUTPUT_FIRST = 4096 };

// Not a bound but a reservation: while the answer grows, it is extended (relay_cover), and what an
// account cannot pay is not served on.
static struct err *estimate(struct relay *r, int64_t *quota)
{
    if (r->route->mode == MODE_TOKENS)
        return NULL; // costs nothing
    TRY(ledger_admits(r->arena));
    int64_t prompt = (int64_t)r->body.text.n / BYTES_PER_TOKEN + 1;
    int64_t output =
        r->head.max_output ? r->head.max_output : r->snapshot->settings.relay.pre_consumed_tokens;
    r->prompt_estimate = prompt < PROMPT_MOST ? prompt : PROMPT_MOST;
    struct price_usage u = {
        .prompt = r->prompt_estimate,
        .completion = (output < OUTPUT_FIRST ? output : OUTPUT_FIRST) * r->head.choices,
    };
    r->token_estimate = u.prompt + u.completion;
    return price_quota(r->arena, r->price, r->group_ratio, &u, quota);
}

bool relay_cover(struct relay *r, int64_t quota)
{
    struct caller *c = r->caller;
    if (!account_reserve(c->user_account, quota))
        return false;
    if (c->token_account && !account_reserve(c->token_account, quota)) {
        account_give_back(c->user_account, quota);
        return false;
    }
    r->reserved += quota;
    r->token_reserved += c->token_account ? quota : 0;
    return true;
}

// On a worker: the same, from the balances.
void relay_cover_on_worker(struct job *job)
{
    struct relay *r = (struct relay *)job;
    struct caller *c = r->caller;
    int64_t quota = r->quota_wanted, got;
    r->failed = ledger_extend(r->arena, c->user_account, quota, false, &got);
    if (r->failed)
        return;
    if (c->token_account)
        r->failed = ledger_extend(r->arena, c->token_account, quota, false, &got);
    if (r->failed) {
        account_give_back(c->user_account, quota);
        return;
    }
    r->reserved += quota;
    r->token_reserved += c->token_account ? quota : 0;
}

// --- the step -----------------------------------------------------------------------

static struct err *admit_known(struct relay *r)
{
    TRY(check_caller(r));
    if (r->route->mode == MODE_MODELS || r->kept_id)
        return NULL;
    if (!r->body.root)
        TRY(read_body(r));
    if (relay_must_recall(r))
        return NULL;
    TRY(check_model(r));
    return estimate(r, &r->quota_estimate);
}

static enum relay_step refuse(struct relay *r, struct err *e)
{
    r->failed = e;
    return RELAY_SETTLE;
}

// Comes by again when an unknown caller, or an earlier reply, has been looked up.
enum relay_step relay_admit(struct relay *r)
{
    if (r->failed)
        return RELAY_SETTLE;
    if (!r->caller) {
        bool missing;
        enum relay_step step = relay_limit_address(r);
        if (step != RELAY_ADMIT)
            return step;
        struct err *e = relay_identify(r, &missing);
        if (e)
            return refuse(r, e);
        if (missing) {
            relay_on_worker(r, relay_load_caller);
            return RELAY_WAIT;
        }
    }
    struct err *e = admit_known(r);
    if (e)
        return refuse(r, e);
    if (relay_must_recall(r)) {
        relay_on_worker(r, relay_recall);
        return RELAY_WAIT;
    }
    if (r->own_answer)
        return RELAY_SETTLE;
    if (r->kept_id) // of what was limited when it was asked for
        return RELAY_RESERVE;
    if (r->route->mode != MODE_MODELS)
        return RELAY_LIMIT;
    r->failed = relay_models(r);
    return RELAY_SETTLE;
}

// Comes by again when a worker has fetched it from the balance.
enum relay_step relay_reserve(struct relay *r)
{
    if (r->failed)
        return RELAY_SETTLE;
    bool fetched = r->quota_wanted;
    r->quota_wanted = 0;
    if (fetched || !r->quota_estimate || relay_cover(r, r->quota_estimate))
        return RELAY_CHOOSE;
    r->quota_wanted = r->quota_estimate;
    relay_on_worker(r, relay_cover_on_worker);
    return RELAY_WAIT;
}
