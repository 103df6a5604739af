// The thread that does what is due from time to time: channels that went out of service are
// tried again, old logs and dead sessions are deleted, memory that a crowd has left behind is given
// back.

#pragma once
struct db_pool;

void keeper_start(struct db_pool *pool, struct db_pool *log_pool);
void keeper_stop(void);
