// Debts that drain.

#include "service/rate.h"

enum { PERIODS_MOST = 16 };

static int64_t scale(const struct rate *r)
{
    return r->period_ms ? r->period_ms : 1;
}

static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    if (!__builtin_mul_overflow(a, b, &product))
        return product;
    return a < 0 ? INT64_MIN / 4 : INT64_MAX / 4;
}

static int64_t debt_at(const struct rate *r, const struct rate_state *s, int64_t now_ms)
{
    int64_t passed = now_ms - s->at_ms;
    if (!r->period_ms || passed <= 0)
        return s->debt;
    return passed > s->debt / r->most ? 0 : s->debt - passed * r->most;
}

static int64_t room(const struct rate *r)
{
    return times(r->most, scale(r));
}

int64_t rate_left(const struct rate *r, const struct rate_state *s, int64_t now_ms)
{
    int64_t free = room(r) - debt_at(r, s, now_ms);
    return free > 0 ? free / scale(r) : 0;
}

static int64_t drain_ms(const struct rate *r, int64_t debt)
{
    if (debt <= 0)
        return 0;
    return r->period_ms ? debt / r->most + (debt % r->most != 0) : RATE_UNKNOWN_MS;
}

int64_t rate_wait_ms(const struct rate *r, const struct rate_state *s, int64_t units,
                     int64_t now_ms)
{
    int64_t asked = times(units < r->most ? units : r->most, scale(r));
    return drain_ms(r, debt_at(r, s, now_ms) + asked - room(r));
}

int64_t rate_full_ms(const struct rate *r, const struct rate_state *s, int64_t now_ms)
{
    return drain_ms(r, debt_at(r, s, now_ms));
}

void rate_charge(const struct rate *r, struct rate_state *s, int64_t units, int64_t now_ms)
{
    int64_t most = times(room(r), PERIODS_MOST);
    int64_t debt = debt_at(r, s, now_ms), more = times(units, scale(r));
    if (now_ms > s->at_ms || s->at_ms - now_ms > RATE_BACK_MS)
        s->at_ms = now_ms;
    if (__builtin_add_overflow(debt, more, &debt) || debt > most)
        debt = most;
    s->debt = debt > 0 ? debt : 0;
}

bool rate_take(const struct rate *r, struct rate_state *s, int64_t units, int64_t now_ms)
{
    if (rate_wait_ms(r, s, units, now_ms))
        return false;
    rate_charge(r, s, units, now_ms);
    return true;
}
