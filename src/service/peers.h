// The other nodes, as far as they are heard through Redis, and what is asked of them: to give back
// what they have leased of a balance and do not need.
//
// Messages: "here": NAME, every second. "leases": "ask PROCESS SERIAL KIND ID" and the answer
// "did PROCESS SERIAL NAME". PROCESS is the asker's, NAME a node's.

#pragma once
#include <stdbool.h>

#include "service/ledger.h"

// Before Redis is started. give_back runs on a worker.
void peers_setup(const char *node, void (*give_back)(enum account_kind kind, int64_t id));

bool peers_hear(const char *node); // within the last three seconds

// On a worker, without a connection or a lock: asks those of the named nodes that are heard, and
// waits until they did, at most a third of a second. False: nobody could be asked.
bool peers_ask(enum account_kind kind, int64_t id, const char *const *nodes, size_t count);
