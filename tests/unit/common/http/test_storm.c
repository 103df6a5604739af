// Many clients and handlers doing anything at any time: whatever happens, everything ends once and
// every connection is given back.

#include "unit/common/http/host.h"

#include <string.h>
#include <sys/socket.h>

enum { CLIENTS = 24, STEPS = 40000, OPEN_MAX_HELD = 48 };

static uint64_t seed;

static unsigned roll(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static const char *const requests[] = {
    GET("/hold"),
    GET("/echo"),
    GET("/deny"),
    "GET /hold HTTP/1.0\r\n\r\n",
    "HEAD /hold HTTP/1.1\r\n" HOST "\r\n",
    "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
    "POST /small HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n0123456789a",
    "POST /hold HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
    "GET /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
    "BREW / HTTP/1.1\r\n\r\n",
    "\r\n",
};

struct storm {
    struct host host;
    struct visitor clients[CLIENTS];
    struct str left[CLIENTS]; // of the request being sent
    char *noise;
};

// Some of what is left of a request, or the whole of it; of the next one when nothing is left.
static void send_some(struct visitor *p, struct str *left)
{
    if (!left->n)
        *left = str_of(requests[roll(sizeof(requests) / sizeof(*requests))]);
    size_t n = left->n > 1 && !roll(3) ? 1 + roll((unsigned)left->n) : left->n;
    send(p->fd, left->p, n, MSG_NOSIGNAL);
    *left = str_skip(*left, n);
}

static void client_acts(struct storm *s, int i)
{
    struct visitor *p = &s->clients[i];
    if (p->fd < 0) {
        *p = visitor_open(&s->host);
        s->left[i] = (struct str){0};
    }
    switch (roll(40)) {
    case 0: visitor_close(p); return;
    case 1: visitor_reset(p); return;
    case 2: visitor_half_close(p); return;
    case 3: send(p->fd, s->noise, roll(200000), MSG_NOSIGNAL); return;
    case 4:
    case 5:
    case 6:
    case 7: visitor_pump(p); return;
    default: send_some(p, &s->left[i]);
    }
}

static void let_go(struct host *h, int i)
{
    h->held[i] = h->held[--h->held_count];
}

static void handler_acts(struct storm *s)
{
    struct host *h = &s->host;
    if (!h->held_count)
        return;
    int i = (int)roll((unsigned)h->held_count);
    struct exchange *x = h->held[i];
    struct str some = {s->noise, roll(10) ? roll(2000) : roll(600000)};
    switch (roll(8)) {
    case 0:
        let_go(h, i);
        exchange_abort(x);
        break;
    case 1:
        let_go(h, i);
        exchange_end(x);
        break;
    case 2:
        let_go(h, i);
        exchange_reply(x, 200, "text/plain", NULL, 0, some);
        break;
    case 3: exchange_head(x, 200, NULL, 0, roll(2) ? -1 : (int64_t)roll(3000)); break;
    default: exchange_write(x, &some, 1); break;
    }
}

static void storm(uint64_t from)
{
    static struct storm s;
    struct http_limits limits = http_default_limits;
    limits.header_ms = limits.body_ms = limits.idle_ms = limits.write_ms = 300;
    limits.connections = CLIENTS;
    limits.body_bytes = 100;
    seed = from;
    s = (struct storm){0};
    host_open(&s.host, &limits);
    s.noise = arena_alloc(s.host.arena, 600000);
    memset(s.noise, 'n', 600000);
    for (int i = 0; i < CLIENTS; i++)
        s.clients[i].fd = -1;
    for (int step = 0; step < STEPS; step++) {
        if (s.host.held_count < OPEN_MAX_HELD)
            client_acts(&s, (int)roll(CLIENTS));
        if (roll(2) || s.host.held_count >= OPEN_MAX_HELD)
            handler_acts(&s);
        if (roll(3) == 0)
            uv_run(&s.host.loop->uv, UV_RUN_NOWAIT);
    }
    while (s.host.held_count) {
        struct exchange *x = s.host.held[s.host.held_count - 1];
        let_go(&s.host, s.host.held_count - 1);
        exchange_end(x);
    }
    for (int i = 0; i < CLIENTS; i++)
        visitor_close(&s.clients[i]);
    for (int i = 0; i < 2000 && http_server_connections(s.host.server); i++) {
        host_run(&s.host, 1);
        while (s.host.held_count)
            exchange_abort(s.host.held[--s.host.held_count]);
    }
    assert_int_equal(http_server_connections(s.host.server), 0);
    assert_true(s.host.requests > 500);
    assert_true(s.host.finished >= s.host.requests);
    assert_true(s.host.finished <= s.host.heads + s.host.rejects);
    host_close(&s.host);
}

static void everything_ends(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        storm(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(everything_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
