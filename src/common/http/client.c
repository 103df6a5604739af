// Calls and the pool of kept connections.

#include "common/http/client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "common/hash.h"
#include "common/http/dial.h"
#include "common/http/link.h"
#include "common/http/reply.h"

const struct call_limits call_default_limits = {
    .connect_ms = 10000,
    .first_byte_ms = 600000, // a model may think for minutes before it answers in one piece
    .idle_ms = 300000,
    .head_bytes = 256 * 1024,
};

enum { REQUEST_HEAD_MAX = 1024 * 1024, PLAIN_MAX = 256 * 1024 };
// Larger requests leave at once, while the processor's caches still have them.
enum { PUT_OFF_MOST = 32 * 1024 };

// --- what the pool knows of an upstream -------------------------------------------------

static bool is_secure(const struct call *c)
{
    return !strcmp(c->url.scheme, "https");
}

static struct upstream **bucket_of(struct client *client, const char *host, int port)
{
    uint64_t h = hash_table(host, strlen(host)) + (uint64_t)port;
    return &client->upstreams[h % UPSTREAM_BUCKETS];
}

static struct upstream *upstream_new(struct upstream **bucket, const struct call *c)
{
    struct upstream *u = mem_new(sizeof(*u));
    u->host = mem_strdup(c->url.host);
    u->authority = mem_strdup(url_authority(c->arena, &c->url));
    u->proxy = mem_strdup(c->proxy);
    u->port = c->url.port;
    u->secure = is_secure(c);
    u->guarded = c->guarded;
    u->next = *bucket;
    *bucket = u;
    return u;
}

static struct upstream *upstream_of(const struct call *c)
{
    struct upstream **bucket = bucket_of(c->client, c->url.host, c->url.port);
    bool secure = is_secure(c);
    for (struct upstream *u = *bucket; u; u = u->next)
        if (u->port == c->url.port && u->secure == secure && u->guarded == c->guarded &&
            !strcmp(u->host, c->url.host) && text_eq(u->proxy, c->proxy))
            return u;
    return upstream_new(bucket, c);
}

// Users' URLs are endless, so an upstream is forgotten with its last connection.
static void upstream_release(struct client *client, struct upstream *u)
{
    if (--u->refs > 0)
        return;
    struct upstream **at = bucket_of(client, u->host, u->port);
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    free((void *)u->host);
    free((void *)u->authority);
    free((void *)u->proxy);
    free(u);
}

// --- the pool ---------------------------------------------------------------------------

static void pool_remove(struct client_conn *conn)
{
    struct upstream *u = conn->upstream;
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        u->idle = conn->next;
    conn->next = conn->prev = NULL;
    u->idle_count--;
    conn->client->idle--;
}

void client_keep(struct client_conn *conn)
{
    struct upstream *u = conn->upstream;
    if (u->idle_count >= IDLE_MAX) {
        link_close(conn);
        return;
    }
    conn->state = CONN_IDLE;
    conn->prev = NULL;
    conn->next = u->idle;
    if (u->idle)
        u->idle->prev = conn;
    u->idle = conn;
    u->idle_count++;
    conn->client->idle++;
    link_expect(conn, IDLE_MS);
    if (conn->deaf) // paused until the end; from now on its end must be noticed
        link_read_again(conn);
}

void client_unlink(struct client_conn *conn)
{
    if (conn->state == CONN_IDLE)
        pool_remove(conn);
    upstream_release(conn->client, conn->upstream);
    conn->upstream = NULL;
}

// --- what is due in the next round ------------------------------------------------------

static void soon_remove(struct call *c)
{
    struct client *client = c->client;
    if (!c->soon)
        return;
    c->soon = false;
    struct call **at = &client->soon;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (!*at)
        client->soon_tail = at;
}

// One round takes what was there when it began, so that calls which fail at once cannot hold the
// loop.
static void on_soon(uv_idle_t *handle)
{
    struct client *client = handle->data;
    int n = 0;
    for (struct call *c = client->soon; c; c = c->next)
        n++;
    for (; n > 0 && client->soon; n--) {
        struct call *c = client->soon;
        soon_remove(c);
        if (c->failed)
            call_finish(c, c->failed);
        else if (c->conn && c->conn->state == CONN_BUSY && !c->paused)
            reply_resume(c->conn);
    }
    if (!client->soon)
        uv_idle_stop(handle);
}

static void soon_add(struct call *c)
{
    struct client *client = c->client;
    if (c->soon)
        return;
    c->soon = true;
    c->next = NULL;
    *client->soon_tail = c;
    client->soon_tail = &c->next;
    uv_idle_start(&client->soon_handle, on_soon);
}

// --- calls --------------------------------------------------------------------------------

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return true;
    return false;
}

static const char *const our_headers[] = {
    "Host", "Content-Length", "Connection", "Transfer-Encoding", "Expect", "Upgrade", "TE"};

static bool is_ours(struct str name)
{
    for (size_t i = 0; i < sizeof(our_headers) / sizeof(*our_headers); i++)
        if (str_is_nocase(name, our_headers[i]))
            return true;
    return false;
}

static bool line_allowed(struct str line)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (line.n < 2 || line.p[line.n - 1] != '\r' || !colon || colon == line.p)
        return false;
    for (size_t i = 0; i + 1 < line.n; i++)
        if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
            return false;
    struct str name = {line.p, (size_t)(colon - line.p)};
    return !memchr(name.p, ' ', name.n) && !memchr(name.p, '\t', name.n) && !is_ours(name);
}

// Headers come from configuration and callers; one bad line would be a smuggled request.
static bool headers_allowed(struct str headers, bool *accepts)
{
    struct str rest = headers, line;
    *accepts = false;
    while (str_next(&rest, '\n', &line)) {
        if (!line_allowed(line))
            return false;
        if (line.n > 16 && !strncasecmp(line.p, "Accept-Encoding:", 16))
            *accepts = true;
    }
    return headers.n == 0 || headers.p[headers.n - 1] == '\n';
}

static size_t body_length(const struct call *c)
{
    size_t length = 0;
    for (size_t i = 0; i < c->pieces; i++)
        length += c->body[i].n;
    return length;
}

static void write_head(const struct call *c, const char *authority, struct buf *b)
{
    size_t length = body_length(c);
    buf_clear(b);
    buf_puts(b, c->method);
    buf_puts(b, " ");
    buf_puts(b, c->url.path);
    buf_puts(b, " HTTP/1.1\r\nHost: ");
    buf_puts(b, authority);
    buf_puts(b, c->accepts ? "\r\n" : "\r\nAccept-Encoding: identity\r\n");
    if (length || (strcmp(c->method, "GET") != 0 && strcmp(c->method, "HEAD") != 0)) {
        buf_puts(b, "Content-Length: ");
        buf_int(b, (int64_t)length);
        buf_puts(b, "\r\n");
    }
    buf_str(b, c->headers);
    buf_puts(b, "\r\n");
}

void link_serve(struct client_conn *conn, struct call *c)
{
    struct client *client = conn->client;
    conn->state = CONN_BUSY;
    conn->call = c;
    c->conn = conn;
    if (c->paused)
        link_read_stop(conn);
    reply_begin(conn);
    if (body_length(c) > PUT_OFF_MOST) {
        write_head(c, conn->upstream->authority, &client->head);
        link_send(conn, buf_view(&client->head));
        return;
    }
    conn->to_send = true;
    conn->then = NULL;
    *client->to_send_tail = conn;
    client->to_send_tail = &conn->then;
}

// A connection that was closed meanwhile is still there: libuv tells of it at the end of a round.
static void send_all(struct round_end *r)
{
    struct client *client = (struct client *)((char *)r - offsetof(struct client, round_end));
    while (client->to_send) {
        struct client_conn *conn = client->to_send;
        client->to_send = conn->then;
        if (!client->to_send)
            client->to_send_tail = &client->to_send;
        conn->to_send = false;
        if (conn->state != CONN_BUSY)
            continue;
        write_head(conn->call, conn->upstream->authority, &client->head);
        link_send(conn, buf_view(&client->head));
    }
}

struct err *call_check(struct call *c)
{
    const char *bad = NULL;
    if (strcmp(c->url.scheme, "http") != 0 && !is_secure(c))
        bad = "this scheme is";
    else if (text_is_empty(c->url.host) || has_control(c->url.host) || c->url.port <= 0)
        bad = "this host or port is";
    else if (text_is_empty(c->url.path) || has_control(c->url.path))
        bad = "this path is";
    else if (text_is_empty(c->method) || has_control(c->method))
        bad = "this method is";
    else if (c->headers.n + strlen(c->url.path) > REQUEST_HEAD_MAX)
        bad = "so large a request head is";
    else if (!headers_allowed(c->headers, &c->accepts))
        bad = "a request header is";
    c->checked = !bad;
    return bad ? err_new(c->arena, &err_channel_misconfigured, "%s not allowed", bad) : NULL;
}

static void limits_fill(struct call_limits *l)
{
    const struct call_limits *usual = &call_default_limits;
    l->connect_ms = l->connect_ms ? l->connect_ms : usual->connect_ms;
    l->first_byte_ms = l->first_byte_ms ? l->first_byte_ms : usual->first_byte_ms;
    l->idle_ms = l->idle_ms ? l->idle_ms : usual->idle_ms;
    l->head_bytes = l->head_bytes ? l->head_bytes : usual->head_bytes;
}

void call_start(struct call *c)
{
    struct client *client = c->client;
    if (c->pieces > CALL_PIECES)
        abort();
    client->active++;
    c->conn = NULL;
    c->failed = NULL;
    c->status = 0;
    c->sent_ms = c->first_ms = 0;
    c->headers_in = (struct http_headers){0};
    c->got_bytes = c->reused = c->soon = c->retried = c->paused = c->done = false;
    limits_fill(&c->limits);
    struct err *e = c->checked ? NULL : call_check(c);
    if (e) {
        call_fail_soon(c, e);
        return;
    }
    struct upstream *u = upstream_of(c);
    struct client_conn *conn = u->idle;
    if (!conn) {
        conn_dial(client, u, c);
        return;
    }
    pool_remove(conn);
    c->reused = true;
    link_serve(conn, c);
}

void call_finish(struct call *c, struct err *e)
{
    soon_remove(c);
    c->conn = NULL;
    c->done = true;
    c->client->active--;
    c->on_done(c, e);
}

void call_fail_soon(struct call *c, struct err *e)
{
    c->conn = NULL;
    c->failed = e;
    soon_add(c);
}

void call_pause(struct call *c)
{
    c->paused = true;
    if (c->conn && c->conn->state == CONN_BUSY)
        link_read_stop(c->conn);
}

void call_resume(struct call *c)
{
    if (!c->paused || c->done)
        return;
    c->paused = false;
    soon_add(c);
}

void call_cancel(struct call *c)
{
    if (c->done)
        return;
    soon_remove(c);
    c->done = true;
    c->client->active--;
    struct client_conn *conn = c->conn;
    c->conn = NULL;
    if (!conn)
        return;
    conn->call = NULL;
    link_close(conn);
}

// --- the client ---------------------------------------------------------------------------

struct client *client_new(struct loop *loop)
{
    struct client *c = mem_new(sizeof(*c));
    c->loop = loop;
    c->dns = dns_new(loop);
    c->tls = tls_client_context();
    c->head = BUF(2 * REQUEST_HEAD_MAX);
    c->gather = BUF(RECORD_MAX);
    c->cipher = BUF(3 * REQUEST_HEAD_MAX);
    c->plain = BUF(PLAIN_MAX);
    c->soon_tail = &c->soon;
    c->to_send_tail = &c->to_send;
    c->round_end.run = send_all;
    round_end_add(loop, &c->round_end);
    uv_idle_init(&loop->uv, &c->soon_handle);
    c->soon_handle.data = c;
    return c;
}

static void client_free(struct client *c)
{
    while (c->spare) {
        struct client_conn *conn = c->spare;
        c->spare = conn->next;
        free(conn);
    }
    round_end_remove(c->loop, &c->round_end);
    reply_heads_free(c);
    buf_free(&c->head);
    buf_free(&c->gather);
    buf_free(&c->cipher);
    buf_free(&c->plain);
    tls_context_free(c->tls);
    free(c);
}

void client_part_closed(struct client *c)
{
    if (--c->parts > 0 || !c->on_closed)
        return;
    void (*on_closed)(void *) = c->on_closed;
    void *arg = c->arg;
    client_free(c);
    on_closed(arg);
}

static void on_dns_closed(void *client)
{
    client_part_closed(client);
}

static void on_soon_closed(uv_handle_t *handle)
{
    client_part_closed(handle->data);
}

static void on_nothing(void *unused)
{
    (void)unused;
}

void client_close(struct client *c, void (*on_closed)(void *), void *arg)
{
    c->on_closed = on_closed ? on_closed : on_nothing;
    c->arg = arg;
    c->parts += 2; // beside the connections
    for (int i = 0; i < UPSTREAM_BUCKETS; i++) {
        struct upstream *u = c->upstreams[i], *next;
        for (; u; u = next) {
            next = u->next; // u goes with its last connection
            for (int n = u->idle_count; n > 0; n--)
                link_close(u->idle);
        }
    }
    uv_close((uv_handle_t *)&c->soon_handle, on_soon_closed);
    dns_close(c->dns, on_dns_closed, c);
}

int client_idle(const struct client *c)
{
    return c->idle;
}

int client_active(const struct client *c)
{
    return c->active;
}
