// A sharded table of callers; every shard has its lock, held for a look-up only. In each they are
// found by their key, and by token and user, so that a change looks at hardly more than it
// concerns.

#include "service/directory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "model/token.h"
#include "service/change.h"

enum {
    SHARDS = 64,
    BUCKET_BITS = 8,
    BUCKETS = 1 << BUCKET_BITS,
    ENTRIES_MOST = 4096, // of a shard
    UNKNOWN_MOST = 256,  // of those: whoever tries keys at random fills no memory, evicts nobody
    UNKNOWN_MS = 5000,
    CALLER_SIZE = sizeof(struct caller) + 192, // with most callers' texts
};

enum by { BY_KEY, BY_TOKEN, BY_USER };

static struct shard {
    pthread_mutex_t lock;
    int count, unknown; // unknown: so many of count
    int hand;           // the bucket that goes next
    struct caller *buckets[DIRECTORY_INDEXES][BUCKETS];
} shards[SHARDS];

static _Atomic int64_t generation; // of everything: a load that began before a change is not kept
static _Atomic int64_t epoch; // entries of an earlier one must be read again, if that is possible

static struct shard *shard_of(const unsigned char *digest)
{
    return &shards[digest[0] % SHARDS];
}

static struct caller **key_bucket(struct shard *s, const unsigned char *digest)
{
    return &s->buckets[BY_KEY][digest[1] % BUCKETS];
}

static struct caller **id_bucket(struct shard *s, enum by by, int64_t id)
{
    return &s->buckets[by][((uint64_t)id * 0x9e3779b97f4a7c15u) >> (64 - BUCKET_BITS)];
}

static void caller_free(struct caller *c)
{
    account_release(c->user_account);
    account_release(c->token_account);
    if (c->unknown)
        free(c);
    else
        arena_free(c->arena);
}

static void link_into(struct caller **bucket, enum by by, struct caller *c)
{
    struct caller_link *link = &c->links[by];
    *link = (struct caller_link){*bucket, bucket};
    if (*bucket)
        (*bucket)->links[by].at = &link->next;
    *bucket = c;
}

// With the shard's lock held.
static void enlist(struct shard *s, struct caller *c)
{
    link_into(key_bucket(s, c->digest), BY_KEY, c);
    link_into(id_bucket(s, BY_TOKEN, c->token_id), BY_TOKEN, c);
    link_into(id_bucket(s, BY_USER, c->user_id), BY_USER, c);
    c->listed = true;
    s->count++;
    s->unknown += c->unknown;
}

// With the shard's lock held.
static void unlist(struct shard *s, struct caller *c)
{
    for (int by = 0; by < DIRECTORY_INDEXES; by++) {
        struct caller_link *link = &c->links[by];
        *link->at = link->next;
        if (link->next)
            link->next->links[by].at = link->at;
    }
    c->listed = false;
    s->count--;
    s->unknown -= c->unknown;
    if (!c->refs)
        caller_free(c);
}

// With the shard's lock held; NULL if there is none.
static struct caller *listed_as(struct shard *s, const unsigned char *digest)
{
    struct caller *c = *key_bucket(s, digest);
    while (c && !hash_same(c->digest, digest, SHA256_SIZE))
        c = c->links[BY_KEY].next;
    return c;
}

// What changed since may be that there is such a key now.
static bool is_unknown_no_more(const struct caller *c)
{
    return c->unknown &&
           (clock_steady_ms() > c->forget_ms || c->generation != atomic_load(&generation));
}

struct caller *directory_find(const unsigned char digest[SHA256_SIZE])
{
    struct shard *s = shard_of(digest);
    pthread_mutex_lock(&s->lock);
    struct caller *c = listed_as(s, digest);
    if (c && is_unknown_no_more(c)) {
        unlist(s, c);
        c = NULL;
    }
    if (c && c->epoch != atomic_load_explicit(&epoch, memory_order_relaxed))
        c = NULL;
    if (c)
        c->refs++;
    pthread_mutex_unlock(&s->lock);
    return c;
}

struct caller *directory_believe(const unsigned char digest[SHA256_SIZE])
{
    struct shard *s = shard_of(digest);
    pthread_mutex_lock(&s->lock);
    struct caller *c = listed_as(s, digest);
    if (c && c->unknown)
        c = NULL;
    if (c) {
        c->epoch = atomic_load(&epoch);
        c->refs++;
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

void directory_release(struct caller *c)
{
    if (!c)
        return;
    struct shard *s = shard_of(c->digest);
    pthread_mutex_lock(&s->lock);
    bool last = --c->refs == 0 && !c->listed;
    pthread_mutex_unlock(&s->lock);
    if (last)
        caller_free(c);
}

// --- loading ----------------------------------------------------------------------

static const char **list_of(struct arena *a, const char *text)
{
    size_t room = 2;
    for (const char *c = text; *c; c++)
        room += *c == ',';
    const char **list = NEW_ARRAY(a, const char *, room);
    struct str rest = str_of(text), item;
    size_t n = 0;
    while (str_next(&rest, ',', &item))
        if (str_trim(item).n)
            list[n++] = arena_str(a, str_trim(item));
    return list;
}

static void fill(struct caller *c, const struct token *t, const struct user *u)
{
    struct arena *a = c->arena;
    c->token_id = t->id;
    c->user_id = u->id;
    c->token_name = arena_strdup(a, t->name);
    c->username = arena_strdup(a, u->username);
    c->user_group = arena_strdup(a, u->group);
    c->group = text_is_empty(t->group) ? c->user_group : arena_strdup(a, t->group);
    c->token_status = t->status;
    c->user_status = u->status;
    c->expired_time = t->expired_time;
    c->limited = !t->unlimited_quota;
    c->models_limited = t->model_limits_enabled;
    c->models = list_of(a, t->model_limits);
    if (ip_list_parse(a, t->allow_ips, &c->addresses))
        c->token_status = STATUS_OFF; // a list that cannot be read must not admit everybody
    c->limits = LIMITS_OF_ROW(t);
    c->rated = limits_any(&c->limits);
    c->user_account = account_hold(ACCOUNT_USER, u->id);
    c->token_account = c->limited ? account_hold(ACCOUNT_TOKEN, t->id) : NULL;
}

// Unknown keys have neither token nor user: they stand together.
static void drop_unknown(struct shard *s)
{
    for (struct caller *c = *id_bucket(s, BY_USER, 0), *next; c; c = next) {
        next = c->links[BY_USER].next;
        if (c->unknown)
            unlist(s, c);
    }
}

// At the cap whole buckets go, in turn: cheap, rare, and nobody loses more than a query.
static void make_room(struct shard *s, const struct caller *c)
{
    if (c->unknown && s->unknown >= UNKNOWN_MOST)
        drop_unknown(s);
    for (; s->count >= ENTRIES_MOST; s->hand = (s->hand + 1) % BUCKETS)
        while (s->buckets[BY_KEY][s->hand])
            unlist(s, s->buckets[BY_KEY][s->hand]);
}

static void list(struct caller *c, int64_t began, int64_t since)
{
    struct shard *s = shard_of(c->digest);
    pthread_mutex_lock(&s->lock);
    struct caller *before = listed_as(s, c->digest);
    if (before)
        unlist(s, before); // two loads at once: the later one stays
    c->refs = 1;
    c->epoch = since;
    c->generation = began;
    if (atomic_load(&generation) == began) {
        make_room(s, c);
        enlist(s, c);
    }
    pthread_mutex_unlock(&s->lock);
}

// Without an arena: there may be many.
static struct caller *unknown_new(void)
{
    struct caller *c = mem_new(sizeof(*c));
    c->unknown = true;
    c->forget_ms = clock_steady_ms() + UNKNOWN_MS;
    return c;
}

static struct caller *known_new(const struct token *t, const struct user *u)
{
    struct arena *own = arena_small(CALLER_SIZE);
    struct caller *c = NEW(own, struct caller);
    c->arena = own;
    fill(c, t, u);
    return c;
}

struct err *directory_load(struct db *db, struct arena *a, const unsigned char digest[SHA256_SIZE],
                           struct caller **out)
{
    int64_t began = atomic_load(&generation), since = atomic_load(&epoch);
    struct token token;
    struct user user;
    struct err *e = token_by_digest(db, a, hash_hex(a, digest, SHA256_SIZE), &token);
    if (!e)
        e = user_by_id(db, a, token.user_id, &user);
    if (e && e->kind != &err_not_found)
        return e;
    struct caller *c = e ? unknown_new() : known_new(&token, &user);
    memcpy(c->digest, digest, SHA256_SIZE);
    list(c, began, since);
    *out = c;
    return NULL;
}

// --- forgetting ---------------------------------------------------------------------

static int64_t id_of(const struct caller *c, enum by by)
{
    return by == BY_TOKEN ? c->token_id : c->user_id;
}

static void forget_in(struct shard *s, enum by by, int64_t id)
{
    for (struct caller *c = *id_bucket(s, by, id), *next; c; c = next) {
        next = c->links[by].next;
        if (id_of(c, by) == id)
            unlist(s, c);
    }
}

// Unknown keys go with them: they are of an earlier generation.
static void forget(enum by by, int64_t id)
{
    atomic_fetch_add(&generation, 1);
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&shards[i].lock);
        forget_in(&shards[i], by, id);
        pthread_mutex_unlock(&shards[i].lock);
    }
}

// Any of them: nobody is forgotten, so that relays go on if the database goes away meanwhile.
static void doubt_all(void)
{
    atomic_fetch_add(&epoch, 1);
}

static struct err *on_token(struct arena *a, int64_t id)
{
    (void)a;
    if (id)
        forget(BY_TOKEN, id);
    else
        doubt_all();
    return NULL;
}

static struct err *on_user(struct arena *a, int64_t id)
{
    (void)a;
    if (id)
        forget(BY_USER, id);
    else
        doubt_all();
    return NULL;
}

void directory_setup(void)
{
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&shards[i].lock, NULL);
    change_listen(CHANGE_TOKEN, on_token);
    change_listen(CHANGE_USER, on_user);
}

bool caller_may_model(const struct caller *c, const char *model)
{
    if (!c->models_limited)
        return true;
    for (const char **m = c->models; *m; m++)
        if (!strcmp(*m, model))
            return true;
    return false;
}
