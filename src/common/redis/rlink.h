// One connection to Redis: made, greeted, watched, lost and made again. For this folder only;
// everything happens on the Redis thread's loop.

#pragma once
#include <hiredis/async.h>

#include "common/http/dns.h"
#include "common/redis/redis.h"

enum rlink_state { RLINK_DOWN, RLINK_RESOLVING, RLINK_GREETING, RLINK_UP };

struct rlink {
    struct loop *loop;
    struct dns *dns;
    const struct redis_address *address;
    bool listens; // silence alone is a failure
    // Commands that this connection needs before it is of use go into rlink_greet(); it is up when
    // the last of them was answered.
    void (*on_greeting)(struct rlink *l);
    void (*on_up)(struct rlink *l);
    void (*on_lost)(struct rlink *l, bool was_up, const char *why); // also after a vain attempt

    enum rlink_state state;
    redisAsyncContext *ac; // NULL: none, or being freed
    struct dns_query query;
    int waiting;      // answers that are to come
    int64_t since_ms; // when the attempt began
    int64_t heard_ms; // when something came, or was first waited for
    int64_t retry_ms; // not before
    int failures;     // in a row
};

void rlink_tick(struct rlink *l); // some times a second: whatever is due
void rlink_drop(struct rlink *l, const char *why);

// A greeting; an error as an answer ends the connection.
void rlink_greet(struct rlink *l, int argc, const char *const *argv);
// With an on_answer of its own, which begins with rlink_greeted: false when there was no answer or
// an error, and then the connection is gone.
void rlink_greet_with(struct rlink *l, int argc, const char *const *argv,
                      redisCallbackFn *on_answer, void *arg);
bool rlink_greeted(struct rlink *l, const redisReply *reply); // l NULL: gone already
// A connection that listens says itself when it is of use.
void rlink_ready(struct rlink *l);

// fn gets (ac, reply or NULL, arg); false: it will not be called. Answers are told of with
// rlink_answered.
bool rlink_send(struct rlink *l, redisCallbackFn *fn, void *arg, const char *bytes, size_t n);
void rlink_answered(struct rlink *l);
