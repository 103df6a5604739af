// Connections: pipelining, clients that leave or stall, time, and the server's own end.

#include "unit/common/http/host.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

// --- one after the other ----------------------------------------------------------------------

static void pipelined_requests_wait(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x =
        host_hold(&p, GET("/hold/1") GET("/hold/2") "POST /echo HTTP/1.1\r\n" HOST);
    visitor_puts(&p, "Content-Length: 3\r\n\r\nab");
    host_run(&h, 5);
    assert_int_equal(h.heads, 1);
    assert_true(str_is(x->path, "/hold/1"));
    host_reply(x, "one");
    assert_int_equal(h.held_count, 2);
    assert_true(str_is(h.held[1]->path, "/hold/2"));
    visitor_puts(&p, "c");
    host_reply(h.held[1], "two");
    visitor_expect(&p, "200 one\n200 two\n200 POST /echo  <abc>\n");
    visitor_close(&p);
    host_close(&h);
}

static void many_are_pipelined(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    BUF_HERE(requests, SIZE_MAX);
    for (int i = 0; i < 3000; i++)
        buf_puts(&requests, GET("/"));
    struct visitor p = visitor_open(&h);
    visitor_send(&p, buf_view(&requests));
    host_until(&h, &h.finished, 3000);
    assert_int_equal(h.requests, 3000);
    visitor_close(&p);
    host_close(&h);
}

// More than we keep: the running answer is delivered, then the connection ends.
static void too_much_is_pipelined(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    char *lots = arena_alloc(h.arena, 1000000);
    memset(lots, 'x', 1000000);
    visitor_puts(&p, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    visitor_send(&p, (struct str){lots, 1000000});
    host_reply(x, "one");
    visitor_expect(&p, "200 close one\n-");
    assert_int_equal(h.heads, 1);
    visitor_close(&p);
    p = visitor_open(&h); // ... and its leaving is still noticed
    x = host_hold(&p, GET("/hold"));
    visitor_send(&p, (struct str){lots, 1000000});
    visitor_close(&p);
    host_until(&h, &h.gone, 1);
    exchange_end(x);
    host_close(&h);
}

static void ids_differ_and_sort(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    char before[REQUEST_ID_SIZE + 1] = "";
    for (int i = 0; i < 300; i++) {
        visitor_puts(&p, GET("/"));
        host_until(&h, &h.finished, i + 1);
        assert_true(strcmp(before, h.id) < 0);
        assert_int_equal(strspn(h.id, "0123456789abcdef"), REQUEST_ID_SIZE);
        memcpy(before, h.id, sizeof(before));
        if (i % 50 == 0)
            host_run(&h, 2);
    }
    visitor_close(&p);
    host_close(&h);
}

// --- clients that leave -------------------------------------------------------------------------

static void leaving_is_noticed(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    for (int reset = 0; reset < 2; reset++) {
        struct visitor p = visitor_open(&h);
        struct exchange *x = host_hold(&p, GET("/hold") GET("/hold"));
        exchange_head(x, 200, NULL, 0, -1);
        host_write(x, "part");
        visitor_until(&p, "part");
        int64_t at = clock_steady_ms();
        if (reset)
            visitor_reset(&p);
        else
            visitor_close(&p);
        host_until(&h, &h.gone, reset + 1);
        assert_true(clock_steady_ms() - at < 200);
        assert_true(x->gone);
        host_write(x, "dropped");
        assert_int_equal(x->sent, 4);
        assert_int_equal(http_server_connections(h.server), 1);
        exchange_end(x);
        assert_int_equal(h.finished, reset + 1);
        assert_true(h.left);
        assert_int_equal(http_server_connections(h.server), 0);
    }
    assert_int_equal(h.heads, 2); // what was pipelined is forgotten
    host_close(&h);
}

static void leaving_before_the_body_is_whole(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    visitor_puts(&p, "POST / HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc");
    host_until(&h, &h.heads, 1);
    visitor_close(&p);
    host_until(&h, &h.finished, 1);
    assert_true(h.left);
    p = visitor_open(&h);
    visitor_puts(&p, "GET / HTT");
    visitor_close(&p);
    host_run(&h, 5);
    assert_int_equal(http_server_connections(h.server), 0);
    assert_int_equal(h.requests + h.rejects + h.gone, 0);
    host_close(&h);
}

// It sends no more, but reads: what is answered at once, or already on its way, arrives.
static void half_closed_clients(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    p.host = &h;
    struct str request = STR(GET("/1") GET("/2") "GET bad\r\n\r\n");
    assert_int_equal(send(p.fd, request.p, request.n, 0), request.n);
    visitor_half_close(&p);
    visitor_expect(&p, "200 GET /1  <>\n200 GET /2  <>\n400 close bad_request\n-");
    assert_false(p.reset);
    visitor_close(&p);

    p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    size_t n = 8 * 1024 * 1024;
    char *lots = arena_alloc(h.arena, n);
    exchange_reply(x, 200, NULL, NULL, 0, (struct str){lots, n});
    assert_int_equal(h.finished, 1 + 2); // not yet: the kernel did not take it all
    visitor_half_close(&p);
    host_run(&h, 5);
    visitor_until_end(&p);
    assert_true(p.in.n > n);
    assert_int_equal(h.finished, 4);
    assert_int_equal(h.gone, 0);
    visitor_close(&p);
    host_close(&h);
}

// --- clients that stall ------------------------------------------------------------

static struct http_limits hasty(void)
{
    struct http_limits l = http_default_limits;
    l.header_ms = l.body_ms = l.idle_ms = l.write_ms = 300;
    return l;
}

static void clients_that_never_read_are_cut(void **state)
{
    (void)state;
    struct host h;
    struct http_limits l = hasty();
    host_open(&h, &l);
    char *lots = arena_alloc(h.arena, 8 * 1024 * 1024);
    struct str bytes = {lots, 8 * 1024 * 1024};
    struct visitor p = visitor_open(&h), q = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    exchange_write(x, &bytes, 1);
    exchange_reply(host_hold(&q, GET("/hold")), 200, NULL, NULL, 0, bytes); // ended already
    for (int i = 0; i < 2000 && !(h.gone == 1 && h.finished == 1); i++)
        host_run(&h, 1);
    assert_int_equal(h.gone, 1); // the one that goes on hears of it, the other is just over
    assert_int_equal(h.finished, 1);
    assert_true(h.left);
    exchange_end(x);
    assert_int_equal(h.finished, 2);
    visitor_close(&p);
    visitor_close(&q);
    host_close(&h);
}

// One that reads slowly but steadily is not.
static void slow_but_steady_is_fine(void **state)
{
    (void)state;
    struct host h;
    struct http_limits l = hasty();
    host_open(&h, &l);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    size_t n = 20 * 1024 * 1024;
    exchange_reply(x, 200, NULL, NULL, 0, (struct str){arena_alloc(h.arena, n), n});
    static char some[100000];
    for (int i = 0; i < 150; i++) {
        host_run(&h, 10);
        assert_true(recv(p.fd, some, sizeof(some), 0) > 0);
    }
    visitor_until_end(&p); // read to the end, then idle
    assert_false(h.left);
    assert_int_equal(h.finished, 1);
    visitor_close(&p);
    host_close(&h);
}

// --- time ------------------------------------------------------------

static void slow_requests_time_out(void **state)
{
    (void)state;
    struct host h;
    struct http_limits l = hasty();
    host_open(&h, &l);
    struct visitor head = visitor_open(&h), body = visitor_open(&h), idle = visitor_open(&h),
                   kept = visitor_open(&h), held = visitor_open(&h), chunk = visitor_open(&h);
    visitor_puts(&head, "GET / HTTP/1.1\r\n");
    visitor_puts(&body, "POST /b HTTP/1.1\r\n" HOST "Content-Length: 99\r\n\r\n");
    visitor_puts(&chunk, "POST /c HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    visitor_puts(&kept, GET("/"));
    struct exchange *x = host_hold(&held, GET("/hold"));
    // A byte now and then saves a body, but no head and no chunk's size.
    for (int i = 0; i < 14; i++) {
        host_run(&h, 50);
        visitor_puts(&head, "x");
        visitor_puts(&body, "x");
        visitor_puts(&chunk, "0");
    }
    visitor_expect(&head, "408 close request_timeout\n-");
    visitor_expect(&chunk, "408 close request_timeout\n-");
    visitor_expect(&idle, "-");
    visitor_expect(&kept, "200 GET /  <>\n-");
    assert_int_equal(body.in.n, 0);
    visitor_expect(&body, "408 close request_timeout\n-");
    assert_string_equal(h.path, "/b");
    assert_int_equal(h.gone, 0); // the handler takes what time it needs
    host_reply(x, "late");
    visitor_expect(&held, "200 late\n-");
    struct visitor *all[] = {&head, &body, &idle, &kept, &held, &chunk};
    for (int i = 0; i < 6; i++)
        visitor_close(all[i]);
    host_close(&h);
}

// Deadlines begin when they are set, even after a long sleep of the loop.
static void deadlines_begin_now(void **state)
{
    (void)state;
    struct host h;
    struct http_limits l = hasty();
    host_open(&h, &l);
    struct visitor p = visitor_open(&h);
    usleep(600 * 1000);
    int64_t at = clock_steady_ms();
    visitor_until_end(&p);
    assert_true(clock_steady_ms() - at >= 250);
    visitor_close(&p);
    host_close(&h);
}

static void lingering_ends(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    visitor_puts(&p, "GET / HTTP/1.0\r\n\r\n");
    visitor_expect(&p, "200 close GET /  <>\n-");
    assert_int_equal(http_server_connections(h.server), 1); // it waits for us to close
    host_run(&h, 2600);
    assert_int_equal(http_server_connections(h.server), 0);
    visitor_close(&p);
    host_close(&h);
}

// --- the server's own end -----------------------------------------------------------------------

static void connections_have_a_limit(void **state)
{
    (void)state;
    struct host h;
    struct http_limits l = http_default_limits;
    l.connections = 2;
    host_open(&h, &l);
    struct visitor a = visitor_open(&h), b = visitor_open(&h), c = visitor_open(&h);
    visitor_until_end(&c);
    visitor_puts(&a, GET("/"));
    visitor_expect(&a, "200 GET /  <>\n");
    visitor_close(&a);
    host_run(&h, 5);
    struct visitor d = visitor_open(&h);
    visitor_puts(&d, GET("/"));
    visitor_expect(&d, "200 GET /  <>\n");
    visitor_close(&b);
    visitor_close(&c);
    visitor_close(&d);
    host_close(&h);
}

static void on_drained(void *host)
{
    ((struct host *)host)->is_drained = true;
}

static void draining(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor idle = visitor_open(&h), early = visitor_open(&h), late = visitor_open(&h),
                   half = visitor_open(&h);
    struct exchange *x = host_hold(&early, GET("/hold") GET("/hold"));
    struct exchange *y = host_hold(&late, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "a");
    visitor_puts(&half, "GET /half HTTP/1.1\r\n");
    host_run(&h, 2);
    http_server_drain(h.server, on_drained, &h);
    visitor_expect(&idle, "-");
    host_write(x, "b");
    exchange_end(x);
    visitor_expect(&early, "200 ab\n-"); // its head had gone out before
    assert_false(h.is_drained);
    host_reply(y, "text");
    visitor_expect(&late, "200 close text\n-");
    visitor_puts(&half, HOST "\r\n");
    visitor_expect(&half, "200 close GET /half  <>\n-");
    visitor_close(&idle);
    visitor_close(&early);
    visitor_close(&late);
    assert_false(h.is_drained);
    visitor_close(&half);
    host_run(&h, 5);
    assert_true(h.is_drained);
    assert_int_equal(h.requests, 3);
    host_close(&h);
}

static void draining_nothing(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    http_server_drain(h.server, on_drained, &h);
    assert_false(h.is_drained);
    host_run(&h, 2);
    assert_true(h.is_drained);
    host_close(&h);
}

static void closing_cuts(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h), q = visitor_open(&h), r = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    struct exchange *y = host_hold(&q, GET("/hold"));
    visitor_puts(&r, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");
    y->on_gone = exchange_end; // at once; the other one later
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "part");
    http_server_close(h.server, on_drained, &h);
    for (int i = 0; i < 5; i++)
        uv_run(&h.loop->uv, UV_RUN_NOWAIT);
    assert_int_equal(h.gone, 1);
    assert_int_equal(h.finished, 2);
    assert_false(h.is_drained);
    exchange_abort(x);
    assert_true(h.is_drained);
    assert_int_equal(h.finished, 3);
    visitor_expect(&p, "200 part...-");
    visitor_expect(&q, "-");
    visitor_close(&p);
    visitor_close(&q);
    visitor_close(&r);
    loop_stop(h.loop);
    while (uv_run(&h.loop->uv, UV_RUN_NOWAIT))
        ;
    loop_free(h.loop);
    arena_free(h.arena);
}

static void ports_and_hosts(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct http_server *s;
    struct http_handlers none = {0};
    struct err *e = http_server_new(h.arena, h.loop, "192.0.2.1", 0, &none, NULL, &s);
    assert_non_null(e);
    assert_ptr_equal(e->kind, &err_internal);
    assert_non_null(http_server_new(h.arena, h.loop, "no.such.host.invalid", 0, &none, NULL, &s));
    int port = http_server_port(h.server); // shared: every loop has its own
    assert_null(http_server_new(h.arena, h.loop, "127.0.0.1", port, &none, NULL, &s));
    assert_int_equal(http_server_port(s), port);
    http_server_close(s, NULL, NULL);
    host_run(&h, 2);
    host_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pipelined_requests_wait),  T(many_are_pipelined),
        T(too_much_is_pipelined),    T(ids_differ_and_sort),
        T(leaving_is_noticed),       T(leaving_before_the_body_is_whole),
        T(half_closed_clients),      T(clients_that_never_read_are_cut),
        T(slow_but_steady_is_fine),  T(slow_requests_time_out),
        T(deadlines_begin_now),      T(lingering_ends),
        T(connections_have_a_limit), T(draining),
        T(draining_nothing),         T(closing_cuts),
        T(ports_and_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
