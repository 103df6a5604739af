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
    int64_t now_ms;
    bool resting_too;
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

static bool fits(const struct question *q, const struct candidate *c)
{
    if (channel_failed(q->tried, c->channel->row.id))
        return false;
    for (int i = 0; i < c->channel->key_count; i++)
        if (key_fits(q, &c->channel->keys[i]))
            return true;
    return false;
}

// Weights of zero count only where nobody has a weight.
static const struct candidate *pick_in_tier(const struct question *q, const struct candidate *tier,
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
    for (int i = 0; i < count; i++) {
        if (!fits(q, &tier[i]))
            continue;
        uint64_t share = sum ? (uint64_t)tier[i].weight : 1;
        if (at < share)
            return &tier[i];
        at -= share;
    }
    return NULL;
}

static bool choose(const struct question *q, const struct candidates *c, struct choice *out)
{
    for (int from = 0, to; from < c->count; from = to) {
        for (to = from + 1; to < c->count && c->items[to].priority == c->items[from].priority;)
            to++;
        const struct candidate *picked = pick_in_tier(q, c->items + from, to - from);
        if (!picked)
            continue;
        *out = (struct choice){picked->channel, pick_key(q, picked->channel)};
        if (out->key)
            return true;
    }
    return false;
}

bool choose_channel(const struct candidates *c, const struct tried *tried, int64_t now_ms,
                    struct choice *out)
{
    struct question q = {tried, now_ms, false};
    if (!c)
        return false;
    if (choose(&q, c, out))
        return true;
    q.resting_too = true;
    return choose(&q, c, out);
}
