// One limit that all nodes have in common, as one of them knows it: what it holds of it, and what
// was left of it when Redis was last asked. Pure arithmetic; who asks Redis is limit_redis.h.
//
// A node spends from what it holds (`have`), which was taken out of the common bucket before, so
// that deciding takes no round trip. Where it holds too little it may go ahead of what it holds, by
// `most / 16`, one unit or one request, whatever is largest, as long as it knows of enough that is
// left, or, before Redis has said anything, by the first request or `most / 256`; that is paid at
// once. So N nodes together stay within the limit + N x (most / 8, or one request), and over any
// longer time within its pace: what was too much must drain first.
// Limits of less than 16 are never held ahead of need.
//
// Before anybody is refused for what others have taken, Redis is asked, unless it just was. What
// has no period may be free again at any moment: there it is worth waiting for a little while.

#pragma once
#include "service/rate.h"

enum {
    SHARE_FRESH_MS = 100,
    SHARE_HELD_FRESH_MS = 20,
    SHARE_IDLE_MS = 2000,
    SHARE_RENEW_MS = 5000,
    SHARE_LIVES_MS = 15000
};

struct share { // zeroed: nothing is known
    struct rate rate;
    int64_t have; // held and not used; negative: used ahead
    // Without a period, instead:
    int64_t running; // use it right now
    int64_t held;    // that Redis knows of
    int64_t over;    // of those, that there was no room for: nobody uses them again
    int64_t awaited; // of those, for requests that were waiting and have just been told
    int64_t awaited_ms;
    int64_t left;    // of the common bucket when Redis last told; negative: too much was used
    int64_t told_ms; // when that was
    int64_t used_ms; // last use
    bool told, asking;
    bool changed; // another rate than Redis was asked about: what it told is not fresh
};

// What to ask Redis for.
struct share_order {
    int64_t pay;  // to be charged whether or not it is there; negative: given back
    int64_t want; // to be given if it is there
};

void share_set_rate(struct share *s, const struct rate *r);

// What fits without asking anybody.
int64_t share_in_hand(const struct share *s);
// What Redis has, as far as this node knows, and that with what is in hand.
int64_t share_left(const struct share *s, int64_t now_ms);
int64_t share_all(const struct share *s, int64_t now_ms);

// Until so many units fit: 0 now. *unsure: Redis may know better.
int64_t share_wait_ms(const struct share *s, int64_t units, int64_t now_ms, bool *unsure);
int64_t share_full_ms(const struct share *s, int64_t now_ms); // until nothing is owed

void share_use(struct share *s, int64_t units, int64_t now_ms); // negative: not used after all

// Is it time to ask? `units`: so many are waited for.
bool share_order(const struct share *s, int64_t units, int64_t now_ms, struct share_order *out);
// Nothing needs to be done for this one any more: no node would miss it.
bool share_rests(const struct share *s);

// Redis has carried out the order. Of what has no period, `granted` is all that this node holds.
void share_told(struct share *s, const struct share_order *o, int64_t granted, int64_t left,
                int64_t now_ms);
// Of what has no period: so many of those who waited may go; they will come in a moment.
int64_t share_let_go(struct share *s, int64_t waiting, int64_t now_ms);
// Nobody knows whether it has: it is not paid twice, and what it may have given is lost until it
// drains.
void share_not_told(struct share *s, const struct share_order *o);
