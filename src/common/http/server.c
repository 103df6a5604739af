// The server as a whole: its listener, its connections' number, its end.

#include "common/http/server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http/conn.h"
#include "common/rand.h"

enum { BACKLOG = 4096 };

static _Atomic int64_t open_connections; // of all servers

const struct http_limits http_default_limits = {
    .header_bytes = 64 * 1024,
    .body_bytes = 32 * 1024 * 1024,
    .header_ms = 15 * 1000,
    .body_ms = 30 * 1000,
    .idle_ms = 75 * 1000,
    .write_ms = 60 * 1000,
    .queue_high = 256 * 1024,
    .queue_low = 64 * 1024,
    .connections = 16 * 1024,
};

// --- what connections borrow ------------------------------------------------------------

// loop->now_ms is as of the last round; libuv's own clock is read after every wait.
int64_t server_now_ms(const struct http_server *s)
{
    return (int64_t)uv_now(&s->loop->uv);
}

void server_clock(struct http_server *s)
{
    int64_t now = server_now_ms(s);
    if (now < s->date_until_ms)
        return;
    int64_t wall = clock_now_ms();
    time_t seconds = wall / 1000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    s->wall_offset_ms = wall - now;
    s->date_until_ms = now + 1000 - wall % 1000;
}

struct arena *server_arena(struct http_server *s)
{
    return s->arena_count ? s->arenas[--s->arena_count] : arena_new();
}

void server_arena_back(struct http_server *s, struct arena *a)
{
    if (s->arena_count == SPARE_ARENAS) {
        arena_free(a);
        return;
    }
    arena_reset(a);
    s->arenas[s->arena_count++] = a;
}

// --- the end ----------------------------------------------------------------------------

static void server_free(struct http_server *s)
{
    while (s->arena_count)
        arena_free(s->arenas[--s->arena_count]);
    buf_free(&s->round);
    free((void *)s->round_conns);
    round_end_remove(s->loop, &s->round_end);
    buf_free(&s->plain);
    buf_free(&s->joined);
    buf_free(&s->sealed);
    void (*on_closed)(void *) = s->on_closed;
    void *arg = s->closed_arg;
    free(s);
    if (on_closed)
        on_closed(arg);
}

// Says once that nothing is left to drain; frees the server when nothing is left at all.
static void settle(struct http_server *s)
{
    void (*on_drained)(void *) = s->on_drained;
    if (s->count == 0 && uv_is_closing((uv_handle_t *)&s->listener) && on_drained) {
        s->on_drained = NULL;
        on_drained(s->drained_arg); // may call http_server_close, which only marks and closes
    }
    if (s->closing && s->handles == 0 && s->count == 0)
        server_free(s);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct http_server *s = h->data;
    s->handles--;
    settle(s);
}

void server_accepted(struct http_server *s, struct conn *c)
{
    c->next = s->first;
    if (s->first)
        s->first->prev = c;
    s->first = c;
    s->count++;
    atomic_fetch_add(&open_connections, 1);
}

void server_lost(struct http_server *s, struct conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        s->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->count--;
    atomic_fetch_sub(&open_connections, 1);
    free(c);
    settle(s);
}

static void close_listener(struct http_server *s)
{
    if (!uv_is_closing((uv_handle_t *)&s->listener))
        uv_close((uv_handle_t *)&s->listener, on_handle_closed);
}

void http_server_drain(struct http_server *s, void (*on_drained)(void *), void *arg)
{
    s->draining = true;
    s->on_drained = on_drained;
    s->drained_arg = arg;
    close_listener(s);
    for (struct conn *c = s->first, *next; c; c = next) {
        next = c->next;
        if (c->state != CONN_IDLE)
            continue;
        answer_send(c);
        if (!answer_queued(c))
            conn_close(c);
    }
}

void http_server_close(struct http_server *s, void (*on_closed)(void *), void *arg)
{
    s->draining = s->closing = true;
    s->on_closed = on_closed;
    s->closed_arg = arg;
    answer_send_all(s);
    close_listener(s);
    uv_close((uv_handle_t *)&s->closer, on_handle_closed);
    for (struct conn *c = s->first, *next; c; c = next) {
        next = c->next;
        conn_close(c);
    }
}

// --- the beginning ------------------------------------------------------------------------

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *s = listener->data;
    if (status < 0)
        return;
    struct conn *c = conn_accept(s);
    if (c && s->count > s->limits.connections)
        conn_reset(c);
}

static int option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

// Connections inherit TCP_NODELAY from their listener.
static int bind_to(const struct addrinfo *to, bool shared)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool fine = !option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                !option(fd, SOL_SOCKET, SO_REUSEPORT, shared) &&
                !option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (to->ai_family == AF_INET6)
        fine = fine && !option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (fine && !bind(fd, to->ai_addr, to->ai_addrlen))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

// A bound socket, to be closed by the caller.
static struct err *bind_socket(struct arena *a, const char *host, int port, bool shared, int *out)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int rc = getaddrinfo(host && *host ? host : "::", service, &hints, &found);
    if (rc)
        return err_new(a, &err_internal, "listen on %s: %s", host, gai_strerror(rc));
    *out = bind_to(found, shared);
    int why = errno;
    freeaddrinfo(found);
    bool no_ipv6 = *out < 0 && (why == EAFNOSUPPORT || why == EADDRNOTAVAIL);
    if (no_ipv6 && text_eq(host, "::")) // the default, on a machine without it
        return bind_socket(a, "0.0.0.0", port, shared, out);
    if (*out < 0)
        return err_new(a, &err_internal, "listen on %s:%d: %s", host, port, strerror(why));
    return NULL;
}

struct err *http_port_free(struct arena *a, const char *host, int port)
{
    int fd = -1;
    TRY(bind_socket(a, host, port, false, &fd));
    close(fd);
    return NULL;
}

static struct err *open_listener(struct arena *a, struct http_server *s, const char *host, int port)
{
    int fd = -1;
    TRY(bind_socket(a, host, port, true, &fd));
    int rc = uv_tcp_open(&s->listener, fd);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
    if (rc)
        return err_new(a, &err_internal, "listen on %s:%d: %s", host, port, uv_strerror(rc));
    struct sockaddr_storage bound;
    int size = sizeof(bound);
    uv_tcp_getsockname(&s->listener, (struct sockaddr *)&bound, &size);
    s->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                : ((struct sockaddr_in *)&bound)->sin_port);
    return NULL;
}

// NOLINTNEXTLINE(readability-function-size): one argument more than we like
struct err *http_server_new(struct arena *a, struct loop *loop, const char *host, int port,
                            const struct http_handlers *handlers, const struct http_limits *limits,
                            struct http_server **out)
{
    struct http_server *s = mem_new(sizeof(*s));
    *s = (struct http_server){.loop = loop,
                              .handlers = *handlers,
                              .limits = limits ? *limits : http_default_limits,
                              .round = BUF(SIZE_MAX),
                              .round_end = {.run = answer_round_end},
                              .plain = BUF(SIZE_MAX),
                              .joined = BUF(SIZE_MAX),
                              .sealed = BUF(SIZE_MAX),
                              .handles = 2};
    unsigned char tail[6];
    rand_bytes(tail, sizeof(tail));
    for (size_t i = 0; i < sizeof(tail); i++)
        snprintf(s->id_tail + 2 * i, 3, "%02x", tail[i]);
    uv_tcp_init(&loop->uv, &s->listener);
    uv_check_init(&loop->uv, &s->closer);
    s->listener.data = s->closer.data = s;
    round_end_add(loop, &s->round_end);
    struct err *e = open_listener(a, s, host, port);
    if (e) {
        http_server_close(s, NULL, NULL);
        return e;
    }
    *out = s;
    return NULL;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

int64_t http_connections(void)
{
    return atomic_load(&open_connections);
}

int http_server_connections(const struct http_server *s)
{
    return s->count;
}
