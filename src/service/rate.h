// One limit as arithmetic: so many units in each period, as a bucket that is refilled evenly
// (GCRA).
//
// What was used is a debt that drains at the limit's pace; a unit fits while the debt stays within
// the limit. So up to the whole limit may come at once, and over any longer time no more than the
// limit's pace. Exact: the debt is kept in units x period, and nothing is ever rounded away.
// Without a period nothing drains: so many at a time. Nothing here knows a clock or a lock.

#pragma once
#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t most;      // units in each period, or at a time; 0 = no limit
    int64_t period_ms; // 0 = at a time
};

enum { RATE_BACK_MS = 10000 }; // threads' clocks differ a little; one that is back by more was set

struct rate_state { // zeroed: nothing was used
    int64_t debt;   // units x period; above `most` when more was used than was asked for
    int64_t at_ms;  // what the debt was drained to
};

// Units that fit now: 0 to most. A clock that went back drains nothing.
int64_t rate_left(const struct rate *r, const struct rate_state *s, int64_t now_ms);

// Until `units` fit (more than there can ever be: until all do), 0: they fit now. Of what has no
// period nobody knows: RATE_UNKNOWN_MS.
enum { RATE_UNKNOWN_MS = 1000 };
int64_t rate_wait_ms(const struct rate *r, const struct rate_state *s, int64_t units,
                     int64_t now_ms);
int64_t rate_full_ms(const struct rate *r, const struct rate_state *s, int64_t now_ms); // until all

// Charges, or refuses and charges nothing. What is more than the limit fits when all does, and is
// paid off by waiting.
bool rate_take(const struct rate *r, struct rate_state *s, int64_t units, int64_t now_ms);

// Charges without asking; negative gives back. Never below nothing, and never above what is paid
// off in 16 periods.
void rate_charge(const struct rate *r, struct rate_state *s, int64_t units, int64_t now_ms);
