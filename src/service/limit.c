// Two sharded tables of subjects: addresses, and everybody else.

#include "service/limit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/hash.h"
#include "service/client_ip.h"
#include "service/limit_redis.h"
#include "service/metrics.h"

enum { SHARDS = 64, BUCKETS = 64, CHAIN_MOST = LIMIT_SUBJECTS_MOST / (2 * SHARDS * BUCKETS) };

struct limit_subject {
    struct limit_subject *next;
    struct shard *shard;
    uint64_t key;
    int refs;        // tickets that hold it
    int64_t free_ms; // from then on it owes nothing, but for tickets
    struct rate_state states[LIMIT_UNITS];
    int64_t refused, noted_ms;
    struct shares *shares; // NULL: no Redis
};

static struct shard {
    pthread_mutex_t lock;
    struct limit_subject *buckets[BUCKETS];
} tables[2][SHARDS];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int64_t subjects;

static const int64_t periods[LIMIT_UNITS] = {
    [LIMIT_RPM] = 60000, [LIMIT_TPM] = 60000, [LIMIT_RPD] = 86400000, [LIMIT_CONCURRENT] = 0};

static struct rate rate_of(const struct limits *l, enum limit_unit u)
{
    return (struct rate){l->most[u], periods[u]};
}

static int64_t cost_of(enum limit_unit u, int64_t tokens)
{
    return u == LIMIT_TPM ? tokens : 1;
}

bool limits_any(const struct limits *l)
{
    for (int u = 0; u < LIMIT_UNITS; u++)
        if (l->most[u])
            return true;
    return false;
}

// --- the table ----------------------------------------------------------------------

static void set_up(void)
{
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&tables[0][i].lock, NULL);
        pthread_mutex_init(&tables[1][i].lock, NULL);
    }
}

static uint64_t key_of(const struct limit_who *who)
{
    struct {
        int64_t scope, id;
        struct ip network;
    } name = {.scope = who->scope, .id = who->id};
    if (who->scope == LIMIT_ADDRESS || who->scope == LIMIT_API)
        name.network = ip_network(who->name);
    else if (who->name)
        name.id = (int64_t)hash_table(who->name, strlen(who->name));
    return hash_table(&name, sizeof(name));
}

static struct shard *shard_of(enum limit_scope scope, uint64_t key)
{
    pthread_once(&once, set_up);
    return &tables[scope == LIMIT_ADDRESS || scope == LIMIT_API][key % SHARDS];
}

static struct limit_subject **bucket_of(struct shard *s, uint64_t key)
{
    return &s->buckets[key / SHARDS % BUCKETS];
}

static struct limit_subject *find(struct shard *s, uint64_t key)
{
    struct limit_subject *at = *bucket_of(s, key);
    while (at && at->key != key)
        at = at->next;
    return at;
}

// Those that owe nothing go; answers how many that nobody holds are left, and which of them is
// soonest free.
static int sweep(struct limit_subject **at, int64_t now_ms, struct limit_subject **soonest)
{
    int count = 0;
    *soonest = NULL;
    while (*at) {
        struct limit_subject *s = *at;
        bool idle = !s->refs && shares_idle(s->shares);
        if (idle && s->free_ms <= now_ms) {
            *at = s->next;
            shares_free(s->shares);
            free(s);
            atomic_fetch_sub_explicit(&subjects, 1, memory_order_relaxed);
            continue;
        }
        if (idle) {
            count++;
            if (!*soonest || s->free_ms < (*soonest)->free_ms)
                *soonest = s;
        }
        at = &s->next;
    }
    return count;
}

static void become(struct limit_subject *s, const struct limit_who *who, uint64_t key)
{
    shares_free(s->shares);
    s->shares = limit_redis_known() ? shares_new(who, &s->shard->lock) : NULL;
    s->key = key;
}

static struct limit_subject *find_or_make(struct shard *shard, const struct limit_who *who,
                                          uint64_t key, int64_t now_ms)
{
    struct limit_subject *s = find(shard, key), *soonest;
    if (s)
        return s;
    struct limit_subject **bucket = bucket_of(shard, key);
    if (sweep(bucket, now_ms, &soonest) >= CHAIN_MOST) {
        become(soonest, who, key); // and it owes what that one owed
        return soonest;
    }
    s = mem_new(sizeof(*s));
    s->shard = shard;
    s->next = *bucket;
    *bucket = s;
    become(s, who, key);
    atomic_fetch_add_explicit(&subjects, 1, memory_order_relaxed);
    return s;
}

// --- deciding -----------------------------------------------------------------------

// What others have taken counts, too, where Redis tells.
static struct share *share_of(const struct limit_subject *s, const struct rate *r,
                              enum limit_unit u)
{
    if (!s->shares)
        return NULL;
    struct share *share = shares_of(s->shares, u);
    share_set_rate(share, r);
    return share;
}

static bool refuses(const struct limit_subject *s, const struct limit_who *who,
                    const struct limits *l, int64_t tokens, int64_t now_ms,
                    struct limit_refusal *why)
{
    for (int u = 0; u < LIMIT_UNITS; u++) {
        struct rate r = rate_of(l, u);
        if (!r.most)
            continue;
        bool unsure = false;
        struct share *share = limit_redis_on(now_ms) ? share_of(s, &r, u) : NULL;
        int64_t wait = rate_wait_ms(&r, &s->states[u], cost_of(u, tokens), now_ms);
        if (!wait && share)
            wait = share_wait_ms(share, cost_of(u, tokens), now_ms, &unsure);
        if (!wait)
            continue;
        *why = (struct limit_refusal){who->scope, u, r.most, wait, unsure};
        return true;
    }
    return false;
}

static void charge(struct limit_subject *s, const struct limits *l, enum limit_unit u,
                   int64_t units, int64_t now_ms)
{
    struct rate r = rate_of(l, u);
    if (!r.most || !units)
        return;
    struct share *share = share_of(s, &r, u);
    if (share && (!r.period_ms || limit_redis_on(now_ms)))
        share_use(share, units, now_ms);
    rate_charge(&r, &s->states[u], units, now_ms);
    int64_t free_ms = now_ms + (r.period_ms ? rate_full_ms(&r, &s->states[u], now_ms) : 0);
    if (free_ms > s->free_ms)
        s->free_ms = free_ms;
}

static void look(struct limit_view *v, const struct limit_subject *s, const struct limits *l,
                 enum limit_unit u, int64_t now_ms)
{
    struct rate r = rate_of(l, u);
    if (!r.most)
        return;
    int64_t left = rate_left(&r, &s->states[u], now_ms);
    int64_t reset_ms = rate_full_ms(&r, &s->states[u], now_ms);
    struct share *share = limit_redis_on(now_ms) ? share_of(s, &r, u) : NULL;
    if (share && share_all(share, now_ms) < left) {
        left = share_all(share, now_ms);
        reset_ms = share_full_ms(share, now_ms);
    }
    if (!v->most || left < v->left)
        *v = (struct limit_view){r.most, left > 0 ? left : 0, reset_ms};
}

// What the operator guards his own house with is nobody else's business.
static void show(struct limit_ticket *t, enum limit_scope scope, const struct limit_subject *s,
                 const struct limits *l, int64_t now_ms)
{
    if (scope != LIMIT_USER && scope != LIMIT_TOKEN && scope != LIMIT_MODEL)
        return;
    look(&t->requests, s, l, LIMIT_RPM, now_ms);
    look(&t->requests, s, l, LIMIT_RPD, now_ms);
    look(&t->tokens, s, l, LIMIT_TPM, now_ms);
}

bool limit_take(struct limit_ticket *t, const struct limit_who *who, const struct limits *limits,
                int64_t tokens, int64_t now_ms, struct limit_refusal *why)
{
    uint64_t key = key_of(who);
    struct shard *shard = shard_of(who->scope, key);
    pthread_mutex_lock(&shard->lock);
    struct limit_subject *s = find_or_make(shard, who, key, now_ms);
    bool refused = refuses(s, who, limits, tokens, now_ms, why);
    for (int u = 0; u < LIMIT_UNITS && !refused; u++)
        charge(s, limits, u, cost_of(u, tokens), now_ms);
    s->refs += !refused;
    show(t, who->scope, s, limits, now_ms);
    struct asking *asking = NULL;
    if (!refused && s->shares)
        shares_order(s->shares, now_ms, &asking);
    pthread_mutex_unlock(&shard->lock);
    shares_send(asking);
    if (!refused)
        t->held[t->count++] = (struct limit_held){s, who->scope, *limits, tokens};
    return !refused;
}

static void settle(struct limit_held *h, int64_t tokens, int64_t requests, int64_t now_ms)
{
    struct limit_subject *s = h->subject;
    pthread_mutex_t *lock = &s->shard->lock;
    pthread_mutex_lock(lock);
    charge(s, &h->limits, LIMIT_TPM, tokens - h->tokens, now_ms);
    charge(s, &h->limits, LIMIT_CONCURRENT, -1, now_ms);
    charge(s, &h->limits, LIMIT_RPM, requests, now_ms);
    charge(s, &h->limits, LIMIT_RPD, requests, now_ms);
    s->refs--;
    struct asking *asking = NULL;
    if (s->shares)
        shares_order(s->shares, now_ms, &asking);
    pthread_mutex_unlock(lock);
    shares_send(asking);
}

void limit_settle(struct limit_ticket *t, int64_t tokens, int64_t now_ms)
{
    while (t->count)
        settle(&t->held[--t->count], tokens, 0, now_ms);
}

void limit_undo(struct limit_ticket *t, int but, int64_t now_ms)
{
    while (t->count > but) {
        struct limit_held *h = &t->held[--t->count];
        settle(h, 0, h->scope == LIMIT_ADDRESS ? 0 : -1, now_ms);
    }
}

bool limit_fits(const struct limit_who *who, const struct limits *limits, int64_t tokens,
                int64_t now_ms, struct limit_refusal *why)
{
    uint64_t key = key_of(who);
    struct shard *shard = shard_of(who->scope, key);
    struct asking *asking = NULL;
    pthread_mutex_lock(&shard->lock);
    struct limit_subject *s = find(shard, key);
    bool refused = s && refuses(s, who, limits, tokens, now_ms, why);
    if (refused && why->unsure) { // next time it is known
        shares_wait(s->shares, why->unit, cost_of(why->unit, tokens), NULL);
        shares_order(s->shares, now_ms, &asking);
    }
    pthread_mutex_unlock(&shard->lock);
    shares_send(asking);
    return !refused;
}

bool limit_await(const struct limit_who *who, const struct limit_refusal *why, int64_t tokens,
                 int64_t now_ms, struct job *job)
{
    uint64_t key = key_of(who);
    struct shard *shard = shard_of(who->scope, key);
    struct asking *asking = NULL;
    pthread_mutex_lock(&shard->lock);
    struct limit_subject *s = find(shard, key);
    bool waits = s && s->shares && limit_redis_on(now_ms);
    if (waits) {
        shares_wait(s->shares, why->unit, cost_of(why->unit, tokens), job);
        shares_order(s->shares, now_ms, &asking);
    }
    pthread_mutex_unlock(&shard->lock);
    shares_send(asking);
    return waits;
}

// --- telling ------------------------------------------------------------------------

bool limit_note(const struct limit_who *who, int64_t now_ms, int64_t *refused)
{
    uint64_t key = key_of(who);
    struct shard *shard = shard_of(who->scope, key);
    pthread_mutex_lock(&shard->lock);
    struct limit_subject *s = find_or_make(shard, who, key, now_ms);
    s->refused++;
    bool due = !s->noted_ms || now_ms - s->noted_ms >= LIMIT_NOTE_MS;
    if (due) {
        *refused = s->refused;
        s->refused = 0;
        s->noted_ms = now_ms;
        if (s->free_ms < now_ms + LIMIT_NOTE_MS)
            s->free_ms = now_ms + LIMIT_NOTE_MS;
    }
    pthread_mutex_unlock(&shard->lock);
    return due;
}

struct err *limit_error(struct arena *a, const struct limit_refusal *why)
{
    static const char *const units[LIMIT_UNITS] = {
        [LIMIT_RPM] = "requests per minute",
        [LIMIT_TPM] = "tokens per minute",
        [LIMIT_RPD] = "requests per day",
        [LIMIT_CONCURRENT] = "requests at a time",
    };
    static const char *const scopes[LIMIT_SCOPES] = {
        [LIMIT_GLOBAL] = "server",   [LIMIT_ADDRESS] = "address", [LIMIT_API] = "management",
        [LIMIT_USER] = "user",       [LIMIT_TOKEN] = "key",       [LIMIT_MODEL] = "model",
        [LIMIT_CHANNEL] = "channel",
    };
    metric_add(metric_cell(METRIC_RATE_LIMITED, scopes[why->scope], units[why->unit], NULL), 1);
    struct err *e = err_new(a, &err_rate_limited, "%s, %lld %s", scopes[why->scope],
                            (long long)why->most, units[why->unit]);
    e->retry_after = (int)((why->wait_ms + 999) / 1000);
    return e;
}

int64_t limit_subjects(void)
{
    return atomic_load_explicit(&subjects, memory_order_relaxed);
}

static void forget_bucket(struct limit_subject **bucket)
{
    struct limit_subject *soonest;
    sweep(bucket, INT64_MAX, &soonest);
}

void limit_forget_all(void)
{
    pthread_once(&once, set_up);
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < SHARDS; i++) {
            pthread_mutex_lock(&tables[t][i].lock);
            for (int b = 0; b < BUCKETS; b++)
                forget_bucket(&tables[t][i].buckets[b]);
            pthread_mutex_unlock(&tables[t][i].lock);
        }
    }
}
