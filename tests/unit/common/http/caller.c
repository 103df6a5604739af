// A caller for tests: nothing more than the contract of client.h promises.

#include "caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"

enum { PATIENCE_MS = 20000 };

static void on_tick(uv_timer_t *timer)
{
    (void)timer; // only so that a round ends
}

int caller_setup(void **state)
{
    struct caller *c = mem_new(sizeof(*c));
    c->loop = loop_new(0);
    c->client = client_new(c->loop);
    *state = c;
    return 0;
}

static void on_closed(void *arg)
{
    struct caller *c = arg;
    c->closed = true;
}

int caller_teardown(void **state)
{
    struct caller *c = *state;
    if (client_active(c->client))
        abort();
    client_close(c->client, on_closed, c);
    while (!c->closed)
        uv_run(&c->loop->uv, UV_RUN_ONCE);
    loop_stop(c->loop);
    uv_run(&c->loop->uv, UV_RUN_DEFAULT);
    loop_free(c->loop);
    free(c);
    return 0;
}

static void on_tick_closed(uv_handle_t *timer)
{
    *(bool *)timer->data = true;
}

void caller_until(struct caller *c, bool (*what)(void *), void *arg)
{
    uv_timer_t tick;
    bool closed = false;
    uv_timer_init(&c->loop->uv, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    tick.data = &closed;
    int64_t until = clock_steady_ms() + PATIENCE_MS;
    bool patient = true;
    while (!what(arg) && (patient = clock_steady_ms() < until))
        uv_run(&c->loop->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, on_tick_closed);
    while (!closed)
        uv_run(&c->loop->uv, UV_RUN_NOWAIT);
    if (!patient)
        fail_msg("waited in vain");
}

static bool has_passed(void *until)
{
    return clock_steady_ms() >= *(int64_t *)until;
}

void caller_rest(struct caller *c, int ms)
{
    int64_t until = clock_steady_ms() + ms;
    caller_until(c, has_passed, &until);
}

void caller_turn(struct caller *c)
{
    uv_run(&c->loop->uv, UV_RUN_NOWAIT);
}

static void on_head(struct call *c)
{
    struct got *g = c->owner;
    assert_int_equal(g->heads, 0);
    assert_int_equal(g->bodies, 0);
    assert_false(c->paused);
    g->heads++;
    if (g->at_head)
        g->at_head(g);
}

static void on_body(struct call *c, struct str bytes)
{
    struct got *g = c->owner;
    assert_int_equal(g->heads, 1);
    assert_int_equal(g->dones, 0);
    assert_true(bytes.n > 0);
    assert_false(c->paused);
    buf_str(&g->body, bytes);
    g->bodies++;
    if (bytes.n > g->largest)
        g->largest = bytes.n;
    if (g->at_body)
        g->at_body(g);
}

static void on_done(struct call *c, struct err *e)
{
    struct got *g = c->owner;
    assert_int_equal(g->dones, 0);
    g->dones++;
    g->err = e;
    if (g->at_done)
        g->at_done(g);
}

struct got *got_new(struct caller *caller, const char *method, const char *url, ...)
{
    char text[512];
    va_list args;
    va_start(args, url);
    vsnprintf(text, sizeof(text), url, args);
    va_end(args);
    struct got *g = mem_new(sizeof(*g));
    g->caller = caller;
    g->arena = arena_new();
    g->body = BUF(SIZE_MAX / 2);
    g->call.client = caller->client;
    g->call.arena = g->arena;
    g->call.method = method;
    g->call.owner = g;
    g->call.on_head = on_head;
    g->call.on_body = on_body;
    g->call.on_done = on_done;
    assert_null(url_parse(g->arena, text, &g->call.url));
    return g;
}

void got_start(struct got *g)
{
    int before = g->heads + g->bodies + g->dones;
    call_start(&g->call);
    assert_int_equal(g->heads + g->bodies + g->dones, before); // never from inside
}

static bool is_done(void *got)
{
    return ((struct got *)got)->dones;
}

void got_wait(struct got *g)
{
    caller_until(g->caller, is_done, g);
}

static bool is_paused(void *got)
{
    return ((struct got *)got)->call.paused;
}

void got_wait_paused(struct got *g)
{
    caller_until(g->caller, is_paused, g);
    caller_rest(g->caller, 30); // what must not come has time to come
}

struct got *got_call(struct caller *c, int port, const char *body)
{
    struct got *g = got_new(c, "POST", "http://127.0.0.1:%d/v1/x?y=1", port);
    g->call.headers = STR("Content-Type: text/plain\r\n");
    g->call.body[0] = str_of(body);
    g->call.pieces = 1;
    got_start(g);
    got_wait(g);
    return g;
}

void got_free(struct got *g)
{
    buf_free(&g->body);
    arena_free(g->arena);
    free(g);
}

const char *got_why(const struct got *g)
{
    return g->err ? g->err->kind->code : "";
}
