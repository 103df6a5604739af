// Answers: how they are framed, compressed and held up by slow readers.

#include "unit/common/http/host.h"

#include <string.h>

// --- framing --------------------------------------------------------------------------------

static void chunks(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    host_run(&h, 5);
    visitor_pump(&p);
    assert_int_equal(p.in.n, 0); // the head waits for the body
    struct str pieces[] = {STR("ab"), STR(""), STR("cd")};
    exchange_write(x, pieces, 3);
    visitor_until(&p, "\r\n\r\n4\r\nabcd\r\n");
    host_write(x, ""); // would end the body
    host_write(x, "0123456789abcdef");
    visitor_until(&p, "10\r\n0123456789abcdef\r\n");
    assert_int_equal(x->sent, 20);
    exchange_end(x);
    visitor_expect(&p, "200 abcd0123456789abcdef\n");
    assert_int_equal(h.finished, 1);
    assert_int_equal(h.sent, 20);
    assert_false(h.left);
    x = host_hold(&p, GET("/hold")); // the connection goes on
    struct str few[60];
    for (int i = 0; i < 60; i++)
        few[i] = STR("x");
    exchange_head(x, 201, NULL, 0, -1);
    exchange_write(x, few, 60); // more than go into one call
    exchange_end(x);
    visitor_until(&p, "3c\r\nxxxxxxxxxx");
    visitor_until(&p, "xx\r\n0\r\n\r\n");
    visitor_close(&p);
    host_close(&h);
}

static struct buf given(const char *text)
{
    struct buf b = BUF(1 << 20);
    buf_puts(&b, text);
    return b;
}

// Memory that is given away stands in its place among what is copied, whatever comes of it.
static void given_pieces(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    struct buf one = given("..first"), two = given("second"), none = given("");
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "a");
    exchange_give(x, &one, 2);
    host_write(x, "b");
    exchange_give(x, &two, 0); // there is room for one of them
    exchange_give(x, &none, 0);
    assert_int_equal(one.n + two.n + none.n, 0);
    assert_int_equal(x->sent, 13);
    exchange_end(x);
    visitor_until(&p, "\r\n\r\n1\r\na\r\n5\r\nfirst\r\n1\r\nb\r\n6\r\nsecond\r\n0\r\n\r\n");
    buf_clear(&p.in);
    x = host_hold(&p, GET("/hold"));
    one = given("whole");
    exchange_head(x, 200, NULL, 0, 5);
    exchange_give(x, &one, 0);
    exchange_end(x);
    visitor_expect(&p, "200 whole\n");
    buf_clear(&p.in);
    x = host_hold(&p, "HEAD /hold HTTP/1.1\r\n" HOST "\r\n");
    one = given("nobody asked");
    exchange_head(x, 200, NULL, 0, -1);
    exchange_give(x, &one, 0);
    exchange_end(x);
    visitor_expect(&p, "200\n");
    x = host_hold(&p, GET("/hold"));
    one = given("lost");
    exchange_head(x, 200, NULL, 0, -1);
    exchange_give(x, &one, 0);
    visitor_close(&p); // still on its way
    host_until(&h, &h.gone, 1);
    two = given("too late");
    exchange_give(x, &two, 0);
    exchange_end(x);
    host_close(&h);
}

// More than goes at once: behind what waits, in order, and the next one behind both.
static void large_given_pieces(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    struct buf small = given("small"), large = BUF(1 << 20);
    for (int i = 0; i < 20000; i++)
        buf_puts(&large, "0123456789");
    exchange_head(x, 200, NULL, 0, 5 + 200000 + 3);
    exchange_give(x, &small, 0);
    exchange_give(x, &large, 0);
    host_write(x, "end");
    exchange_end(x);
    visitor_until(&p, "\r\n\r\nsmall0123456789");
    visitor_until(&p, "0123456789end");
    visitor_close(&p);
    host_close(&h);
}

static void empty_chunked(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    exchange_end(x);
    visitor_expect(&p, "200 \n");
    visitor_close(&p);
    host_close(&h);
}

static void answers_to_http_1_0(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, "GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    exchange_head(x, 200, NULL, 0, 2);
    host_write(x, "ab");
    exchange_end(x);
    visitor_until(&p, "Connection: keep-alive\r\n\r\nab");
    x = host_hold(&p, "GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    exchange_head(x, 200, NULL, 0, -1); // nothing but the end can say where it ends
    host_write(x, "one ");
    host_write(x, "two");
    exchange_end(x);
    visitor_until_end(&p);
    assert_non_null(strstr(p.in.p, "Connection: close\r\n\r\none two"));
    assert_null(strstr(p.in.p, "chunked"));
    visitor_close(&p);
    p = visitor_open(&h);
    x = host_hold(&p, "GET /hold HTTP/1.0\r\n\r\n");
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "cut");
    exchange_abort(x);
    visitor_until_end(&p);
    assert_true(p.reset); // an orderly end would look complete
    visitor_close(&p);
    host_close(&h);
}

static void answers_without_body(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    host_reply(host_hold(&p, "HEAD /hold HTTP/1.1\r\n" HOST "\r\n"), "text");
    visitor_until(&p, "Content-Length: 4\r\n\r\n");
    assert_int_equal(h.sent, 0);
    buf_clear(&p.in);
    struct exchange *x = host_hold(&p, "HEAD /hold HTTP/1.1\r\n" HOST "\r\n");
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "dropped");
    host_run(&h, 2);
    host_write(x, "dropped");
    host_write(x, "dropped");
    exchange_end(x);
    visitor_expect(&p, "200\n");
    exchange_reply(host_hold(&p, GET("/hold")), 204, NULL, NULL, 0, STR(""));
    visitor_expect(&p, "200\n204\n");
    exchange_reply(host_hold(&p, GET("/hold")), 304, NULL, NULL, 0, STR("dropped"));
    visitor_expect(&p, "200\n204\n304\n");
    assert_null(strstr(p.in.p, "dropped"));
    visitor_close(&p);
    host_close(&h);
}

static void headers_of_answers(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    struct http_header extra[] = {{STR("Retry-After"), STR("3")},
                                  {STR("Evil"), STR("a\r\nSet-Cookie: x")},
                                  {STR("Last"), STR("")}};
    char id[REQUEST_ID_SIZE + 1];
    memcpy(id, x->request_id, sizeof(id));
    exchange_reply(x, 429, "text/plain", extra, 3, STR("slow"));
    visitor_expect(&p, "429 slow\n");
    assert_non_null(strstr(p.in.p, "HTTP/1.1 429 Too Many Requests\r\nDate: "));
    assert_non_null(strstr(p.in.p, id));
    assert_non_null(strstr(p.in.p, "\r\nContent-Type: text/plain\r\nRetry-After: 3\r\nLast: \r\n"));
    assert_null(strstr(p.in.p, "Set-Cookie"));
    visitor_close(&p);
    host_close(&h);
}

static void promised_lengths_are_kept(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, 5);
    host_write(x, "abc");
    exchange_end(x); // too little: the client must notice
    visitor_expect(&p, "200...-");
    assert_int_equal(h.finished, 1);
    visitor_close(&p);
    p = visitor_open(&h);
    x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, 5);
    host_write(x, "abc");
    host_write(x, "def"); // too much
    host_until(&h, &h.gone, 1);
    exchange_end(x);
    visitor_until_end(&p);
    assert_null(strstr(p.in.p, "def"));
    visitor_close(&p);
    host_close(&h);
}

static void aborted_answers_break_off(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "part");
    exchange_abort(x);
    assert_int_equal(h.finished, 1);
    visitor_expect(&p, "200 part...-");
    visitor_close(&p);
    p = visitor_open(&h);
    exchange_abort(host_hold(&p, GET("/hold")));
    visitor_expect(&p, "-");
    visitor_close(&p);
    p = visitor_open(&h);
    exchange_end(host_hold(&p, GET("/hold"))); // without a head there is nothing to end
    visitor_expect(&p, "-");
    assert_int_equal(h.gone, 0);
    visitor_close(&p);
    host_close(&h);
}

static void compressed_replies(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *type, *coding;
    } cases[] = {
        {"gzip", "application/json", "gzip"},
        {"br, gzip", "text/html; charset=utf-8", "br"},
        {"zstd, br", "application/json", "zstd"},
        {"gzip;q=0", "application/json", NULL},
        {"gzip", "image/png", NULL},
    };
    struct host h;
    host_open(&h, NULL);
    char text[5000];
    memset(text, 'j', sizeof(text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ARENA(a);
        struct visitor p = visitor_open(&h);
        const char *request = arena_printf(
            a, "GET /hold HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n", cases[i].accept);
        struct exchange *x = host_hold(&p, request);
        exchange_reply(x, 200, cases[i].type, NULL, 0, (struct str){text, sizeof(text)});
        visitor_until(&p, "\r\n\r\n");
        host_run(&h, 2);
        visitor_pump(&p);
        const char *body = strstr(p.in.p, "\r\n\r\n") + 4;
        size_t n = p.in.n - (size_t)(body - p.in.p);
        if (!cases[i].coding) {
            assert_int_equal(n, sizeof(text));
            assert_null(strstr(p.in.p, "Content-Encoding"));
        } else {
            assert_true(n < 200);
            assert_non_null(
                strstr(p.in.p, arena_printf(a, "\r\nContent-Encoding: %s\r\n", cases[i].coding)));
            assert_non_null(strstr(p.in.p, "\r\nVary: Accept-Encoding\r\n"));
        }
        visitor_close(&p);
    }
    host_close(&h);
}

static void small_replies_are_left_alone(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x =
        host_hold(&p, "GET /hold HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n");
    host_reply(x, "small");
    visitor_expect(&p, "200 small\n");
    visitor_close(&p);
    host_close(&h);
}

// --- backpressure ------------------------------------------------------------

static void slow_readers_hold_up_the_writer(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    struct visitor p = visitor_open(&h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    char *piece = arena_alloc(h.arena, 10000);
    memset(piece, 'y', 10000);
    struct str bytes = {piece, 10000};
    int64_t wrote = 0;
    while (exchange_queued(x) <= http_default_limits.queue_high) {
        exchange_write(x, &bytes, 1);
        uv_run(&h.loop->uv, UV_RUN_NOWAIT);
        wrote += 10000;
        assert_true(wrote < 100000000);
    }
    assert_int_equal(x->sent, wrote);
    host_run(&h, 20);
    assert_int_equal(h.drained, 0);
    visitor_pump(&p);
    while (!h.drained)
        visitor_pump(&p);
    assert_int_equal(h.drained, 1);
    assert_true(exchange_queued(x) <= http_default_limits.queue_low);
    exchange_write(x, &bytes, 1);
    exchange_end(x);
    host_until(&h, &h.finished, 1);
    visitor_until(&p, "\r\n0\r\n\r\n");
    ARENA(a);
    const char *answer = visitor_answers(&p);
    assert_int_equal(strlen(answer), 4 + wrote + 10000 + 1);
    visitor_close(&p);
    host_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(chunks),
        T(given_pieces),
        T(large_given_pieces),
        T(empty_chunked),
        T(answers_to_http_1_0),
        T(answers_without_body),
        T(headers_of_answers),
        T(promised_lengths_are_kept),
        T(aborted_answers_break_off),
        T(compressed_replies),
        T(small_replies_are_left_alone),
        T(slow_readers_hold_up_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
