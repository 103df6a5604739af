// One request being answered by somebody else.

#pragma once
#include "common/http/server.h"
#include "relay/chat.h"

// A row of router/routes.def that is relayed: which dialect its callers speak, for what.
struct relay_route {
    const struct dialect *speaks;
    enum relay_mode mode;
};

// Takes a complete request on its loop and answers it: from here on the exchange is the relay's.
// MODE_MODELS is answered from the snapshot, everything else by an upstream.
void relay_begin(struct exchange *x, const struct relay_route *route);

// Answers with an error in the dialect of the path (`speaks` NULL: OpenAI's), logs it once, ends
// the exchange. For everything that goes wrong before or instead of a relay.
void relay_refuse(struct exchange *x, const struct dialect *speaks, const struct err *e);

// What all relays of this process share. Once, before the first loop runs.
struct db_pool;
struct boot;
struct err *relay_setup(struct arena *a, const struct boot *boot, struct db_pool *pool);

// One client (connection pool) per loop, before it runs; its counterpart when it drains.
void relay_attach(struct loop *loop);
void relay_detach(struct loop *loop, void (*on_closed)(void *), void *arg);
int relay_running(void); // relays not settled yet, all loops
void relay_cut(void);    // whoever is gone from now on was cut off by us
