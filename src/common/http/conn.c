// One connection's life: bytes come in, requests are answered one after the other, time runs out.

#include "common/http/conn.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void on_due(struct deadline *d);

void conn_due(struct conn *c, enum conn_due due, int ms)
{
    c->due = due;
    if (due == DUE_NONE)
        deadline_clear(c->server->loop, &c->deadline);
    else
        deadline_set(c->server->loop, &c->deadline, ms);
}

// --- the end ------------------------------------------------------------------------------

// The exchange is over in every respect.
static void release_exchange(struct conn *c)
{
    struct http_server *s = c->server;
    c->running = false;
    if (c->announced && s->handlers.on_finish)
        s->handlers.on_finish(&c->x);
    c->announced = false;
    buf_free(&c->body);
    if (c->x.arena)
        server_arena_back(s, c->x.arena);
    c->x.arena = NULL;
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    c->closed = true;
    tls_free(c->tls);
    c->tls = NULL;
    if (c->running && !c->x.ended) {
        if (c->x.on_gone)
            c->x.on_gone(&c->x); // may end the exchange, and then c is gone
        return;
    }
    release_exchange(c);
    server_lost(c->server, c);
}

// The handler hears of it in on_closed: never from inside a function that it called itself.
static void leave(struct conn *c)
{
    c->state = CONN_CLOSED;
    c->x.gone = true;
    conn_due(c, DUE_NONE, 0);
    answer_forget(c);
    buf_free(&c->pending);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    leave(c);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void conn_reset(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    leave(c);
    if (uv_tcp_close_reset(&c->tcp, on_closed))
        uv_close((uv_handle_t *)&c->tcp, on_closed);
}

// Closing at once while bytes still come in would make the kernel reset the connection, and the
// answer might never be seen: say that we are done, and wait for the other side.
static void linger(struct conn *c)
{
    if (c->tls) {
        tls_shut(c->tls, &c->server->sealed);
        answer_sealed(c);
    }
    uv_os_fd_t fd;
    if (c->eof || answer_queued(c) || uv_fileno((uv_handle_t *)&c->tcp, &fd) ||
        shutdown(fd, SHUT_WR)) {
        conn_close(c);
        return;
    }
    c->state = CONN_LINGER;
    buf_free(&c->pending);
    conn_due(c, DUE_LINGER, LINGER_MS);
}

// --- one request after the other ------------------------------------------------------------

// What came in behind the running exchange is kept, as much as one head may have. Reading goes on
// in any case: it is how we learn that the client has left.
static void keep(struct conn *c, struct str bytes)
{
    if (c->last || c->overflowed)
        return;
    buf_str(&c->pending, bytes);
    if (!c->pending.overflow)
        return;
    c->overflowed = c->last = true;
    buf_free(&c->pending);
}

void conn_arm(struct conn *c)
{
    const struct http_limits *l = &c->server->limits;
    if (c->sending)
        return; // DUE_WRITE stays until the client has taken it
    if (c->state == CONN_HEAD && c->due != DUE_HEAD)
        conn_due(c, DUE_HEAD, l->header_ms);
    else if (c->state == CONN_BODY && (c->due != DUE_BODY || c->body_moved))
        conn_due(c, DUE_BODY, l->body_ms);
    else if (c->state == CONN_IDLE && c->due != DUE_IDLE)
        conn_due(c, DUE_IDLE, l->idle_ms);
    else if (c->state == CONN_BUSY || c->state == CONN_REFUSED)
        conn_due(c, DUE_NONE, 0);
    c->body_moved = false;
}

static void feed(struct conn *c, struct str bytes)
{
    c->feeding = true;
    size_t used = parse_feed(c, bytes);
    c->feeding = false;
    if (c->state == CONN_BUSY && used < bytes.n)
        keep(c, str_skip(bytes, used));
    conn_arm(c);
}

bool conn_is_last(const struct conn *c)
{
    return c->last || c->eof || c->server->draining;
}

bool conn_said_all(struct conn *c)
{
    if (c->running && c->x.ended)
        conn_finish(c);
    else if (!c->running && (c->eof || (c->state == CONN_IDLE && c->server->draining)))
        conn_close(c);
    else
        return false;
    return true;
}

void conn_finish(struct conn *c)
{
    release_exchange(c);
    if (c->state == CONN_CLOSED) {
        if (c->closed)
            server_lost(c->server, c);
        return;
    }
    if (conn_is_last(c)) {
        linger(c);
        return;
    }
    c->state = CONN_IDLE;
    conn_due(c, DUE_IDLE, c->server->limits.idle_ms);
    parse_reset(c);
    answer_reset(c);
    if (c->feeding || !c->pending.n)
        return;
    struct buf pipelined = c->pending;
    c->pending = BUF(pipelined.limit);
    feed(c, buf_view(&pipelined));
    buf_free(&pipelined);
}

void conn_refuse(struct conn *c, struct err *e)
{
    c->state = CONN_REFUSED;
    c->last = c->running = c->announced = true;
    buf_free(&c->body);
    conn_due(c, DUE_NONE, 0);
    parse_target(c);
    c->server->handlers.on_reject(&c->x, e);
}

// --- bytes and time --------------------------------------------------------------------------

// A sized body that is taken as it comes is read to where it will stay.
static bool reads_in_place(const struct conn *c)
{
    size_t room = c->body.cap > BODY_PADDING ? c->body.cap - BODY_PADDING - 1 : 0;
    return c->state == CONN_BODY && !c->tls && !c->decoder && c->parser.flags & F_CONTENT_LENGTH &&
           c->parser.content_length && room > c->body.n &&
           room - c->body.n >= c->parser.content_length;
}

static void on_room(uv_handle_t *h, size_t suggested, uv_buf_t *room)
{
    (void)suggested;
    struct conn *c = h->data;
    if (reads_in_place(c)) {
        *room = uv_buf_init(c->body.p + c->body.n, (unsigned)c->parser.content_length);
        return;
    }
    *room = uv_buf_init(c->server->loop->scratch, LOOP_SCRATCH);
}

static void throw_away(struct conn *c, size_t n)
{
    c->lingered += n;
    if (c->lingered > LINGER_BYTES)
        conn_reset(c);
}

// The client sends no more. While an answer is being made that means it left: one that only
// half-closed cannot be told apart. An answer that is complete is still delivered.
static void on_end(struct conn *c, bool orderly)
{
    c->eof = true;
    bool answered = c->running ? c->x.ended : answer_queued(c);
    if (!orderly || !answered)
        conn_close(c);
}

static void arrived(struct conn *c, struct str bytes)
{
    switch (c->state) {
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_BODY: feed(c, bytes); break;
    case CONN_BUSY: keep(c, bytes); break;
    case CONN_REFUSED:
    case CONN_LINGER: throw_away(c, bytes.n); break;
    case CONN_CLOSED: break;
    }
}

static void unseal(struct conn *c, struct str bytes)
{
    struct http_server *s = c->server;
    enum tls_state state = tls_receive(c->tls, bytes, &s->plain, &s->sealed);
    answer_sealed(c); // its part of the handshake, or an alert
    if (s->plain.n)
        arrived(c, buf_view(&s->plain));
    buf_clear(&s->plain);
    if (state == TLS_CLOSED || state == TLS_FAILED)
        on_end(c, state == TLS_CLOSED);
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *room)
{
    struct conn *c = stream->data;
    struct str bytes = {room->base, n > 0 ? (size_t)n : 0};
    if (n < 0)
        on_end(c, n == UV_EOF);
    else if (c->tls)
        unseal(c, bytes);
    else
        arrived(c, bytes);
}

static void on_due(struct deadline *d)
{
    struct conn *c = (struct conn *)((char *)d - offsetof(struct conn, deadline));
    enum conn_due due = c->due;
    c->due = DUE_NONE;
    switch (due) {
    case DUE_NONE: break;
    case DUE_IDLE:
    case DUE_LINGER: conn_close(c); break;
    case DUE_HEAD:
        conn_refuse(c, err_new(c->x.arena, &err_request_timeout, "the head takes too long"));
        break;
    case DUE_BODY:
        conn_refuse(c, err_new(c->x.arena, &err_request_timeout, "the body has stopped"));
        break;
    case DUE_WRITE:
        if (answer_stalled(c))
            conn_reset(c);
        else
            conn_due(c, DUE_WRITE, c->server->limits.write_ms);
        break;
    }
}

// --- the beginning -----------------------------------------------------------------------------

static bool name_peer(struct conn *c)
{
    struct sockaddr_storage from;
    int size = sizeof(from);
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &size))
        return false;
    if (from.ss_family == AF_INET6)
        uv_ip6_name((struct sockaddr_in6 *)&from, c->peer, sizeof(c->peer));
    else
        uv_ip4_name((struct sockaddr_in *)&from, c->peer, sizeof(c->peer));
    static const char mapped[] = "::ffff:";
    size_t n = sizeof(mapped) - 1;
    if (!strncmp(c->peer, mapped, n) && strchr(c->peer, '.'))
        memmove(c->peer, c->peer + n, strlen(c->peer + n) + 1);
    return true;
}

struct conn *conn_accept(struct http_server *s)
{
    struct conn *c = mem_new(sizeof(*c));
    c->server = s;
    c->tcp.data = c;
    c->deadline.on_due = on_due;
    c->pending = BUF(s->limits.header_bytes);
    c->body = c->waiting = c->held = BUF(SIZE_MAX);
    uv_tcp_init(&s->loop->uv, &c->tcp);
    server_accepted(s, c);
    if (uv_accept((uv_stream_t *)&s->listener, (uv_stream_t *)&c->tcp) || !name_peer(c) ||
        uv_read_start((uv_stream_t *)&c->tcp, on_room, on_bytes)) {
        conn_close(c);
        return NULL;
    }
    parse_reset(c);
    answer_reset(c);
    if (s->limits.tls)
        c->tls = tls_new(s->limits.tls, NULL, NULL);
    conn_due(c, DUE_IDLE, c->tls ? s->limits.header_ms : s->limits.idle_ms); // or a handshake
    return c;
}
