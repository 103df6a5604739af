// Two scripts, and the calls that carry them.

#include "service/limit_redis.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/rand.h"
#include "common/redis/redis.h"
#include "service/client_ip.h"

enum {
    NAME_MOST = 48,
    PREFIX_MOST = 64,
    WAIT_MS = 250,
    STAYS_MS = 100,
    AWAY_MS = 1000,
    TICK_MS = 50
};

// KEYS: the bucket. ARGV: most, period, pay, want. Answers what was granted and what is left.
static struct redis_script bucket_script = {
    .text = "local t = redis.call('TIME')\n"
            "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
            "local most, period = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
            "local h = redis.call('HMGET', KEYS[1], 'debt', 'at')\n"
            "local debt, at = tonumber(h[1] or 0), tonumber(h[2] or now)\n"
            "if at - now > 10000 then at = now end\n" // the clock was set back
            "if now > at then debt = debt - (now - at) * most / period; at = now end\n"
            "debt = math.max(0, debt) + tonumber(ARGV[3])\n"
            "debt = math.min(math.max(0, debt), 16 * most)\n"
            "local room = math.floor(most - debt + 0.000001)\n"
            "local granted = math.max(0, math.min(tonumber(ARGV[4]), room))\n"
            "debt = debt + granted\n"
            "redis.call('HSET', KEYS[1], 'debt', string.format('%.17g', debt),"
            " 'at', string.format('%d', at))\n"
            "redis.call('PEXPIRE', KEYS[1], math.ceil(debt * period / most) + 1000)\n"
            "return {granted, room - granted}\n",
};

// KEYS: who holds how many until when. ARGV: most, node, running, wanted, lives. Answers how many
// the node holds now and what is left.
static struct redis_script held_script = {
    .text = "local t = redis.call('TIME')\n"
            "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
            "local most, running = tonumber(ARGV[1]), tonumber(ARGV[3])\n"
            "local all, others = redis.call('HGETALL', KEYS[1]), 0\n"
            "for i = 1, #all, 2 do\n"
            "  local n, till = string.match(all[i + 1], '^(%d+):(%d+)$')\n"
            "  if all[i] ~= ARGV[2] then\n"
            "    if not till or tonumber(till) <= now then redis.call('HDEL', KEYS[1], all[i])\n"
            "    else others = others + tonumber(n) end\n"
            "  end\n"
            "end\n"
            "local held = math.max(running, math.min(tonumber(ARGV[4]), most - others))\n"
            "if held > 0 then\n"
            "  redis.call('HSET', KEYS[1], ARGV[2], string.format('%d:%d', held, now + ARGV[5]))\n"
            "  redis.call('PEXPIRE', KEYS[1], ARGV[5])\n"
            "else redis.call('HDEL', KEYS[1], ARGV[2]) end\n"
            "return {held, most - others - held}\n",
};

struct waiters {
    struct job *first;
    int64_t since_ms, units;
};

struct shares {
    pthread_mutex_t *lock;
    struct shares *next; // active
    bool active;
    int calls; // on their way
    char name[NAME_MOST];
    struct unit {
        struct share share;
        struct waiters waiting, covered; // covered: by the order on its way
        int64_t again_ms;                // those who wait were told "no" and stay until then
    } units[LIMIT_UNITS];
};

struct asking {
    struct redis_call call; // first, so a call is its asking
    struct asking *next;
    struct shares *shares;
    enum limit_unit unit;
    struct share_order order;
    struct rate rate;
};

static struct {
    bool known;
    pthread_t thread;
    _Atomic bool stopping;
    char node[NAME_MOST * 2];
    _Atomic bool up;
    _Atomic int64_t away_until_ms;
    pthread_mutex_t lock; // of:
    struct shares *active;
} redis_side = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool limit_redis_known(void)
{
    return redis_side.known;
}

bool limit_redis_on(int64_t now_ms)
{
    return atomic_load_explicit(&redis_side.up, memory_order_relaxed) &&
           now_ms >= atomic_load_explicit(&redis_side.away_until_ms, memory_order_relaxed);
}

// --- the shares of a subject --------------------------------------------------------------

// The same on every node, and nothing that somebody wrote.
static void name_it(const struct limit_who *who, char out[NAME_MOST])
{
    static const char *const kinds[LIMIT_SCOPES] = {
        [LIMIT_GLOBAL] = "all",      [LIMIT_ADDRESS] = "ip",  [LIMIT_API] = "api",
        [LIMIT_USER] = "user",       [LIMIT_TOKEN] = "token", [LIMIT_MODEL] = "model",
        [LIMIT_CHANNEL] = "channel",
    };
    unsigned char digest[SHA256_SIZE];
    const char *kind = kinds[who->scope];
    if (!who->name) {
        snprintf(out, NAME_MOST, "%s:%lld", kind, (long long)who->id);
        return;
    }
    struct ip network = ip_network(who->name);
    bool address = who->scope == LIMIT_ADDRESS || who->scope == LIMIT_API;
    hash_sha256(address ? (struct str){(const char *)network.bytes, sizeof(network.bytes)}
                        : str_of(who->name),
                digest);
    int n = snprintf(out, NAME_MOST, "%s:", kind);
    for (int i = 0; i < 12; i++)
        n += snprintf(out + n, NAME_MOST - (size_t)n, "%02x", digest[i]);
}

struct shares *shares_new(const struct limit_who *who, pthread_mutex_t *lock)
{
    struct shares *s = mem_new(sizeof(*s));
    s->lock = lock;
    name_it(who, s->name);
    return s;
}

void shares_free(struct shares *s)
{
    free(s);
}

bool shares_idle(const struct shares *s)
{
    return !s || (!s->active && !s->calls);
}

struct share *shares_of(struct shares *s, enum limit_unit u)
{
    return &s->units[u].share;
}

static void be_active(struct shares *s)
{
    if (s->active)
        return;
    s->active = true;
    pthread_mutex_lock(&redis_side.lock);
    s->next = redis_side.active;
    redis_side.active = s;
    pthread_mutex_unlock(&redis_side.lock);
}

// --- waiting ------------------------------------------------------------------------------

void shares_wait(struct shares *s, enum limit_unit u, int64_t units, struct job *job)
{
    struct waiters *w = &s->units[u].waiting;
    if (!job) {
        w->units = w->units > units ? w->units : units;
        return;
    }
    if (!w->first)
        w->since_ms = clock_steady_ms();
    job->next = w->first;
    w->first = job;
    w->units += units;
    be_active(s);
}

static void move(struct waiters *from, struct waiters *to)
{
    if (from->first && (!to->first || from->since_ms < to->since_ms))
        to->since_ms = from->since_ms;
    while (from->first) {
        struct job *job = from->first;
        from->first = job->next;
        job->next = to->first;
        to->first = job;
    }
    to->units += from->units;
    from->units = 0;
}

static void tell_some(struct waiters *w, int64_t most)
{
    for (; w->first && most > 0; most--) {
        struct job *job = w->first;
        w->first = job->next;
        loop_post(job->loop, job);
    }
}

static void tell(struct waiters *w)
{
    tell_some(w, INT64_MAX);
    w->units = 0;
}

// --- asking -------------------------------------------------------------------------------

static void on_reply(struct redis_call *call, const struct redisReply *reply);

// `at_once`: whoever waits, not only those who have waited long enough.
static void order(struct shares *s, enum limit_unit u, bool at_once, int64_t now_ms,
                  struct asking **out)
{
    struct unit *unit = &s->units[u];
    struct share_order o;
    int64_t units = at_once || now_ms >= unit->again_ms ? unit->waiting.units : 0;
    if (!share_order(&unit->share, units, now_ms, &o)) {
        if (!unit->share.asking && share_in_hand(&unit->share) >= unit->waiting.units)
            tell(&unit->waiting); // it has come meanwhile
        return;
    }
    struct asking *a = mem_new(sizeof(*a));
    a->shares = s;
    a->unit = u;
    a->order = o;
    a->rate = unit->share.rate;
    a->next = *out;
    *out = a;
    unit->share.asking = true;
    if (units)
        move(&unit->waiting, &unit->covered);
    s->calls++;
}

void shares_order(struct shares *s, int64_t now_ms, struct asking **out)
{
    bool rests = true, on = limit_redis_on(now_ms);
    for (int u = 0; u < LIMIT_UNITS; u++) {
        if (on)
            order(s, u, false, now_ms, out);
        rests = rests && share_rests(&s->units[u].share);
    }
    if (!rests)
        be_active(s);
}

static bool send_one(struct asking *a)
{
    static const char *const kinds[LIMIT_UNITS] = {"rpm", "tpm", "rpd", "held"};
    char key[PREFIX_MOST + NAME_MOST + 16], numbers[4][24];
    int n = snprintf(key, sizeof(key), "%slimit:%s:%s", redis_prefix(), a->shares->name,
                     kinds[a->unit]);
    const long long values[4] = {a->rate.most,
                                 a->rate.period_ms ? a->rate.period_ms : SHARE_LIVES_MS,
                                 a->order.pay, a->order.want};
    for (int i = 0; i < 4; i++)
        snprintf(numbers[i], sizeof(numbers[i]), "%lld", values[i]);
    struct str name = {key, (size_t)n}, most = str_of(numbers[0]), period = str_of(numbers[1]),
               pay = str_of(numbers[2]), want = str_of(numbers[3]);
    a->call.on_reply = on_reply;
    if (a->rate.period_ms)
        return redis_eval(&a->call, &bucket_script, 1, 5,
                          (const struct str[]){name, most, period, pay, want});
    return redis_eval(&a->call, &held_script, 1, 6,
                      (const struct str[]){name, most, str_of(redis_side.node), pay, want, period});
}

void shares_send(struct asking *a)
{
    while (a) {
        struct asking *next = a->next;
        a->next = NULL;
        if (!send_one(a))
            on_reply(&a->call, NULL);
        a = next;
    }
}

// Somebody's request may have ended on another node just now, and its word be on its way: those who
// found no room stay for a little while, and the next tick asks once more.
static void tell_held(struct unit *unit, int64_t now_ms)
{
    struct waiters *w = &unit->covered;
    int64_t go = share_let_go(&unit->share, w->units, now_ms);
    tell_some(w, go);
    w->units -= go;
    if (w->first && now_ms - w->since_ms < STAYS_MS)
        move(w, &unit->waiting);
    else
        tell(w);
    unit->again_ms = now_ms + SHARE_HELD_FRESH_MS;
}

static void take_reply(struct asking *a, const struct redisReply *reply, int64_t now_ms,
                       struct asking **more)
{
    struct unit *unit = &a->shares->units[a->unit];
    bool others_wait = unit->waiting.first; // since the order was sent
    int64_t granted, left;
    if (!redis_int(redis_item(reply, 0), &granted) || !redis_int(redis_item(reply, 1), &left)) {
        share_not_told(&unit->share, &a->order);
        tell(&unit->covered);
        tell(&unit->waiting);
        return;
    }
    share_told(&unit->share, &a->order, granted, left, now_ms);
    if (a->rate.period_ms)
        tell(&unit->covered);
    else
        tell_held(unit, now_ms);
    order(a->shares, a->unit, others_wait, now_ms, more);
}

// Also when nothing could be sent.
static void on_reply(struct redis_call *call, const struct redisReply *reply)
{
    struct asking *a = (struct asking *)call, *more = NULL;
    struct shares *s = a->shares;
    if (!reply || redis_error(reply))
        atomic_store(&redis_side.up, false);
    if (reply && redis_error(reply))
        log_warn("limits: Redis answers: %s", redis_error(reply));
    pthread_mutex_lock(s->lock);
    take_reply(a, reply, clock_steady_ms(), &more);
    s->calls--;
    pthread_mutex_unlock(s->lock);
    free(a);
    shares_send(more);
}

// --- from time to time --------------------------------------------------------------------

static void look_after(struct waiters *w, int64_t now_ms)
{
    if (!w->first || now_ms - w->since_ms < WAIT_MS)
        return;
    atomic_store(&redis_side.away_until_ms, now_ms + AWAY_MS);
    tell(w);
}

// While Redis is away each node counts for itself; then it is asked anew.
static void forget(struct share *s)
{
    if (!s->asking)
        *s = (struct share){.rate = s->rate, .running = s->running, .used_ms = s->used_ms};
}

// False: it rests.
static bool tend(struct shares *s, int64_t now_ms, struct asking **out)
{
    bool rests = true;
    for (int u = 0; u < LIMIT_UNITS; u++) {
        struct unit *unit = &s->units[u];
        if (limit_redis_on(now_ms))
            order(s, u, false, now_ms, out);
        else
            forget(&unit->share);
        look_after(&unit->waiting, now_ms);
        look_after(&unit->covered, now_ms);
        rests = rests && share_rests(&unit->share) && !unit->waiting.first;
    }
    return !rests;
}

static void tend_all(struct shares *all, int64_t now_ms)
{
    while (all) {
        struct shares *s = all;
        struct asking *asking = NULL;
        pthread_mutex_lock(s->lock);
        all = s->next;
        s->active = false;
        if (tend(s, now_ms, &asking))
            be_active(s);
        pthread_mutex_unlock(s->lock);
        shares_send(asking);
    }
}

static void tick(int64_t now_ms)
{
    struct redis_state state;
    redis_state(&state);
    atomic_store(&redis_side.up, state.up);
    pthread_mutex_lock(&redis_side.lock);
    struct shares *all = redis_side.active;
    redis_side.active = NULL;
    pthread_mutex_unlock(&redis_side.lock);
    tend_all(all, now_ms);
}

static void *run(void *unused)
{
    (void)unused;
    while (!atomic_load(&redis_side.stopping)) {
        tick(clock_steady_ms());
        uv_sleep(TICK_MS);
    }
    return NULL;
}

void limit_redis_setup(const char *node)
{
    char random[9];
    rand_text(random, sizeof(random) - 1); // one that was killed and started again is another
    snprintf(redis_side.node, sizeof(redis_side.node), "%.40s-%s", node, random);
    redis_script_add(&bucket_script);
    redis_script_add(&held_script);
    redis_side.known = true;
}

void limit_redis_start(void)
{
    if (!redis_side.known)
        return;
    if (pthread_create(&redis_side.thread, NULL, run, NULL))
        abort();
}

void limit_redis_stop(void)
{
    if (!redis_side.known)
        return;
    atomic_store(&redis_side.stopping, true);
    pthread_join(redis_side.thread, NULL);
}
