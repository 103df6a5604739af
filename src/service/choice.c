// Tiers, weights and dice.

#include "service/choice.h"

#include <math.h>
#include <string.h>

#include "common/hash.h"
#include "common/rand.h"

void tried_channel(struct tried *t, int64_t channel_id)
{
    if (t->channel_count < TRIED_MOST)
        t->channels[t->channel_count++] = channel_id;
}

void tried_key(struct tried *t, const struct health *key)
{
    if (t->key_count < TRIED_MOST)
        t->keys[t->key_count++] = key;
}

static bool channel_failed(const struct tried *t, int64_t id)
{
    for (int i = 0; i < t->channel_count; i++)
        if (t->channels[i] == id)
            return true;
    return t->channel_count == TRIED_MOST;
}

static bool key_failed(const struct tried *t, const struct health *key)
{
    for (int i = 0; i < t->key_count; i++)
        if (t->keys[i] == key)
            return true;
    return t->key_count == TRIED_MOST;
}

struct question {
    const struct tried *tried;
    int64_t tokens, now_ms;
    uint64_t session;
    bool resting_too;
    int64_t full_channel;
    struct limit_refusal full; // as in struct choice
};

// In (0, 1], the same for the same two numbers, without pattern otherwise.
static double draw(uint64_t session, uint64_t member)
{
    uint64_t x = session ^ (member + 1) * 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53 + 0x1p-54;
}

static bool key_fits(const struct question *q, const struct snapshot_key *k)
{
    bool up = q->resting_too ? !atomic_load(&k->health->off) : health_usable(k->health, q->now_ms);
    return up && !key_failed(q->tried, k->health);
}

static const struct snapshot_key *drawn_key(const struct question *q,
                                            const struct snapshot_channel *c)
{
    const struct snapshot_key *picked = NULL;
    double best = 0;
    for (int i = 0; i < c->key_count; i++) {
        const char *id = c->keys[i].health->key_id;
        double d = draw(q->session, hash_crc32c(0, id, strlen(id)));
        if (d > best && key_fits(q, &c->keys[i])) {
            best = d;
            picked = &c->keys[i];
        }
    }
    return picked;
}

static const struct snapshot_key *pick_key(const struct question *q,
                                           const struct snapshot_channel *c)
{
    const struct snapshot_key *picked = NULL;
    uint64_t seen = 0;
    if (q->session && c->key_count > 1)
        return drawn_key(q, c);
    for (int i = 0; i < c->key_count; i++)
        if (key_fits(q, &c->keys[i]) && rand_below(++seen) == 0)
            picked = &c->keys[i]; // each of those seen so far is as likely as any other
    return picked;
}

static bool has_key(const struct question *q, const struct snapshot_channel *c)
{
    for (int i = 0; i < c->key_count; i++)
        if (key_fits(q, &c->keys[i]))
            return true;
    return false;
}

static bool has_room(struct question *q, const struct snapshot_channel *c)
{
    if (!c->limited)
        return true;
    struct limit_refusal why;
    if (limit_fits(&(struct limit_who){LIMIT_CHANNEL, c->row.id}, &c->limits, q->tokens, q->now_ms,
                   &why))
        return true;
    if (!q->full.wait_ms || why.wait_ms < q->full.wait_ms) {
        q->full = why;
        q->full_channel = c->row.id;
    }
    return false;
}

static bool fits(struct question *q, const struct candidate *c)
{
    return !channel_failed(q->tried, c->channel->row.id) && has_key(q, c->channel) &&
           has_room(q, c->channel);
}

// Over many sessions each gets its share; one that is out leaves the others' sessions alone.
static const struct candidate *drawn(struct question *q, const struct candidate *tier, int count,
                                     bool weighted)
{
    const struct candidate *picked = NULL;
    double best = 0;
    for (int i = 0; i < count; i++) {
        double share = weighted ? tier[i].weight : 1;
        double d = -log(draw(q->session, (uint64_t)tier[i].channel->row.id));
        if (share > 0 && fits(q, &tier[i]) && (!picked || d / share < best)) {
            best = d / share;
            picked = &tier[i];
        }
    }
    return picked;
}

// Weights of zero count only where nobody has a weight.
static const struct candidate *pick_in_tier(struct question *q, const struct candidate *tier,
                                            int count)
{
    uint64_t sum = 0, members = 0;
    for (int i = 0; i < count; i++) {
        if (fits(q, &tier[i])) {
            sum += (uint64_t)tier[i].weight;
            members++;
        }
    }
    if (!members)
        return NULL;
    if (q->session && members > 1)
        return drawn(q, tier, count, sum > 0);
    uint64_t at = rand_below(sum ? sum : members);
    const struct candidate *last = NULL; // should somebody have lost his room meanwhile
    for (int i = 0; i < count; i++) {
        if (!fits(q, &tier[i]))
            continue;
        uint64_t share = sum ? (uint64_t)tier[i].weight : 1;
        if (at < share)
            return &tier[i];
        at -= share;
        last = &tier[i];
    }
    return last;
}

static bool choose(struct question *q, const struct candidates *c, struct choice *out)
{
    for (int from = 0, to; from < c->count; from = to) {
        for (to = from + 1; to < c->count && c->items[to].priority == c->items[from].priority;)
            to++;
        const struct candidate *picked = pick_in_tier(q, c->items + from, to - from);
        if (!picked)
            continue;
        *out = (struct choice){picked->channel, pick_key(q, picked->channel), 0, {0}};
        if (out->key)
            return true;
    }
    return false;
}

bool choose_channel(const struct candidates *c, const struct choosing *how, struct choice *out)
{
    struct question q = {how->tried, how->tokens, how->now_ms, how->session, false, 0, {0}};
    if (!c)
        return false;
    if (choose(&q, c, out))
        return true;
    q.resting_too = true;
    if (choose(&q, c, out))
        return true;
    out->full = q.full;
    out->full_channel = q.full_channel;
    return false;
}
