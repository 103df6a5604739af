// Hears of what other nodes have changed, and tells them what changed here.
//
// Every change is a row of the changes table and, where there is Redis, a message. The rows are
// read every two seconds, so messages may get lost; when Redis' messages begin (again), and every
// minute while other nodes run, everything is read again.
//
// A message is "KIND ID PROCESS ROW": change_name(), the row that changed, the sender's process,
// the row of the changes table (0: none could be written). Whatever else comes is ignored and
// counted.

#pragma once
#include "common/db/db.h"

// Before anything is read into memory: what changes from here on is not missed. Redis is told what
// to listen for.
struct err *watch_setup(struct db_pool *pool, struct arena *a);
void watch_start(void); // once all have said what they listen for
void watch_stop(void);
