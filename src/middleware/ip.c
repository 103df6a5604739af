// Who the client really is behind proxies that we trust.

#include "middleware/guards.h"
#include "service/client_ip.h"

struct err *guard_client(struct http *x)
{
    const struct exchange *e = x->exchange;
    x->ip = client_ip(x->arena, e->peer, &e->headers);
    x->https = x->https || client_https(e->peer, &e->headers);
    return NULL;
}
