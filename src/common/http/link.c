// The life of one connection: found, connected, secured, used, kept, closed.

#include "common/http/link.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/http/dial.h"
#include "common/http/proxy.h"
#include "common/http/reply.h"
#include "common/http/send.h"

enum {
    QUEUE_STEP = 256 * 1024, // plain bytes queued at once, so that a stalled upstream is noticed
    CIPHER_STEP = 64 * 1024, // plain bytes encrypted at once, so that little waits in memory
};

static _Atomic int64_t open_connections; // of all clients

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void send_more(struct client_conn *conn);

static uv_stream_t *stream_of(struct client_conn *conn)
{
    return (uv_stream_t *)&conn->tcp;
}

// --- deadlines ----------------------------------------------------------------------------

static void timed_out(struct client_conn *conn)
{
    struct call *c = conn->call;
    if (conn->state == CONN_IDLE)
        link_close(conn);
    else if (conn->state != CONN_BUSY)
        link_fail(conn, &err_upstream_timeout, "not connected within %d ms", c->limits.connect_ms);
    else if (c->got_bytes)
        link_fail(conn, &err_upstream_timeout, "nothing for %d ms", c->limits.idle_ms);
    else if (c->sent_ms)
        link_fail(conn, &err_upstream_timeout, "no answer in %d ms", c->limits.first_byte_ms);
    else
        link_fail(conn, &err_upstream_timeout, "request not taken for %d ms", c->limits.idle_ms);
}

static void on_due(struct deadline *d)
{
    struct client_conn *conn =
        (struct client_conn *)((char *)d - offsetof(struct client_conn, deadline));
    int64_t now = conn->client->loop->now_ms;
    bool waits_for_us = conn->state == CONN_BUSY && conn->call->paused;
    if (conn->due_ms == 0 || waits_for_us)
        return; // call_resume sets it again
    if (now < conn->due_ms) {
        deadline_set(conn->client->loop, d, conn->due_ms - now);
        return;
    }
    if (conn->state != CONN_DIALS || !dial_skip(conn))
        timed_out(conn);
}

// Moving a deadline later costs nothing: the early one finds out and sets itself again.
void link_expect(struct client_conn *conn, int64_t in_ms)
{
    struct loop *loop = conn->client->loop;
    conn->due_ms = loop->now_ms + in_ms;
    if (!conn->deadline.next || conn->deadline.at_ms > conn->due_ms)
        deadline_set(loop, &conn->deadline, in_ms);
}

// --- birth and death ------------------------------------------------------------------------

struct client_conn *link_new(struct client *client, struct upstream *u)
{
    struct client_conn *conn = client->spare;
    if (conn) {
        client->spare = conn->next;
        client->spare_count--;
        memset(conn, 0, sizeof(*conn));
    } else {
        conn = mem_new(sizeof(*conn));
    }
    client->parts++;
    atomic_fetch_add(&open_connections, 1);
    conn->client = client;
    conn->upstream = u;
    u->refs++;
    conn->deadline.on_due = on_due;
    uv_tcp_init(&client->loop->uv, &conn->tcp);
    conn->tcp.data = conn;
    return conn;
}

int64_t client_connections(void)
{
    return atomic_load(&open_connections);
}

void link_release(struct client_conn *conn)
{
    struct client *client = conn->client;
    atomic_fetch_sub(&open_connections, 1);
    dial_free(conn->dial);
    tls_free(conn->tls);
    reply_drop(conn);
    if (client->spare_count < SPARE_CONNS) {
        conn->next = client->spare;
        client->spare = conn;
        client->spare_count++;
    } else {
        free(conn);
    }
    client_part_closed(client);
}

static void on_closed(uv_handle_t *handle)
{
    link_release(handle->data);
}

// Best effort: what the kernel does not take at once is not worth waiting for.
static void say_goodbye(struct client_conn *conn)
{
    struct buf *out = &conn->client->cipher;
    buf_clear(out);
    tls_shut(conn->tls, out);
    uv_buf_t bytes = uv_buf_init(out->p, (unsigned)out->n);
    if (out->n && !conn->writes && !uv_is_closing((uv_handle_t *)&conn->tcp))
        uv_try_write(stream_of(conn), &bytes, 1);
}

void link_close(struct client_conn *conn)
{
    if (conn->state == CONN_CLOSED)
        return;
    client_unlink(conn);
    conn->state = CONN_CLOSED;
    deadline_clear(conn->client->loop, &conn->deadline);
    if (conn->dial)
        dns_forget(&conn->dial->query);
    if (conn->tls)
        say_goodbye(conn);
    if (uv_is_closing((uv_handle_t *)&conn->tcp)) // between two addresses: on_reopen sees to it
        return;
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void link_fail(struct client_conn *conn, const struct err_kind *kind, const char *fmt, ...)
{
    struct call *c = conn->call;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct err *e = c ? err_new(c->arena, kind, "%s", text) : NULL;
    conn->call = NULL;
    link_close(conn);
    if (c)
        call_finish(c, e);
}

bool link_retry(struct client_conn *conn)
{
    struct call *c = conn->call;
    if (!c->reused || c->retried || c->got_bytes)
        return false;
    c->retried = true;
    c->reused = false;
    c->sent_ms = 0;
    conn->call = NULL;
    conn_dial(conn->client, conn->upstream, c); // first, so that the upstream stays
    link_close(conn);
    return true;
}

// --- reading ------------------------------------------------------------------------------

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    (void)wanted;
    struct client_conn *conn = handle->data;
    *buf = uv_buf_init(conn->client->loop->scratch, LOOP_SCRATCH);
}

static void receive_tls(struct client_conn *conn, struct str bytes)
{
    struct client *client = conn->client;
    buf_clear(&client->plain);
    buf_clear(&client->cipher);
    enum tls_state state = tls_receive(conn->tls, bytes, &client->plain, &client->cipher);
    if (client->cipher.n)
        link_write(conn, buf_view(&client->cipher));
    if (conn->state == CONN_BUSY && client->plain.n)
        reply_feed(conn, buf_view(&client->plain));
    else if (conn->state == CONN_IDLE && client->plain.n)
        link_close(conn);
    if (state == TLS_READY || conn->state == CONN_CLOSED)
        return;
    if (conn->state == CONN_IDLE)
        link_close(conn);
    else if (!conn->call->paused) // else link_read_again will come to it
        reply_eof(conn, state == TLS_CLOSED, tls_why(conn->tls));
}

static void on_end(struct client_conn *conn, int status)
{
    bool clean = status == UV_EOF && !conn->tls; // TLS says goodbye itself, or it was cut
    if (conn->state == CONN_BUSY)
        reply_eof(conn, clean, uv_strerror(status));
    else if (conn->call)
        link_fail(conn, &err_upstream_unreachable, "%s: %s",
                  conn->state == CONN_TLS ? "TLS" : "proxy", uv_strerror(status));
    else
        link_close(conn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client_conn *conn = stream->data;
    struct str bytes = {buf->base, n > 0 ? (size_t)n : 0};
    if (n == 0 || conn->state == CONN_CLOSED)
        return;
    if (n < 0)
        on_end(conn, (int)n);
    else if (conn->state == CONN_PROXY)
        proxy_receive(conn, bytes);
    else if (conn->state == CONN_TLS)
        dial_handshake(conn, bytes);
    else if (conn->tls)
        receive_tls(conn, bytes);
    else if (conn->state == CONN_BUSY)
        reply_feed(conn, bytes);
    else
        link_close(conn); // nobody asked: answering what comes next with it would be smuggling
}

void link_read_stop(struct client_conn *conn)
{
    conn->deaf = true;
    uv_read_stop(stream_of(conn));
}

void link_read_again(struct client_conn *conn)
{
    conn->deaf = false;
    uv_read_start(stream_of(conn), on_alloc, on_read);
    if (conn->tls && (conn->state == CONN_BUSY || conn->state == CONN_IDLE))
        receive_tls(conn, (struct str){0}); // it may have been closed while nobody read
}

// --- writing ------------------------------------------------------------------------------

struct later {
    uv_write_t request;
    struct client_conn *conn;
    size_t advance; // how far in the request this brings us
    char bytes[];
};

// The answer may be there already and say why, so we only stop writing and let reading decide.
static void on_write_failed(struct client_conn *conn)
{
    if (conn->state == CONN_BUSY && link_retry(conn))
        return;
    conn->write_failed = true;
    if (conn->state == CONN_BUSY)
        link_expect(conn, conn->call->limits.first_byte_ms);
}

static void advance(struct client_conn *conn, size_t n)
{
    size_t of_head = n < conn->head_left.n ? n : conn->head_left.n;
    conn->head_left = str_skip(conn->head_left, of_head);
    n -= of_head;
    const struct call *c = conn->call;
    while (conn->piece < c->pieces && n >= c->body[conn->piece].n - conn->offset) {
        n -= c->body[conn->piece].n - conn->offset;
        conn->piece++;
        conn->offset = 0;
    }
    conn->offset += n;
}

static void on_written(uv_write_t *request, int status)
{
    struct later *later = (struct later *)request;
    struct client_conn *conn = later->conn;
    size_t n = later->advance;
    free(later);
    conn->writes--;
    if (conn->state == CONN_CLOSED)
        return;
    if (status != 0) {
        on_write_failed(conn);
        return;
    }
    if (conn->state != CONN_BUSY)
        return;
    advance(conn, n);
    if (!conn->writes && !conn->to_send)
        send_more(conn);
}

static void queue(struct client_conn *conn, struct later *later, const uv_buf_t *bytes, unsigned n)
{
    later->conn = conn;
    conn->writes++;
    if (uv_write(&later->request, stream_of(conn), bytes, n, on_written) == 0)
        return;
    conn->writes--;
    free(later);
    on_write_failed(conn);
}

void link_write(struct client_conn *conn, struct str bytes)
{
    if (conn->write_failed)
        return;
    uv_buf_t one = uv_buf_init((char *)bytes.p, (unsigned)bytes.n);
    ssize_t rc = conn->writes ? UV_EAGAIN : send_at_once(&conn->tcp, &one, 1);
    if (rc < 0 && rc != UV_EAGAIN) {
        on_write_failed(conn);
        return;
    }
    bytes = str_skip(bytes, rc > 0 ? (size_t)rc : 0);
    if (!bytes.n)
        return;
    struct later *later = mem_new(sizeof(*later) + bytes.n);
    memcpy(later->bytes, bytes.p, bytes.n);
    one = uv_buf_init(later->bytes, (unsigned)bytes.n);
    queue(conn, later, &one, 1);
}

// What is left of the request, up to `most` bytes.
static unsigned pending(const struct client_conn *conn, size_t most, uv_buf_t *to, size_t *total)
{
    const struct call *c = conn->call;
    struct str part = conn->head_left;
    unsigned count = 0;
    *total = 0;
    for (size_t i = conn->piece; *total < most; i++) {
        if (part.n > most - *total)
            part.n = most - *total;
        if (part.n)
            to[count++] = uv_buf_init((char *)part.p, (unsigned)part.n);
        *total += part.n;
        if (i >= c->pieces)
            break;
        part = str_skip(c->body[i], i == conn->piece ? conn->offset : 0);
    }
    return count;
}

static void queue_pending(struct client_conn *conn)
{
    uv_buf_t parts[1 + CALL_PIECES];
    size_t total;
    unsigned n = pending(conn, QUEUE_STEP, parts, &total);
    size_t head = conn->head_left.n; // lies in memory that the next request is going to use
    struct later *later = mem_new(sizeof(*later) + head);
    if (head) {
        memcpy(later->bytes, conn->head_left.p, head);
        if (n && parts[0].base == conn->head_left.p)
            parts[0].base = later->bytes;
    }
    later->advance = total;
    queue(conn, later, parts, n);
}

static void send_plain(struct client_conn *conn)
{
    uv_buf_t parts[1 + CALL_PIECES];
    size_t total;
    unsigned n = pending(conn, SIZE_MAX, parts, &total);
    ssize_t rc = send_at_once(&conn->tcp, parts, n);
    if (rc < 0 && rc != UV_EAGAIN) {
        on_write_failed(conn);
        return;
    }
    if (rc > 0)
        advance(conn, (size_t)rc);
    if ((rc > 0 ? (size_t)rc : 0) < total)
        queue_pending(conn);
}

// The next bytes of the request that lie together.
static struct str next_part(const struct client_conn *conn)
{
    const struct call *c = conn->call;
    if (conn->head_left.n)
        return conn->head_left;
    if (conn->piece < c->pieces)
        return str_skip(c->body[conn->piece], conn->offset);
    return (struct str){0};
}

static bool all_taken(const struct client_conn *conn)
{
    return !conn->head_left.n && conn->piece >= conn->call->pieces;
}

// Small pieces share records; the head goes whole, however long: its memory is the client's.
static void send_encrypted(struct client_conn *conn)
{
    struct client *client = conn->client;
    size_t budget = CIPHER_STEP;
    buf_clear(&client->cipher);
    buf_clear(&client->gather);
    while (!all_taken(conn) && (budget || conn->head_left.n)) {
        struct str part = next_part(conn);
        size_t room = RECORD_MAX - client->gather.n;
        if (part.n > room)
            part.n = room;
        buf_str(&client->gather, part);
        advance(conn, part.n);
        budget -= part.n < budget ? part.n : budget;
        if (client->gather.n < RECORD_MAX && !all_taken(conn) && budget)
            continue;
        if (tls_send(conn->tls, buf_view(&client->gather), &client->cipher) != TLS_READY) {
            on_write_failed(conn);
            return;
        }
        buf_clear(&client->gather);
    }
    link_write(conn, buf_view(&client->cipher));
}

static void send_more(struct client_conn *conn)
{
    struct call *c = conn->call;
    while (!all_taken(conn)) {
        if (conn->tls)
            send_encrypted(conn);
        else
            send_plain(conn);
        if (c->conn != conn || conn->write_failed)
            return;
        if (conn->writes) {
            if (!c->got_bytes)
                link_expect(conn, c->limits.idle_ms);
            return;
        }
    }
    c->sent_ms = conn->client->loop->now_ms;
    if (!c->got_bytes)
        link_expect(conn, c->limits.first_byte_ms);
}

void link_send(struct client_conn *conn, struct str head)
{
    conn->head_left = head;
    conn->piece = conn->offset = 0;
    advance(conn, 0); // empty pieces in front
    if (!conn->write_failed)
        send_more(conn);
}
