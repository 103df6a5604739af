// Asks Redis for the shares (share.h) of limit.c's subjects, and tells those who wait.
//
// Everything about one subject happens under its lock, which is limit.c's; orders are made under
// it and sent when it has been let go. Time is Redis's own, taken inside the scripts. What is held
// at a time carries this node's name and is forgotten when the node has not said for
// SHARE_LIVES_MS that it is still there.

#pragma once
#include <pthread.h>

#include "common/lane.h"
#include "service/limit.h"
#include "service/share.h"

struct shares; // of one subject
struct asking; // orders to be sent

void limit_redis_setup(const char *node); // before Redis is started, where there is one
// After it: a thread that hands back what is idle, renews, and lets nobody wait for long. Stopped
// before Redis is. Nothing happens where it was not set up.
void limit_redis_start(void);
void limit_redis_stop(void);

bool limit_redis_known(void);        // there is a Redis, though it may be away
bool limit_redis_on(int64_t now_ms); // it answers

struct shares *shares_new(const struct limit_who *who, pthread_mutex_t *lock);
void shares_free(struct shares *s); // only when shares_idle; NULL is fine

// Under the lock:
bool shares_idle(const struct shares *s); // nothing is held or on its way; NULL is
struct share *shares_of(struct shares *s, enum limit_unit u);
// `job` NULL: nobody waits, but it would be good to know.
void shares_wait(struct shares *s, enum limit_unit u, int64_t units, struct job *job);
void shares_order(struct shares *s, int64_t now_ms, struct asking **out); // adds to *out

// Without it:
void shares_send(struct asking *a);
