// From the server's callbacks to the handlers and back.

#pragma once
#include "common/http/server.h"

struct boot;
struct db_pool;

// Once, before the first server listens.
void router_setup(const struct boot *boot, struct db_pool *pool, struct db_pool *log_pool);
const struct http_handlers *router_handlers(void);

// From now on /readyz says no, so that balancers send nobody any more.
void router_drain(void);
