// What the nodes of one installation share through Redis, if there is one: whether it is there, as
// operators see it. Without Redis a node serves as well; it hears of others' changes later.

#pragma once
#include "common/db/db.h"

// Whoever sends or listens (redis_subscribe, redis_script_add) has said so before. An empty DSN: no
// Redis. That it does not answer is no error.
struct err *shared_start(struct db_pool *pool, struct arena *a, const char *redis_dsn,
                         const char *node);
void shared_stop(void);

bool shared_is_up(void);        // commands are answered and messages come
const char *shared_state(void); // "off", "up" or "down", for people
