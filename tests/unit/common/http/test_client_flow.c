// Calls that are held, cut off, late, compressed, or led where they must not go.

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "common/http/encoding.h"
#include "common/http/link.h"
#include "origin.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void nap_us(long us)
{
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static void serve_text(struct origin_conn *c)
{
    char request[8192];
    while (origin_request(c, request, sizeof(request)) && origin_says(c, c->origin->script))
        continue;
}

static void serve_dribble(struct origin_conn *c)
{
    char request[8192];
    while (origin_request(c, request, sizeof(request)))
        for (const char *p = c->origin->script; *p && origin_say(c, p, 1); p++)
            nap_us(100);
}

static struct got *get(struct caller *c, int port)
{
    return got_new(c, "GET", "http://127.0.0.1:%d/", port);
}

// --- pause and resume -------------------------------------------------------------------

static void pause_it(struct got *g)
{
    call_pause(&g->call);
}

static void pause_and_resume(struct got *g)
{
    call_pause(&g->call);
    call_resume(&g->call);
}

// Resumes whenever it finds the call paused, some rounds later.
static void wait_resuming(struct got *g)
{
    while (!g->dones) {
        int heads = g->heads, bodies = g->bodies;
        for (int i = 0; i < 3; i++) {
            caller_turn(g->caller);
            if (!g->call.paused)
                continue;
            caller_turn(g->caller);
            assert_false(g->dones);
        }
        if (g->call.paused && (heads != g->heads || bodies != g->bodies))
            continue;
        if (g->call.paused)
            call_resume(&g->call);
        nap_us(200);
    }
}

static const char chunks[] = CHUNKED "3\r\nabc\r\n1\r\nd\r\n4\r\nefgh\r\n0\r\n\r\n";

static void test_pause_at_every_callback(void **state)
{
    static void (*const servers[])(struct origin_conn *) = {serve_text, serve_dribble};
    for (int i = 0; i < 2; i++) {
        struct origin *p = origin_start("127.0.0.1", servers[i], chunks, NULL);
        struct got *g = get(*state, p->port);
        g->at_head = g->at_body = pause_it;
        got_start(g);
        wait_resuming(g);
        assert_string_equal(got_why(g), "");
        assert_string_equal(g->body.p, "abcdefgh");
        assert_true(g->bodies >= 3);
        got_free(g);
        g = get(*state, p->port); // the connection is still good
        g->at_head = g->at_body = pause_and_resume;
        got_start(g);
        got_wait(g);
        assert_true(g->call.reused);
        assert_string_equal(g->body.p, "abcdefgh");
        got_free(g);
        origin_stop(p);
    }
}

static void test_pause_before_anything(void **state)
{
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_text, chunks, NULL);
    for (int i = 0; i < 2; i++) { // fresh, then kept
        struct got *g = get(c, p->port);
        got_start(g);
        call_pause(&g->call);
        caller_rest(c, 100);
        assert_int_equal(g->heads, 0);
        assert_int_equal(p->requests, i + 1); // the request went out all the same
        call_resume(&g->call);
        got_wait(g);
        assert_string_equal(g->body.p, "abcdefgh");
        got_free(g);
    }
    origin_stop(p);
}

static void test_pause_of_bodiless(void **state)
{
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_text, "HTTP/1.1 204 No\r\n\r\n", NULL);
    struct got *g = get(c, p->port);
    g->at_head = pause_it;
    got_start(g);
    got_wait_paused(g);
    assert_int_equal(g->heads, 1);
    assert_int_equal(g->dones, 0);
    call_resume(&g->call);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_int_equal(client_idle(c->client), 1);
    got_free(g);
    origin_stop(p);
}

static void serve_once(struct origin_conn *c)
{
    char request[8192];
    origin_request(c, request, sizeof(request));
    origin_says(c, c->origin->script);
}

static void test_pause_then_end_of_connection(void **state)
{
    static const char *const answers[] = {OK_HEAD "\r\nhello",
                                          OK_HEAD "Content-Length: 9\r\n\r\nhello"};
    for (int i = 0; i < 2; i++) {
        struct origin *p = origin_start("127.0.0.1", serve_once, answers[i], NULL);
        struct got *g = get(*state, p->port);
        g->at_body = pause_it;
        got_start(g);
        got_wait_paused(g);
        assert_int_equal(g->bodies, 1);
        assert_int_equal(g->dones, 0);
        call_resume(&g->call);
        got_wait(g);
        assert_string_equal(got_why(g), i ? "upstream_truncated" : "");
        assert_string_equal(g->body.p, "hello");
        got_free(g);
        origin_stop(p);
    }
}

static _Atomic size_t flood_sent;

static void serve_flood(struct origin_conn *c)
{
    static char bytes[64 * 1024];
    char request[8192];
    origin_request(c, request, sizeof(request));
    origin_says(c, OK_HEAD "\r\n");
    while (flood_sent < 64 * 1024 * 1024 && origin_say(c, bytes, sizeof(bytes)))
        flood_sent += sizeof(bytes);
}

static void test_pause_holds_the_peer(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_flood, NULL, NULL);
    struct got *g = get(*state, p->port);
    flood_sent = 0;
    g->at_head = pause_it;
    got_start(g);
    got_wait_paused(g);
    caller_rest(*state, 300);
    assert_true(flood_sent < 64 * 1024 * 1024);
    assert_int_equal(g->bodies, 0);
    g->at_head = NULL;
    call_resume(&g->call);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_int_equal(g->body.n, 64 * 1024 * 1024);
    got_free(g);
    origin_stop(p);
}

// --- content codings ----------------------------------------------------------------------

struct bytes {
    const char *coding;
    struct buf text;
    size_t piece; // sent at a time
};

static void serve_coded(struct origin_conn *c)
{
    const struct bytes *b = c->origin->script;
    char request[8192], head[256];
    snprintf(head, sizeof(head), OK_HEAD "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
             b->coding, b->text.n);
    while (origin_request(c, request, sizeof(request))) {
        origin_says(c, head);
        for (size_t at = 0; at < b->text.n; at += b->piece) {
            size_t n = b->text.n - at < b->piece ? b->text.n - at : b->piece;
            if (!origin_say(c, b->text.p + at, n))
                return;
            if (b->piece < 100)
                nap_us(30);
        }
    }
}

static void check_coded(struct caller *c, struct bytes *b, struct str plain, bool pausing)
{
    struct origin *p = origin_start("127.0.0.1", serve_coded, b, NULL);
    struct got *g = get(c, p->port);
    g->at_body = pausing ? pause_it : NULL;
    got_start(g);
    wait_resuming(g);
    assert_string_equal(got_why(g), "");
    assert_int_equal(g->body.n, plain.n);
    assert_memory_equal(g->body.p, plain.p, plain.n);
    assert_true(g->largest <= 16 * 1024);
    assert_int_equal(client_idle(c->client), 1);
    got_free(g);
    origin_stop(p);
    while (client_idle(c->client))
        caller_turn(c);
}

static void test_codings(void **state)
{
    static const char *const codings[] = {"gzip", "br", "zstd"};
    struct buf plain = BUF(SIZE_MAX / 2);
    for (int i = 0; i < 20000; i++)
        buf_printf(&plain, "data: {\"n\":%d}\n\n", i % 977);
    for (size_t i = 0; i < 3; i++) {
        struct bytes b = {codings[i], BUF(SIZE_MAX / 2), 64 * 1024};
        assert_true(encoding_compress(codings[i], buf_view(&plain), &b.text));
        check_coded(*state, &b, buf_view(&plain), false);
        check_coded(*state, &b, buf_view(&plain), true);
        buf_free(&b.text);
        struct str small = STR("data: hello\n\n");
        assert_true(encoding_compress(codings[i], small, &b.text));
        b.piece = 1;
        check_coded(*state, &b, small, true);
        b.text.n -= 1; // cut
        b.piece = 100;
        struct origin *p = origin_start("127.0.0.1", serve_coded, &b, NULL);
        struct got *g = get(*state, p->port);
        got_start(g);
        got_wait(g);
        assert_string_equal(got_why(g), "upstream_truncated");
        got_free(g);
        origin_stop(p);
        buf_free(&b.text);
    }
    buf_free(&plain);
}

static void test_bomb_is_bounded_while_paused(void **state)
{
    enum { SIZE = 64 * 1024 * 1024 };
    struct caller *c = *state;
    struct bytes b = {"gzip", BUF(SIZE_MAX / 2), 64 * 1024};
    char *zeros = calloc(1, SIZE);
    assert_true(encoding_compress("gzip", (struct str){zeros, SIZE}, &b.text));
    struct origin *p = origin_start("127.0.0.1", serve_coded, &b, NULL);
    struct got *g = get(c, p->port);
    g->at_body = pause_it;
    got_start(g);
    got_wait_paused(g);
    caller_rest(c, 100);
    assert_int_equal(g->bodies, 1);
    assert_true(g->call.conn->decoded.n <= 4 * 1024 * 1024);
    call_cancel(&g->call);
    got_free(g);
    origin_stop(p);
    buf_free(&b.text);
    free(zeros);
}

// --- cancelling ---------------------------------------------------------------------------

static void cancel_and_free(struct got *g)
{
    int *cancelled = g->note;
    ++*cancelled;
    call_cancel(&g->call);
    got_free(g); // as a relay's arena would go
}

static bool is_set(void *number)
{
    return *(int *)number > 0;
}

static void test_cancel_in_callbacks(void **state)
{
    static const char *const answers[] = {
        OK_HEAD "Content-Length: 5\r\n\r\nhello",
        chunks,
        OK_HEAD "\r\nuntil close",
        "HTTP/1.1 204 No\r\n\r\n",
    };
    struct caller *c = *state;
    for (int i = 0; i < 7; i++) {
        struct origin *p = origin_start("127.0.0.1", serve_text, answers[i % 4], NULL);
        struct got *g = get(c, p->port);
        int cancelled = 0;
        g->note = &cancelled;
        if (i < 4)
            g->at_head = cancel_and_free;
        else
            g->at_body = cancel_and_free;
        got_start(g);
        caller_until(c, is_set, &cancelled);
        caller_rest(c, 20);
        assert_int_equal(cancelled, 1);
        assert_int_equal(client_active(c->client), 0);
        assert_int_equal(client_idle(c->client), 0);
        origin_stop(p);
    }
}

static void test_cancel_in_midst_of_decoding(void **state)
{
    struct caller *c = *state;
    struct bytes b = {"gzip", BUF(SIZE_MAX / 2), 64 * 1024};
    char *zeros = calloc(1, 1 << 20);
    assert_true(encoding_compress("gzip", (struct str){zeros, 1 << 20}, &b.text));
    struct origin *p = origin_start("127.0.0.1", serve_coded, &b, NULL);
    struct got *g = get(c, p->port);
    int cancelled = 0;
    g->note = &cancelled;
    g->at_body = cancel_and_free;
    got_start(g);
    caller_until(c, is_set, &cancelled);
    caller_rest(c, 20);
    assert_int_equal(cancelled, 1);
    origin_stop(p);
    buf_free(&b.text);
    free(zeros);
}

static void serve_silence(struct origin_conn *c)
{
    origin_wait_end(c);
}

static void serve_half(struct origin_conn *c)
{
    char request[8192];
    origin_request(c, request, sizeof(request));
    origin_says(c, c->origin->script);
    origin_wait_end(c);
}

static void expect_cancel(struct got *g, int after_ms)
{
    struct caller *c = g->caller;
    got_start(g);
    if (after_ms)
        caller_rest(c, after_ms);
    assert_int_equal(g->dones, 0);
    call_cancel(&g->call);
    int heads = g->heads, bodies = g->bodies;
    caller_rest(c, 30);
    assert_int_equal(g->dones, 0);
    assert_int_equal(g->heads, heads);
    assert_int_equal(g->bodies, bodies);
    assert_int_equal(client_active(c->client), 0);
    assert_int_equal(client_idle(c->client), 0);
    got_free(g);
}

static void test_cancel_at_every_stage(void **state)
{
    struct caller *c = *state;
    struct origin *silent = origin_start("127.0.0.1", serve_silence, NULL, NULL);
    struct origin *half =
        origin_start("127.0.0.1", serve_half, OK_HEAD "Content-Length: 9\r\n\r\nhalf", NULL);
    expect_cancel(get(c, silent->port), 0);
    expect_cancel(get(c, silent->port), 40);
    expect_cancel(get(c, half->port), 40);
    expect_cancel(got_new(c, "GET", "http://localhost:%d/", silent->port), 0);   // resolving
    expect_cancel(got_new(c, "GET", "https://127.0.0.1:%d/", silent->port), 0);  // connecting
    expect_cancel(got_new(c, "GET", "https://127.0.0.1:%d/", silent->port), 40); // in the handshake
    expect_cancel(got_new(c, "GET", "http://255.255.255.255/"), 0); // fails at once, told later
    struct got *g = get(c, half->port);
    g->at_body = pause_it; // paused with more to come
    expect_cancel(g, 40);
    for (int i = 0; i < 2; i++) {
        g = get(c, 80);
        g->call.proxy = i ? arena_printf(g->arena, "socks5://127.0.0.1:%d", silent->port)
                          : arena_printf(g->arena, "http://127.0.0.1:%d", silent->port);
        expect_cancel(g, 40);
    }
    static char bytes[8 * 1024 * 1024];
    g = get(c, silent->port);
    g->call.method = "POST";
    g->call.body[0] = (struct str){bytes, sizeof(bytes)};
    g->call.pieces = 1;
    expect_cancel(g, 0);
    g = get(c, half->port); // resumed, then cancelled before the next round
    g->at_body = pause_it;
    got_start(g);
    caller_rest(c, 40);
    call_resume(&g->call);
    call_cancel(&g->call);
    assert_int_equal(g->dones, 0);
    got_free(g);
    caller_rest(c, 20);
    origin_stop(silent);
    origin_stop(half);
}

static void test_cancel_is_seen_by_the_peer(void **state)
{
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_silence, NULL, NULL);
    struct got *g = get(c, p->port);
    got_start(g);
    caller_rest(c, 30);
    call_cancel(&g->call);
    for (int i = 0; i < 5000 && !p->ended; i++)
        nap_us(1000); // no round of the loop: the socket is closed already
    assert_int_equal(p->ended, 1);
    got_free(g);
    origin_stop(p);
}

// --- time-outs ------------------------------------------------------------------------------

static void expect_timeout(struct got *g, int connect_ms, int first_ms, int idle_ms)
{
    g->call.limits = (struct call_limits){connect_ms, first_ms, idle_ms, 0};
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "upstream_timeout");
    got_free(g);
}

static void serve_no_reading(struct origin_conn *c)
{
    while (c->origin->script && *(const _Atomic bool *)c->origin->script)
        nap_us(1000);
}

static void test_timeouts(void **state)
{
    enum { NEVER = 3600000, SOON = 300 };
    struct caller *c = *state;
    struct origin *silent = origin_start("127.0.0.1", serve_silence, NULL, NULL);
    expect_timeout(get(c, silent->port), NEVER, SOON, NEVER);
    expect_timeout(got_new(c, "GET", "https://127.0.0.1:%d/", silent->port), SOON, NEVER, NEVER);
    struct got *g = get(c, 80);
    g->call.proxy = arena_printf(g->arena, "http://127.0.0.1:%d", silent->port);
    expect_timeout(g, SOON, NEVER, NEVER);
    origin_stop(silent);
    struct origin *half =
        origin_start("127.0.0.1", serve_half, OK_HEAD "Content-Length: 9\r\n\r\nhalf", NULL);
    expect_timeout(get(c, half->port), NEVER, NEVER, SOON);
    origin_stop(half);
    half = origin_start("127.0.0.1", serve_half, "HTTP/1.1 2", NULL);
    expect_timeout(get(c, half->port), NEVER, NEVER, SOON);
    origin_stop(half);
    static char bytes[30 * 1024 * 1024];
    _Atomic bool stay = true;
    struct origin *deaf = origin_start("127.0.0.1", serve_no_reading, (const void *)&stay, NULL);
    g = get(c, deaf->port);
    g->call.method = "POST";
    g->call.body[0] = (struct str){bytes, sizeof(bytes)};
    g->call.pieces = 1;
    expect_timeout(g, NEVER, NEVER, SOON);
    stay = false;
    origin_stop(deaf);
}

static void test_pause_does_not_time_out(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_text, chunks, NULL);
    struct got *g = get(*state, p->port);
    g->call.limits.idle_ms = 300;
    g->at_head = pause_it;
    got_start(g);
    got_wait_paused(g);
    caller_rest(*state, 1000);
    assert_int_equal(g->dones, 0);
    call_resume(&g->call);
    got_wait(g);
    assert_string_equal(g->body.p, "abcdefgh");
    got_free(g);
    origin_stop(p);
}

static void serve_slow_chunks(struct origin_conn *c)
{
    char request[8192];
    origin_request(c, request, sizeof(request));
    origin_says(c, CHUNKED);
    for (int i = 0; i < 8; i++) {
        nap_us(150000);
        origin_says(c, "1\r\nx\r\n");
    }
    origin_says(c, "0\r\n\r\n");
    origin_wait_end(c);
}

static void test_slow_but_steady_is_fine(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_slow_chunks, NULL, NULL);
    struct got *g = get(*state, p->port);
    g->call.limits = (struct call_limits){0, 700, 700, 0};
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_string_equal(g->body.p, "xxxxxxxx");
    got_free(g);
    origin_stop(p);
}

// --- where it goes ----------------------------------------------------------------------------

static int closed_port(void)
{
    struct origin *p = origin_start("127.0.0.1", serve_silence, NULL, NULL);
    int port = p->port;
    origin_stop(p);
    return port;
}

static void test_unreachable(void **state)
{
    struct caller *c = *state;
    struct got *g = get(c, closed_port());
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "upstream_unreachable");
    got_free(g);
    for (int i = 0; i < 2; i++) { // looked up, then remembered
        g = got_new(c, "GET", "http://no..such/");
        got_start(g);
        got_wait(g);
        assert_string_equal(got_why(g), "upstream_unreachable");
        got_free(g);
    }
}

static void learn(struct caller *c, const char *name, const char *const *addresses, int count)
{
    struct dns_answer *a = mem_new(sizeof(*a) + sizeof(a->at[0]) * (size_t)count);
    *a = (struct dns_answer){.refs = 1, .count = count};
    for (int i = 0; i < count; i++) {
        struct dns_answer *one = dns_literal(addresses[i]);
        a->at[i] = one->at[0];
        dns_release(one);
    }
    dns_learn(c->client->dns, name, a);
}

static void test_addresses_in_turn(void **state)
{
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_text, chunks, NULL);
    // nobody listens at the first two; the third address answers
    learn(c, "many.test", (const char *[]){"::1", "127.0.0.2", "255.255.255.255", "127.0.0.1"}, 4);
    struct got *g = got_new(c, "GET", "http://many.test:%d/", p->port);
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_string_equal(g->body.p, "abcdefgh");
    got_free(g);
    learn(c, "none.test", (const char *[]){"127.0.0.2", "127.0.0.3"}, 2);
    g = got_new(c, "GET", "http://none.test:%d/", p->port);
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "upstream_unreachable");
    got_free(g);
    origin_stop(p);
}

static void test_ipv6(void **state)
{
    struct origin *p = origin_start("::1", serve_text, chunks, NULL);
    if (!p) {
        skip();
        return;
    }
    struct got *g = got_new(*state, "GET", "http://[::1]:%d/", p->port);
    got_start(g);
    got_wait(g);
    assert_string_equal(g->body.p, "abcdefgh");
    got_free(g);
    origin_stop(p);
}

static void test_guard(void **state)
{
    static const char *const forbidden[] = {"127.0.0.1",  "localhost", "127.1",
                                            "2130706433", "[::1]",     "[::ffff:127.0.0.1]",
                                            "two.test",   "0.0.0.0",   "0"};
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_text, chunks, NULL);
    learn(c, "two.test", (const char *[]){"10.0.0.1", "127.0.0.1"}, 2);
    struct got *g = get(c, p->port);
    got_start(g);
    got_wait(g);
    assert_int_equal(client_idle(c->client), 1); // a kept connection must not help
    got_free(g);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
        g = got_new(c, "GET", "http://%s:%d/", forbidden[i], p->port);
        g->call.guarded = true;
        got_start(g);
        got_wait(g);
        if (!text_eq(got_why(g), "address_forbidden"))
            fail_msg("%s: %s", forbidden[i], got_why(g));
        got_free(g);
    }
    assert_int_equal(p->accepted, 1);
    origin_stop(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, caller_setup, caller_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pause_at_every_callback),
        TEST(test_pause_before_anything),
        TEST(test_pause_of_bodiless),
        TEST(test_pause_then_end_of_connection),
        TEST(test_pause_holds_the_peer),
        TEST(test_codings),
        TEST(test_bomb_is_bounded_while_paused),
        TEST(test_cancel_in_callbacks),
        TEST(test_cancel_in_midst_of_decoding),
        TEST(test_cancel_at_every_stage),
        TEST(test_cancel_is_seen_by_the_peer),
        TEST(test_timeouts),
        TEST(test_pause_does_not_time_out),
        TEST(test_slow_but_steady_is_fine),
        TEST(test_unreachable),
        TEST(test_addresses_in_turn),
        TEST(test_ipv6),
        TEST(test_guard),
    };
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
