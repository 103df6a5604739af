// What a node holds of a common limit.

#include "service/share.h"

enum { PART = 16 };

// Kept in hand while there is use for it.
static int64_t spare(const struct share *s)
{
    return s->rate.most / PART;
}

static int64_t ahead(const struct share *s)
{
    return spare(s) > 1 ? spare(s) : 1;
}

static int64_t above_0(int64_t n)
{
    return n > 0 ? n : 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void share_set_rate(struct share *s, const struct rate *r)
{
    bool other = s->rate.most != r->most || s->rate.period_ms != r->period_ms;
    s->changed = s->changed || (s->told && other);
    s->rate = *r;
}

int64_t share_in_hand(const struct share *s)
{
    return s->rate.period_ms ? s->have : s->held - s->running - s->over;
}

int64_t share_left(const struct share *s, int64_t now_ms)
{
    const struct rate *r = &s->rate;
    if (!s->told)
        return r->most;
    int64_t passed = now_ms - s->told_ms;
    if (!r->period_ms)
        return above_0(s->left);
    if (passed <= 0)
        return s->left;
    int64_t whole = passed / r->period_ms, rest = passed % r->period_ms;
    if (whole > PART)
        return r->most;
    return smaller(s->left + whole * r->most + rest * r->most / r->period_ms, r->most);
}

int64_t share_all(const struct share *s, int64_t now_ms)
{
    return share_in_hand(s) + share_left(s, now_ms);
}

static bool fits(const struct share *s, int64_t units, int64_t now_ms)
{
    int64_t have = share_in_hand(s);
    if (have >= units)
        return true;
    if (s->asking && !s->rate.period_ms)
        return false;
    if (s->asking && !s->told) // one step into the dark is enough, or a few of many
        return units - have <= spare(s) / PART;
    return share_all(s, now_ms) >= units && (have >= 0 || units - have <= ahead(s));
}

static bool fresh(const struct share *s, int64_t now_ms)
{
    return s->told && !s->changed && now_ms - s->told_ms < SHARE_FRESH_MS;
}

static int64_t drain_ms(const struct share *s, int64_t units)
{
    if (units <= 0)
        return 0;
    if (!s->rate.period_ms)
        return RATE_UNKNOWN_MS;
    int64_t product;
    if (__builtin_mul_overflow(units, s->rate.period_ms, &product))
        product = INT64_MAX / 4;
    return (product + s->rate.most - 1) / s->rate.most;
}

int64_t share_wait_ms(const struct share *s, int64_t units, int64_t now_ms, bool *unsure)
{
    units = smaller(units, s->rate.most);
    if (fits(s, units, now_ms))
        return 0;
    int64_t wait = drain_ms(s, units - share_all(s, now_ms));
    *unsure = !wait || !s->rate.period_ms || !fresh(s, now_ms);
    return wait ? wait : SHARE_FRESH_MS;
}

int64_t share_full_ms(const struct share *s, int64_t now_ms)
{
    return drain_ms(s, s->rate.most - share_all(s, now_ms));
}

void share_use(struct share *s, int64_t units, int64_t now_ms)
{
    s->used_ms = now_ms;
    if (s->rate.period_ms)
        s->have -= units;
    else
        s->running = above_0(s->running + units);
    if (units > 0)
        s->awaited = above_0(s->awaited - units);
}

static bool idle(const struct share *s, int64_t now_ms)
{
    return now_ms - s->used_ms >= SHARE_IDLE_MS;
}

// Those who were told come in a moment, unless they have left.
static int64_t awaited(const struct share *s, int64_t now_ms)
{
    return now_ms - s->awaited_ms < SHARE_FRESH_MS ? s->awaited : 0;
}

// So many at a time: all that this node wants to hold, as Redis forgets who does not say so again.
static bool order_held(const struct share *s, int64_t units, int64_t now_ms,
                       struct share_order *out)
{
    int64_t keep = idle(s, now_ms) ? 0 : spare(s), have = share_in_hand(s);
    *out = (struct share_order){s->running, s->running + awaited(s, now_ms) + keep + units};
    bool unknown = s->held < s->running || (units && have < units);
    bool low = keep && have < (keep + 1) / 2 && share_left(s, now_ms) > 0;
    bool many = s->held > s->running + awaited(s, now_ms) + keep;
    bool due = (s->held || s->running) && now_ms - s->told_ms >= SHARE_RENEW_MS;
    return unknown || low || many || due;
}

bool share_order(const struct share *s, int64_t units, int64_t now_ms, struct share_order *out)
{
    *out = (struct share_order){0};
    if (s->asking || !s->rate.most)
        return false;
    units = smaller(units, s->rate.most);
    if (!s->rate.period_ms)
        return order_held(s, units, now_ms, out);
    if (s->have > 0 && !units && idle(s, now_ms)) {
        out->pay = -s->have;
        return true;
    }
    int64_t have = above_0(s->have);
    bool useful = share_left(s, now_ms) > 0 && !idle(s, now_ms);
    out->pay = s->have < 0 ? -s->have : 0;
    if (useful && have - units < (spare(s) + 1) / 2)
        out->want = units + spare(s) - have;
    else if (have < units)
        out->want = units - have;
    return out->pay || out->want > 0;
}

bool share_rests(const struct share *s)
{
    return !s->have && !s->held && !s->running && !s->asking;
}

void share_told(struct share *s, const struct share_order *o, int64_t granted, int64_t left,
                int64_t now_ms)
{
    if (s->rate.period_ms) {
        s->have += o->pay + granted;
    } else {
        s->held = granted;
        s->over = left < 0 ? smaller(-left, granted) : 0;
    }
    s->left = left;
    s->told_ms = now_ms;
    s->told = true;
    s->changed = false;
    s->asking = false;
}

int64_t share_let_go(struct share *s, int64_t waiting, int64_t now_ms)
{
    int64_t before = awaited(s, now_ms);
    int64_t may = smaller(above_0(share_in_hand(s) - before), waiting);
    s->awaited = before + may;
    s->awaited_ms = now_ms;
    return may;
}

void share_not_told(struct share *s, const struct share_order *o)
{
    if (s->rate.period_ms)
        s->have += o->pay;
    s->asking = false;
}
