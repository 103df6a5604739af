// Tiers, weights and dice.

#include "service/choice.h"

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
    bool resting_too;
    struct limit_refusal full; // as in struct choice
};

static bool key_fits(const struct question *q, const struct snapshot_key *k)
{
    bool up = q->resting_too ? !atomic_load(&k->health->off) : health_usable(k->health, q->now_ms);
    return up && !key_failed(q->tried, k->health);
}

static const struct snapshot_key *pick_key(const struct question *q,
                                           const struct snapshot_channel *c)
{
    const struct snapshot_key *picked = NULL;
    uint64_t seen = 0;
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
    if (!q->full.wait_ms || why.wait_ms < q->full.wait_ms)
        q->full = why;
    return false;
}

static bool fits(struct question *q, const struct candidate *c)
{
    return !channel_failed(q->tried, c->channel->row.id) && has_key(q, c->channel) &&
           has_room(q, c->channel);
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
        *out = (struct choice){picked->channel, pick_key(q, picked->channel), {0}};
        if (out->key)
            return true;
    }
    return false;
}

bool choose_channel(const struct candidates *c, const struct tried *tried, int64_t tokens,
                    int64_t now_ms, struct choice *out)
{
    struct question q = {tried, tokens, now_ms, false, {0}};
    if (!c)
        return false;
    if (choose(&q, c, out))
        return true;
    q.resting_too = true;
    if (choose(&q, c, out))
        return true;
    out->full = q.full;
    return false;
}
