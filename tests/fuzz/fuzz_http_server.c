// Requests of any bytes at the real server: cut in two anywhere, with bodies decoded, answers of
// every kind, at once and later. Every exchange that was announced is finished, once.

#include <string.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/http/server.h"
#include "input.h"
#include "sockets.h"

enum { BODY_MOST = 64 << 10, ROUNDS = 200, HELD_MOST = 64 };

static struct {
    struct loop *loop;
    struct http_server *server;
    int announced, finished;
    struct exchange *held[HELD_MOST];
    int held_count;
} host;

static struct err *on_head(struct exchange *x)
{
    host.announced++;
    x->owner = &host;
    return str_is(x->path, "/deny") ? err_new(x->arena, &err_token_missing, "denied") : NULL;
}

static void on_gone(struct exchange *x)
{
    HOLDS(x->gone);
}

static void answer(struct exchange *x)
{
    struct str pieces[] = {STR("data: "), x->body, STR(""), STR("\n\n")};
    if (str_starts(x->path, "/stream")) {
        exchange_head(x, 200, NULL, 0, -1);
        exchange_write(x, pieces, 4);
        exchange_write(x, pieces, 1);
        exchange_end(x);
    } else if (str_starts(x->path, "/abort")) {
        exchange_abort(x);
    } else {
        exchange_reply(x, 200, "application/json", NULL, 0, x->body);
    }
}

static void on_request(struct exchange *x)
{
    HOLDS(x->owner == &host);
    HOLDS(x->body.n <= BODY_MOST);
    HOLDS(x->path.n && (x->path.p[0] == '/' || str_is(x->path, "*") || x->path.p[0] == '?'));
    HOLDS(utf8_valid(x->path) && utf8_valid(x->query));
    for (size_t i = 0; i < x->headers.count; i++) {
        HOLDS(x->headers.items[i].name.n);
        HOLDS(!memchr(x->headers.items[i].value.p, '\n', x->headers.items[i].value.n));
    }
    memset((char *)x->body.p + x->body.n, 'w', 8); // promised to be ours
    if (str_starts(x->path, "/hold") && host.held_count < HELD_MOST) {
        x->on_gone = on_gone;
        host.held[host.held_count++] = x;
        return;
    }
    answer(x);
}

static void on_reject(struct exchange *x, const struct err *e)
{
    if (x->owner != &host) {
        host.announced++;
        x->owner = &host;
    }
    HOLDS(e->status >= 400 && e->status < 600);
    exchange_reply(x, e->status, "text/plain", NULL, 0, str_of(e->kind->code));
}

static void on_finish(struct exchange *x)
{
    HOLDS(x->owner == &host);
    host.finished++;
}

static void start(void)
{
    static const struct http_handlers handlers = {.on_head = on_head,
                                                  .on_request = on_request,
                                                  .on_reject = on_reject,
                                                  .on_finish = on_finish};
    static struct http_limits limits;
    ARENA(a);
    limits = http_default_limits;
    limits.body_bytes = BODY_MOST;
    host.loop = loop_new(0);
    HOLDS(!http_server_new(a, host.loop, "127.0.0.1", 0, &handlers, &limits, &host.server));
}

static void answer_held(void)
{
    while (host.held_count)
        answer(host.held[--host.held_count]);
}

// Everything that comes until the server closes.
static void hear(int fd)
{
    char bytes[4096], begin[9] = "";
    size_t n = 0;
    for (int i = 0; i < ROUNDS; i++) {
        socket_turn(host.loop, 1);
        answer_held();
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got == 0)
            break;
        for (ssize_t k = 0; k < got && n < 8; k++)
            begin[n++] = bytes[k];
    }
    HOLDS(!strncmp(begin, "HTTP/1.1", n));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned cut = input_byte(&in), how = input_byte(&in);
    size_t at = in.text.n * cut / 256;
    if (!host.loop)
        start();
    host.announced = host.finished = 0;
    int fd = socket_connect(http_server_port(host.server));
    socket_turn(host.loop, 1);
    socket_say(host.loop, fd, (struct str){in.text.p, at});
    socket_say(host.loop, fd, str_skip(in.text, at));
    if (!(how & 1)) {
        shutdown(fd, SHUT_WR);
        hear(fd);
    }
    socket_reset(fd);
    for (int i = 0; i < ROUNDS && http_server_connections(host.server); i++) {
        socket_turn(host.loop, 1);
        answer_held();
    }
    HOLDS(!http_server_connections(host.server));
    HOLDS(host.announced == host.finished);
    return 0;
}
