// Answers of any bytes at the real client: cut in two anywhere, with bodies decoded, pauses and
// cancelled calls. Every call that was not cancelled is done, once.

#include <string.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/http/client.h"
#include "input.h"
#include "sockets.h"

enum { ROUNDS = 300, HOW_HEAD = 1, HOW_PAUSE = 2, HOW_CANCEL = 4, HOW_RESET = 8 };

static struct {
    struct loop *loop;
    struct client *client;
    int listener, port;
} host;

struct asked {
    struct call call;
    unsigned how;
    int heads, dones;
    size_t body;
    bool paused;
};

static void on_head(struct call *c)
{
    struct asked *q = c->owner;
    HOLDS(q->heads++ == 0);
    HOLDS(c->status >= 200 && c->status <= 999);
    for (size_t i = 0; i < c->headers_in.count; i++)
        HOLDS(c->headers_in.items[i].name.n);
}

static void on_body(struct call *c, struct str bytes)
{
    struct asked *q = c->owner;
    HOLDS(q->heads == 1 && !q->dones && bytes.n && !q->paused);
    HOLDS(!(q->how & HOW_HEAD));
    q->body += bytes.n;
    if (q->how & HOW_PAUSE) {
        q->paused = true;
        call_pause(c);
    }
}

static void on_done(struct call *c, struct err *e)
{
    struct asked *q = c->owner;
    HOLDS(q->dones++ == 0);
    HOLDS(e || q->heads == 1);
    HOLDS(!e || (e->status >= 400 && e->kind->code));
}

static void resume_if_paused(struct asked *q)
{
    if (!q->paused || q->dones)
        return;
    q->paused = false;
    call_resume(&q->call);
}

static void ask(struct arena *a, struct asked *q)
{
    const char *url = arena_printf(a, "http://127.0.0.1:%d/v1/x", host.port);
    q->call = (struct call){.client = host.client,
                            .arena = a,
                            .method = q->how & HOW_HEAD ? "HEAD" : "POST",
                            .headers = STR("Accept-Encoding: gzip, br, zstd\r\n"),
                            .body = {STR("{}")},
                            .pieces = q->how & HOW_HEAD ? 0 : 1,
                            .owner = q,
                            .on_head = on_head,
                            .on_body = on_body,
                            .on_done = on_done};
    HOLDS(!url_parse(a, url, &q->call.url));
    call_start(&q->call);
}

static void hang_up(int fd, unsigned how)
{
    if (how & HOW_RESET) {
        socket_reset(fd);
        return;
    }
    shutdown(fd, SHUT_WR);
    socket_turn(host.loop, 4);
    socket_reset(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct input in = input_of(bytes, n);
    unsigned cut = input_byte(&in);
    struct asked q = {.how = input_byte(&in)};
    size_t at = in.text.n * cut / 256;
    ARENA(a);
    if (!host.loop) {
        host.loop = loop_new(0);
        host.client = client_new(host.loop);
        host.listener = socket_listen(&host.port);
    }
    ask(a, &q);
    int fd = socket_accept(host.loop, host.listener);
    HOLDS(fd >= 0);
    socket_turn(host.loop, 2); // the request goes out
    socket_say(host.loop, fd, (struct str){in.text.p, at});
    resume_if_paused(&q);
    bool cancelled = q.how & HOW_CANCEL && !q.dones;
    if (cancelled)
        call_cancel(&q.call);
    socket_say(host.loop, fd, str_skip(in.text, at));
    for (int i = 0; i < 8; i++) {
        resume_if_paused(&q);
        socket_turn(host.loop, 1);
    }
    hang_up(fd, q.how);
    for (int i = 0; i < ROUNDS && ((!q.dones && !cancelled) || client_idle(host.client)); i++) {
        resume_if_paused(&q);
        socket_turn(host.loop, 1);
    }
    HOLDS(cancelled ? !q.dones : q.dones == 1);
    HOLDS(!client_active(host.client) && !client_idle(host.client));
    return 0;
}
