// What was used is charged, written down, and only then are the last bytes given to the client.
//
// docs/billing.md lists every way a relay can end and what is billed for it.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "model/log.h"
#include "relay/state.h"
#include "service/metrics.h"

// --- what was used ----------------------------------------------------------------

static struct price_usage priced(const struct chat_usage *u)
{
    return (struct price_usage){u->prompt, u->cache_read, u->cache_write_5m, u->cache_write_1h,
                                u->completion};
}

static void count_on_worker(struct job *job)
{
    struct relay *r = (struct relay *)job;
    const char *model = r->head.model;
    if (!r->usage.prompt_known) {
        bool chat = relay_is_chat(r);
        if (chat && !relay_parse(r))
            r->usage.prompt = count_prompt(&r->request, model);
        else
            r->usage.prompt = count_text(r->body.text, model);
    }
    int64_t completion = count_text(buf_view(&r->text), model);
    if (completion > r->usage.completion)
        r->usage.completion = completion;
}

// What nobody can have used was not reported at all.
static void forget_absurd_usage(struct relay *r)
{
    struct price_usage said = priced(&r->reader.usage);
    if (price_counts_fit(&said))
        return;
    log_write(LOG_WARN, r->x->request_id, "channel %lld reports absurd usage: it is counted",
              (long long)r->choice.channel->row.id);
    r->reader.usage = (struct chat_usage){0};
}

// True when a tokenizer must say it: the reply broke off, or nobody reported anything.
static bool must_count(struct relay *r)
{
    forget_absurd_usage(r);
    r->usage = r->reader.usage;
    if (r->ending == ENDED_WELL && r->usage.known)
        return false;
    relay_answer_gather(r);
    return r->ending == ENDED_WELL || r->text.n > 0;
}

// A reply that brought nothing is not billed, whatever its provider reports.
static bool produced_nothing(const struct relay *r)
{
    return r->ending != ENDED_WELL && !r->text.n;
}

// --- what it costs ------------------------------------------------------------------

static int64_t prompt_tokens(const struct chat_usage *u)
{
    return u->prompt + u->cache_read + u->cache_write_5m + u->cache_write_1h;
}

static void price_it(struct relay *r)
{
    struct price_usage u = priced(&r->usage);
    if (produced_nothing(r)) {
        r->usage = (struct chat_usage){0};
        return;
    }
    struct err *e = price_quota(r->arena, r->price, r->group_ratio, &u, &r->quota);
    if (e) {
        log_write(LOG_WARN, r->x->request_id, "usage cannot be priced: %s", e->detail);
        r->quota = r->reserved; // beyond all bounds: what was reserved is one
    }
}

static void fetch_from(struct relay *r, struct account *account, int64_t *reserved)
{
    int64_t got = 0;
    if (!account || r->quota <= *reserved)
        return;
    struct err *e = ledger_extend(r->arena, account, r->quota - *reserved, true, &got);
    *reserved += got;
    if (!e)
        return;
    r->unasked = e->kind;
    log_write(LOG_WARN, r->x->request_id, "no rest from the balance: %s: %s", e->kind->code,
              e->detail);
}

// Both reservations must reach the price. Balances are asked by a worker, for whatever is left.
static void fetch_rest(struct job *job)
{
    struct relay *r = (struct relay *)job;
    fetch_from(r, r->caller->user_account, &r->reserved);
    fetch_from(r, r->caller->token_account, &r->token_reserved);
}

static bool reserve_rest(struct relay *r)
{
    struct caller *c = r->caller;
    if (r->quota > r->reserved && account_reserve(c->user_account, r->quota - r->reserved))
        r->reserved = r->quota;
    if (c->token_account && r->quota > r->token_reserved &&
        account_reserve(c->token_account, r->quota - r->token_reserved))
        r->token_reserved = r->quota;
    return r->quota <= r->reserved && (!c->token_account || r->quota <= r->token_reserved);
}

// What no balance could pay, a limited token's among them, is not charged: none goes below zero,
// and no token has used more than it was given. The log row says so.
static void cut_to_reserved(struct relay *r)
{
    bool limited = r->caller->token_account != NULL;
    int64_t most = r->reserved;
    if (limited && r->token_reserved < most)
        most = r->token_reserved;
    if (r->quota > most) {
        r->shortfall = r->quota - most;
        r->quota = most;
    }
    r->token_quota = limited ? r->quota : 0;
}

static void give_rest_back(struct relay *r)
{
    if (!r->caller || r->caller->unknown)
        return;
    account_give_back(r->caller->user_account, r->reserved - r->quota);
    if (r->caller->token_account)
        account_give_back(r->caller->token_account, r->token_reserved - r->token_quota);
    r->reserved = r->quota;
    r->token_reserved = r->token_quota;
}

// --- the log row ------------------------------------------------------------------------

static const char *const endings[] = {
    [ENDED_WELL] = "done",
    [ENDED_CUT] = "cut",
    [ENDED_ERROR] = "error",
    [ENDED_TIMEOUT] = "timeout",
    [ENDED_CLIENT_GONE] = "client_gone",
    [ENDED_SHUTDOWN] = "shutdown",
    [ENDED_QUOTA] = "quota",
};

static void put_admin(struct relay *r, struct json *j)
{
    json_obj(j, "admin_info");
    json_arr(j, "use_channel");
    for (int i = 0; i < r->used_count; i++)
        json_int(j, NULL, r->used[i]);
    json_end(j);
    if (r->failed)
        json_str(j, "detail", arena_printf(r->arena, "%.500s", r->failed->detail));
    json_end(j);
}

static void put_consumed(struct relay *r, struct json *j)
{
    struct price_usage u = priced(&r->usage);
    price_explain(j, r->price, r->group_ratio, &u);
    if (r->usage.thinking)
        json_int(j, "reasoning_tokens", r->usage.thinking);
    json_str(j, "usage_source",
             !r->counted             ? "upstream"
             : r->reader.usage.known ? "mixed"
                                     : "counted");
    if (r->shortfall)
        json_int(j, "uncollected_quota", r->shortfall);
    if (r->shortfall && r->unasked)
        json_str(j, "uncollected_error", r->unasked->code);
}

enum { OTHER_USUAL = 500 };

static const char *other_json(struct relay *r, bool consumed)
{
    BUF_HERE(out, 60 << 10);
    struct json j = {.out = &out};
    buf_room(&out, OTHER_USUAL); // one allocation for nearly every row
    json_obj(&j, NULL);
    if (consumed)
        put_consumed(r, &j);
    if (r->streaming || r->head.stream)
        json_str(&j, "stream_end", endings[r->ending]);
    json_arr(&j, "request_conversion");
    json_str(&j, NULL, r->route->speaks->name);
    if (r->attempt.dialect && r->attempt.dialect != r->route->speaks)
        json_str(&j, NULL, r->attempt.dialect->name);
    json_end(&j);
    if (r->sent_model && r->head.model && strcmp(r->sent_model, r->head.model) != 0)
        json_str(&j, "upstream_model_name", r->sent_model);
    if (r->failed)
        json_str(&j, "error", r->failed->kind->code);
    if (r->refused_count)
        json_int(&j, "refused", r->refused_count);
    put_admin(r, &j);
    json_end(&j);
    return out.overflow ? "{}" : arena_str(r->arena, buf_view(&out));
}

static int64_t since(int64_t at_ms, int64_t began_ms)
{
    return at_ms > began_ms ? at_ms - began_ms : 0;
}

enum { MODEL_MOST = 191 };

static const char *shortened(struct arena *a, const char *model)
{
    size_t n = strlen(model);
    return n <= MODEL_MOST ? model : arena_strndup(a, model, MODEL_MOST);
}

static void write_row(struct relay *r, bool consumed)
{
    const struct chat_usage *u = &r->usage;
    const struct caller *c = r->caller;
    int64_t now = clock_steady_ms();
    struct log_row row = {
        .request_id = r->x->request_id,
        .created_at = clock_now(),
        .type = consumed ? LOG_TYPE_CONSUME : LOG_TYPE_ERROR,
        .user_id = c->user_id,
        .username = c->username,
        .token_id = c->token_id,
        .token_name = c->token_name,
        .channel_id = r->choice.channel ? r->choice.channel->row.id : 0,
        .model_name = r->head.model ? shortened(r->arena, r->head.model) : "",
        .prompt_tokens = prompt_tokens(u),
        .completion_tokens = u->completion,
        .cached_tokens = u->cache_read,
        .quota = r->quota,
        .use_time_ms = since(now, r->x->began_ms),
        .first_token_ms = r->first_ms ? since(r->first_ms, r->x->began_ms) : 0,
        .is_stream = r->head.stream,
        .group = c->group,
        .ip = r->ip,
        .content = r->failed ? r->failed->kind->code : "",
        .other = other_json(r, consumed),
    };
    ledger_settle(&row, r->token_quota);
}

static struct metric_cell *prompt_cell, *completion_cell, *read_cell, *written_cell, *quota_cell;

void relay_settle_setup(void)
{
    prompt_cell = metric_cell(METRIC_TOKENS, "prompt", NULL);
    completion_cell = metric_cell(METRIC_TOKENS, "completion", NULL);
    read_cell = metric_cell(METRIC_TOKENS, "cache_read", NULL);
    written_cell = metric_cell(METRIC_TOKENS, "cache_write", NULL);
    quota_cell = metric_cell(METRIC_QUOTA, NULL);
}

static void count_metrics(const struct relay *r)
{
    metric_add(prompt_cell, r->usage.prompt);
    metric_add(completion_cell, r->usage.completion);
    metric_add(read_cell, r->usage.cache_read);
    metric_add(written_cell, r->usage.cache_write_5m + r->usage.cache_write_1h);
    metric_add(quota_cell, r->quota);
    if (r->shortfall)
        metric_add(metric_cell(METRIC_UNCOLLECTED, r->unasked ? r->unasked->code : "balance", NULL),
                   r->shortfall);
}

// --- the step ---------------------------------------------------------------------------

static void write_down(struct relay *r, bool billable)
{
    bool known = r->caller && !r->caller->unknown;
    bool consumed = billable && !produced_nothing(r);
    bool noted = known && r->price && !r->quiet && r->snapshot->settings.relay.error_log_enabled;
    if (consumed || (r->failed && noted))
        write_row(r, consumed);
    if (consumed)
        count_metrics(r);
    if (consumed && r->ending == ENDED_WELL)
        relay_keep(r);
    give_rest_back(r);
    relay_limit_done(r, consumed ? prompt_tokens(&r->usage) + r->usage.completion : 0);
    r->settled = true;
}

// Comes by again after each visit to a worker.
enum relay_step relay_settle(struct relay *r)
{
    bool billable =
        r->caller && !r->caller->unknown && r->price && r->reader.dialect && !relay_is_free(r);
    if (billable && r->settling == SETTLE_COUNT) {
        r->settling = SETTLE_PRICE;
        r->counted = must_count(r);
        if (r->counted) {
            relay_on_worker(r, count_on_worker);
            return RELAY_WAIT;
        }
    }
    if (billable && r->settling == SETTLE_PRICE) {
        r->settling = SETTLE_WRITE;
        price_it(r);
        if (!reserve_rest(r)) {
            relay_on_worker(r, fetch_rest);
            return RELAY_WAIT;
        }
    }
    if (billable)
        cut_to_reserved(r);
    write_down(r, billable);
    return RELAY_END;
}
