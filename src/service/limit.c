// Two sharded tables of subjects: addresses, and everybody else.

#include "service/limit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/hash.h"
#include "service/client_ip.h"
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
    int idle = 0;
    *soonest = NULL;
    while (*at) {
        struct limit_subject *s = *at;
        if (!s->refs && s->free_ms <= now_ms) {
            *at = s->next;
            free(s);
            atomic_fetch_sub_explicit(&subjects, 1, memory_order_relaxed);
            continue;
        }
        if (!s->refs) {
            idle++;
            if (!*soonest || s->free_ms < (*soonest)->free_ms)
                *soonest = s;
        }
        at = &s->next;
    }
    return idle;
}

static struct limit_subject *find_or_make(struct shard *shard, uint64_t key, int64_t now_ms)
{
    struct limit_subject *s = find(shard, key), *soonest;
    if (s)
        return s;
    struct limit_subject **bucket = bucket_of(shard, key);
    if (sweep(bucket, now_ms, &soonest) >= CHAIN_MOST) {
        soonest->key = key; // and with it what it owes
        return soonest;
    }
    s = mem_new(sizeof(*s));
    s->shard = shard;
    s->key = key;
    s->next = *bucket;
    *bucket = s;
    atomic_fetch_add_explicit(&subjects, 1, memory_order_relaxed);
    return s;
}

// --- deciding -----------------------------------------------------------------------

static bool refuses(const struct limit_subject *s, const struct limit_who *who,
                    const struct limits *l, int64_t tokens, int64_t now_ms,
                    struct limit_refusal *why)
{
    for (int u = 0; u < LIMIT_UNITS; u++) {
        struct rate r = rate_of(l, u);
        int64_t wait = r.most ? rate_wait_ms(&r, &s->states[u], cost_of(u, tokens), now_ms) : 0;
        if (!wait)
            continue;
        *why = (struct limit_refusal){who->scope, u, r.most, wait};
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
    if (!v->most || left < v->left)
        *v = (struct limit_view){r.most, left, rate_full_ms(&r, &s->states[u], now_ms)};
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
    struct limit_subject *s = find_or_make(shard, key, now_ms);
    bool refused = refuses(s, who, limits, tokens, now_ms, why);
    for (int u = 0; u < LIMIT_UNITS && !refused; u++)
        charge(s, limits, u, cost_of(u, tokens), now_ms);
    s->refs += !refused;
    show(t, who->scope, s, limits, now_ms);
    pthread_mutex_unlock(&shard->lock);
    if (!refused)
        t->held[t->count++] = (struct limit_held){s, who->scope, *limits, tokens};
    return !refused;
}

static void settle(struct limit_held *h, int64_t tokens, int64_t requests, int64_t now_ms)
{
    struct limit_subject *s = h->subject;
    pthread_mutex_lock(&s->shard->lock);
    charge(s, &h->limits, LIMIT_TPM, tokens - h->tokens, now_ms);
    charge(s, &h->limits, LIMIT_CONCURRENT, -1, now_ms);
    charge(s, &h->limits, LIMIT_RPM, requests, now_ms);
    charge(s, &h->limits, LIMIT_RPD, requests, now_ms);
    s->refs--;
    pthread_mutex_unlock(&s->shard->lock);
}

void limit_settle(struct limit_ticket *t, int64_t tokens, int64_t now_ms)
{
    while (t->count)
        settle(&t->held[--t->count], tokens, 0, now_ms);
}

void limit_undo(struct limit_ticket *t, int64_t now_ms)
{
    while (t->count) {
        struct limit_held *h = &t->held[--t->count];
        settle(h, 0, h->scope == LIMIT_ADDRESS ? 0 : -1, now_ms);
    }
}

bool limit_fits(const struct limit_who *who, const struct limits *limits, int64_t tokens,
                int64_t now_ms, struct limit_refusal *why)
{
    uint64_t key = key_of(who);
    struct shard *shard = shard_of(who->scope, key);
    pthread_mutex_lock(&shard->lock);
    struct limit_subject *s = find(shard, key);
    bool refused = s && refuses(s, who, limits, tokens, now_ms, why);
    pthread_mutex_unlock(&shard->lock);
    return !refused;
}

// --- telling ------------------------------------------------------------------------

bool limit_note(const struct limit_who *who, int64_t now_ms, int64_t *refused)
{
    uint64_t key = key_of(who);
    struct shard *shard = shard_of(who->scope, key);
    pthread_mutex_lock(&shard->lock);
    struct limit_subject *s = find_or_make(shard, key, now_ms);
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
