// Dialling: names, addresses, proxies, TLS; in the end link_serve or a failure.

#include "common/http/dial.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/http/egress.h"
#include "common/http/proxy.h"

enum {
    SLICE_LEAST_MS = 300, // for one address, however many there are
    KEEPALIVE_SECONDS = 60,
};

static void try_next(struct client_conn *conn);
static void reopen(struct client_conn *conn);

void dial_free(struct dial *d)
{
    if (!d)
        return;
    dns_release(d->addresses);
    buf_free(&d->proxy_in);
    free(d);
}

// --- dialling: addresses one after the other, each with its share of the time --------------

// Call_start may be above us on the stack, so the failure is told in the next round.
static void dial_fail(struct client_conn *conn, const struct err_kind *kind, const char *what,
                      const char *why)
{
    struct call *c = conn->call;
    struct err *e = err_new(c->arena, kind, "%s: %s", what, why);
    conn->call = NULL;
    link_close(conn);
    call_fail_soon(c, e);
}

static void share_time(struct client_conn *conn)
{
    struct dial *d = conn->dial;
    int64_t left = d->until_ms - conn->client->loop->now_ms;
    int64_t share = left / (d->addresses->count - d->at + 1); // at: already the next one
    if (share < SLICE_LEAST_MS)
        share = SLICE_LEAST_MS;
    link_expect(conn, share < left ? share : left);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct client_conn *conn = request->data;
    if (conn->state == CONN_CLOSED || status == UV_ECANCELED)
        return;
    if (status != 0) {
        conn->dial->why = uv_strerror(status);
        reopen(conn);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_tcp_keepalive(&conn->tcp, 1, KEEPALIVE_SECONDS);
    link_expect(conn, conn->dial->until_ms - conn->client->loop->now_ms);
    conn->state = CONN_PROXY;
    link_read_again(conn);
    if (conn->dial->proxied)
        proxy_begin(conn);
    else
        link_up(conn);
}

static void on_reopen(uv_handle_t *handle)
{
    struct client_conn *conn = handle->data;
    if (conn->state == CONN_CLOSED) {
        link_release(conn);
        return;
    }
    uv_tcp_init(&conn->client->loop->uv, &conn->tcp);
    conn->tcp.data = conn;
    try_next(conn);
}

// A socket is of one family and of one attempt: the next address gets a new one.
static void reopen(struct client_conn *conn)
{
    conn->due_ms = conn->dial->until_ms;
    if (!uv_is_closing((uv_handle_t *)&conn->tcp))
        uv_close((uv_handle_t *)&conn->tcp, on_reopen);
}

bool dial_skip(struct client_conn *conn)
{
    struct dial *d = conn->dial;
    if (!d->addresses || conn->client->loop->now_ms >= d->until_ms)
        return false;
    d->why = "timed out";
    reopen(conn);
    return true;
}

static union dns_address take_address(struct client_conn *conn)
{
    struct dial *d = conn->dial;
    union dns_address to = d->addresses->at[d->at++];
    uint16_t port = htons((uint16_t)(d->proxied ? d->proxy.port : conn->upstream->port));
    if (to.any.sa_family == AF_INET6)
        to.v6.sin6_port = port;
    else
        to.v4.sin_port = port;
    return to;
}

static void try_next(struct client_conn *conn)
{
    struct dial *d = conn->dial;
    bool guarded = conn->upstream->guarded && !d->proxied;
    while (d->at < d->addresses->count) {
        union dns_address to = take_address(conn);
        if (guarded && !egress_allowed(&to.any)) {
            d->forbidden = true;
            continue;
        }
        share_time(conn);
        d->request.data = conn;
        int rc = uv_tcp_connect(&d->request, &conn->tcp, &to.any, on_connected);
        if (rc == 0)
            return;
        d->why = uv_strerror(rc);
        reopen(conn);
        return;
    }
    const char *host = d->proxied ? d->proxy.host : conn->upstream->host;
    if (d->forbidden && !d->why)
        dial_fail(conn, &err_address_forbidden, host, "not a public address");
    else
        dial_fail(conn, &err_upstream_unreachable, host, d->why ? d->why : "no address");
}

static void on_name(struct dns_query *q)
{
    struct dial *d = (struct dial *)((char *)q - offsetof(struct dial, query));
    struct client_conn *conn = d->request.data;
    const char *host = d->proxied ? d->proxy.host : conn->upstream->host;
    d->addresses = q->answer;
    if (d->addresses)
        try_next(conn);
    else
        dial_fail(conn, &err_upstream_unreachable, host, q->why);
}

static void find_addresses(struct client_conn *conn, const char *host)
{
    struct dial *d = conn->dial;
    d->request.data = conn;
    d->query.on_answer = on_name;
    d->query.answer = dns_literal(host);
    if (d->query.answer || dns_lookup(conn->client->dns, host, &d->query) != DNS_WAITS)
        on_name(&d->query);
}

void conn_dial(struct client *client, struct upstream *u, struct call *c)
{
    struct client_conn *conn = link_new(client, u);
    struct dial *d = conn->dial = mem_new(sizeof(*d));
    conn->call = c;
    c->conn = conn;
    d->proxy_in = BUF(PROXY_ANSWER_MAX);
    d->until_ms = client->loop->now_ms + c->limits.connect_ms;
    link_expect(conn, c->limits.connect_ms);
    d->proxied = !text_is_empty(c->proxy);
    if (d->proxied && !proxy_read_url(c, &d->proxy))
        dial_fail(conn, &err_channel_misconfigured, "proxy", "not http://… or socks5://…");
    else if (d->proxied && c->guarded && !egress_host_allowed(u->host))
        dial_fail(conn, &err_address_forbidden, u->host, "not a public address");
    else
        find_addresses(conn, d->proxied ? d->proxy.host : u->host);
}

// --- the connection is there: TLS, then the call -----------------------------------------

static void ready(struct client_conn *conn)
{
    dial_free(conn->dial);
    conn->dial = NULL;
    link_serve(conn, conn->call);
}

void dial_handshake(struct client_conn *conn, struct str bytes)
{
    struct client *client = conn->client;
    buf_clear(&client->plain);
    buf_clear(&client->cipher);
    enum tls_state state = tls_receive(conn->tls, bytes, &client->plain, &client->cipher);
    if (client->cipher.n)
        link_write(conn, buf_view(&client->cipher));
    if (state == TLS_FAILED)
        link_fail(conn, &err_upstream_unreachable, "TLS: %s", tls_why(conn->tls));
    else if (state == TLS_CLOSED || client->plain.n)
        link_fail(conn, &err_upstream_unreachable, "TLS: not the start of HTTP");
    else if (state == TLS_READY)
        ready(conn);
}

void link_up(struct client_conn *conn)
{
    struct upstream *u = conn->upstream;
    if (!u->secure) {
        ready(conn);
        return;
    }
    conn->state = CONN_TLS;
    conn->tls = tls_new(conn->client->tls, u->host, u->authority);
    dial_handshake(conn, (struct str){0});
}
