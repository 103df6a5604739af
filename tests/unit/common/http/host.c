// A server and its clients in one thread.

#include "unit/common/http/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "common/clock.h"

enum { PATIENCE_MS = 3000 };

// --- the service ----------------------------------------------------------------------------

static struct host *host_of(struct exchange *x)
{
    return x->loop->tenant;
}

static struct err *on_head(struct exchange *x)
{
    host_of(x)->heads++;
    if (str_is(x->path, "/small"))
        x->body_limit = 10;
    if (str_is(x->path, "/large"))
        x->body_limit = SIZE_MAX;
    if (str_is(x->path, "/deny"))
        return err_new(x->arena, &err_token_missing, "denied");
    return NULL;
}

static void on_gone(struct exchange *x)
{
    host_of(x)->gone++;
}

static void on_drain(struct exchange *x)
{
    host_of(x)->drained++;
}

static void echo(struct exchange *x)
{
    char *text = arena_printf(x->arena, "%.*s %.*s %.*s <%.*s>", STR_ARGS(x->method),
                              STR_ARGS(x->path), STR_ARGS(x->query), STR_ARGS(x->body));
    exchange_reply(x, 200, "text/plain", NULL, 0, str_of(text));
}

static void on_request(struct exchange *x)
{
    struct host *h = host_of(x);
    h->requests++;
    assert_string_equal(x->peer, "127.0.0.1");
    memset((char *)x->body.p + x->body.n, 'w', 8); // promised to be ours
    if (!str_starts(x->path, "/hold")) {
        echo(x);
        return;
    }
    x->on_gone = on_gone;
    x->on_drain = on_drain;
    assert_true(h->held_count < HELD_MAX);
    h->held[h->held_count++] = x;
}

static void on_reject(struct exchange *x, const struct err *e)
{
    struct host *h = host_of(x);
    h->rejects++;
    h->path = arena_str(h->arena, x->path);
    exchange_reply(x, e->status, "text/plain", NULL, 0, str_of(e->kind->code));
}

static void on_finish(struct exchange *x)
{
    struct host *h = host_of(x);
    h->finished++;
    h->status = x->status;
    h->sent = x->sent;
    h->left = x->gone;
    memcpy(h->id, x->request_id, sizeof(h->id));
}

void host_open(struct host *h, const struct http_limits *limits)
{
    static const struct http_handlers handlers = {
        .on_head = on_head,
        .on_request = on_request,
        .on_reject = on_reject,
        .on_finish = on_finish,
    };
    signal(SIGPIPE, SIG_IGN); // as main() does
    *h = (struct host){.arena = arena_new(), .loop = loop_new(0)};
    h->loop->tenant = h;
    assert_null(http_server_new(h->arena, h->loop, "127.0.0.1", 0, &handlers, limits, &h->server));
    assert_true(http_server_port(h->server) > 0);
}

static void on_closed(void *host)
{
    struct host *h = host;
    h->is_closed = true;
    loop_stop(h->loop);
}

void host_close(struct host *h)
{
    http_server_close(h->server, on_closed, h);
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (uv_run(&h->loop->uv, UV_RUN_NOWAIT))
        assert_true(clock_steady_ms() < until);
    assert_true(h->is_closed);
    assert_int_equal(h->loop->waiting, 0);
    loop_free(h->loop);
    arena_free(h->arena);
}

// On a busy machine the time may be over before anything has happened: so many rounds at least.
void host_run(struct host *h, int ms)
{
    enum { ROUNDS = 20 };
    int64_t until = clock_steady_ms() + ms;
    for (int round = 0; round < ROUNDS || clock_steady_ms() < until; round++) {
        uv_run(&h->loop->uv, UV_RUN_NOWAIT);
        usleep(200);
    }
}

void host_until(struct host *h, const int *value, int wanted)
{
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (*value != wanted && clock_steady_ms() < until)
        uv_run(&h->loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(*value, wanted);
}

// --- clients ----------------------------------------------------------------------------------

struct visitor visitor_open(struct host *h)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(h->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct visitor p = {.host = h, .fd = socket(AF_INET, SOCK_STREAM, 0), .in = BUF(SIZE_MAX)};
    if (p.fd < 0 || connect(p.fd, (struct sockaddr *)&to, sizeof(to)) ||
        fcntl(p.fd, F_SETFL, O_NONBLOCK))
        fail_msg("no connection: %s", strerror(errno));
    return p;
}

void visitor_close(struct visitor *p)
{
    SSL_free(p->ssl);
    p->ssl = NULL;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    buf_free(&p->in);
}

void visitor_reset(struct visitor *p)
{
    struct linger at_once = {1, 0};
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    visitor_close(p);
}

void visitor_half_close(struct visitor *p)
{
    shutdown(p->fd, SHUT_WR);
}

// As recv() and send() do.
static ssize_t sealed(struct visitor *p, int rc)
{
    if (rc > 0)
        return rc;
    int why = SSL_get_error(p->ssl, rc);
    p->notified = p->notified || why == SSL_ERROR_ZERO_RETURN;
    bool again = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
    errno = again ? EAGAIN : ECONNRESET;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t hear(struct visitor *p, char *to, size_t n)
{
    return p->ssl ? sealed(p, SSL_read(p->ssl, to, (int)n)) : recv(p->fd, to, n, 0);
}

static ssize_t say(struct visitor *p, struct str s)
{
    if (!p->ssl)
        return send(p->fd, s.p, s.n, MSG_NOSIGNAL);
    return sealed(p, SSL_write(p->ssl, s.p, (int)(s.n < 100000 ? s.n : 100000)));
}

void visitor_secure(struct visitor *p)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
    p->ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(p->ssl, p->fd);
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (SSL_connect(p->ssl) != 1) {
        assert_true(clock_steady_ms() < until);
        uv_run(&p->host->loop->uv, UV_RUN_NOWAIT);
    }
}

void visitor_pump(struct visitor *p)
{
    uv_run(&p->host->loop->uv, UV_RUN_NOWAIT);
    char bytes[65536];
    ssize_t n;
    while (!p->eof && (n = hear(p, bytes, sizeof(bytes))) != -1) {
        buf_add(&p->in, bytes, (size_t)n);
        p->eof = n == 0;
    }
    if (!p->eof && errno != EAGAIN)
        p->eof = p->reset = true;
}

void visitor_send(struct visitor *p, struct str bytes)
{
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (bytes.n && !p->reset && clock_steady_ms() < until) {
        ssize_t n = say(p, bytes);
        if (n < 0 && errno != EAGAIN)
            p->reset = true;
        if (n > 0)
            bytes = str_skip(bytes, (size_t)n);
        visitor_pump(p);
    }
}

void visitor_puts(struct visitor *p, const char *text)
{
    visitor_send(p, str_of(text));
}

void visitor_until(struct visitor *p, const char *text)
{
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (!memmem(p->in.p, p->in.n, text, strlen(text)) && clock_steady_ms() < until)
        visitor_pump(p);
    assert_non_null(memmem(p->in.p, p->in.n, text, strlen(text)));
}

void visitor_until_end(struct visitor *p)
{
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (!p->eof && clock_steady_ms() < until)
        visitor_pump(p);
    assert_true(p->eof);
}

// --- the test's own handler ------------------------------------------------------------

struct exchange *host_hold(struct visitor *p, const char *request)
{
    struct host *h = p->host;
    int before = h->held_count;
    visitor_puts(p, request);
    host_until(h, &h->held_count, before + 1);
    return h->held[before];
}

void host_write(struct exchange *x, const char *text)
{
    struct str piece = str_of(text);
    exchange_write(x, &piece, 1);
}

void host_reply(struct exchange *x, const char *text)
{
    exchange_reply(x, 200, "text/plain", NULL, 0, str_of(text));
}

// --- answers ----------------------------------------------------------------------------------

static const char *header_in(struct arena *a, struct str head, const char *name)
{
    struct str line, key;
    while (str_next(&head, '\n', &line)) {
        struct str value = line;
        if (str_next(&value, ':', &key) && str_is_nocase(key, name))
            return arena_str(a, str_trim(value));
    }
    return NULL;
}

// Takes a chunked body off *rest; false if it is not whole.
static bool take_chunks(struct str *rest, struct buf *body)
{
    for (;;) {
        const char *end = memmem(rest->p, rest->n, "\r\n", 2);
        if (!end)
            return false;
        size_t n = strtoul(rest->p, NULL, 16), head = (size_t)(end - rest->p) + 2;
        if (rest->n < head + n + 2)
            return false;
        buf_add(body, rest->p + head, n);
        assert_memory_equal(rest->p + head + n, "\r\n", 2);
        *rest = str_skip(*rest, head + n + 2);
        if (n == 0)
            return true;
    }
}

static bool take_answer(struct arena *a, struct str *rest, struct buf *line)
{
    const char *end = memmem(rest->p, rest->n, "\r\n\r\n", 4);
    if (!end)
        return false;
    struct str head = {rest->p, (size_t)(end - rest->p)};
    struct str body = str_skip(*rest, head.n + 4);
    assert_true(str_starts(head, "HTTP/1.1 "));
    buf_add(line, head.p + 9, 3);
    if (text_eq(header_in(a, head, "connection"), "close"))
        buf_puts(line, " close");
    const char *length = header_in(a, head, "content-length");
    if (header_in(a, head, "transfer-encoding")) {
        assert_null(length);
        buf_puts(line, " ");
        if (!take_chunks(&body, line))
            return false;
    } else if (length && body.n < strtoul(length, NULL, 10)) {
        return false;
    } else if (length) {
        buf_puts(line, " ");
        buf_add(line, body.p, strtoul(length, NULL, 10));
        body = str_skip(body, strtoul(length, NULL, 10));
    }
    if (strncmp(head.p + 9, "100", 3) != 0) {
        assert_int_equal(strlen(header_in(a, head, "x-request-id")), REQUEST_ID_SIZE);
        assert_int_equal(strlen(header_in(a, head, "date")), 29);
        assert_null(header_in(a, head, "server"));
    }
    *rest = body;
    return true;
}

const char *visitor_answers(struct visitor *p)
{
    struct arena *a = p->host->arena;
    BUF_HERE(out, SIZE_MAX);
    struct str rest = buf_view(&p->in);
    while (rest.n) {
        BUF_HERE(line, SIZE_MAX);
        bool whole = take_answer(a, &rest, &line);
        buf_str(&out, buf_view(&line));
        buf_puts(&out, whole ? "\n" : "...");
        if (!whole)
            break;
    }
    if (p->eof)
        buf_puts(&out, p->reset ? "reset" : "-");
    return arena_str(a, buf_view(&out));
}

bool visitor_awaits(struct visitor *p, const char *answers)
{
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    while (!text_eq(visitor_answers(p), answers) && clock_steady_ms() < until)
        visitor_pump(p);
    visitor_pump(p); // nothing more may come
    return text_eq(visitor_answers(p), answers);
}

void visitor_expect(struct visitor *p, const char *answers)
{
    visitor_awaits(p, answers);
    assert_string_equal(visitor_answers(p), answers);
}
