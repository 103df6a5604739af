// Requests, good and bad, each whole, byte by byte and cut in two at every position.

#include "unit/common/http/host.h"

#include <string.h>

#include "common/http/encoding.h"

struct conversation {
    const char *request, *answers;
};

static struct http_limits small_limits(void)
{
    struct http_limits l = http_default_limits;
    l.body_bytes = 1000;
    return l;
}

static void talk(struct host *h, struct str request, const char *answers, size_t first, size_t step)
{
    struct str whole = request;
    struct visitor p = visitor_open(h);
    for (size_t n = first; request.n; n = step) {
        n = n < request.n ? n : request.n;
        visitor_send(&p, (struct str){request.p, n});
        request = str_skip(request, n);
    }
    if (!visitor_awaits(&p, answers))
        print_error("%.*s\n", (int)whole.n, whole.p);
    assert_string_equal(visitor_answers(&p), answers);
    visitor_close(&p);
}

static void at_every_cut(struct host *h, struct str request, const char *answers)
{
    talk(h, request, answers, request.n, request.n);
    talk(h, request, answers, 1, 1);
    for (size_t at = 1; at < request.n; at++)
        talk(h, request, answers, at, request.n);
}

static void replay(const struct conversation *list, size_t count)
{
    struct host h;
    struct http_limits limits = small_limits();
    host_open(&h, &limits);
    for (size_t i = 0; i < count; i++) {
        at_every_cut(&h, str_of(list[i].request), list[i].answers);
    }
    host_run(&h, 5);
    assert_int_equal(http_server_connections(h.server), 0);
    assert_int_equal(h.finished, h.requests + h.rejects);
    host_close(&h);
}

#define REPLAY(list) replay(list, sizeof(list) / sizeof(*(list)))

// --- what is answered -----------------------------------------------------------------------

static void good_requests(void **state)
{
    (void)state;
    static const struct conversation list[] = {
        {"GET /echo HTTP/1.1\r\n" HOST "\r\n", "200 GET /echo  <>\n"},
        {"GET   / HTTP/1.1\r\n" HOST "\r\n", "200 GET /  <>\n"},
        {"GET /echo?a=b?c HTTP/1.1\r\nhOST:a:80\r\n\r\n", "200 GET /echo a=b?c <>\n"},
        {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "200 GET /  <>\n"},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "200 POST /p  <hello>\n"},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "200 POST /p  <>\n"},
        {"PUT /p HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
         "5\r\nhello\r\n1\r\n \r\n00A;x=y;z=\"q\"\r\n0123456789\r\n0\r\n\r\n",
         "200 PUT /p  <hello 0123456789>\n"},
        {"PUT /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "1\r\na\r\n0\r\nX-Trailer: dropped\r\nHost: b\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n",
         "200 PUT /p  <a>\n200 GET /2  <>\n"},
        {"GET /1 HTTP/1.1\r\n" HOST "\r\nPOST /2 HTTP/1.1\r\n" HOST
         "Content-Length: 1\r\n\r\nxDELETE /3 HTTP/1.1\r\n" HOST "\r\n",
         "200 GET /1  <>\n200 POST /2  <x>\n200 DELETE /3  <>\n"},
        {"GET http://a/x?y HTTP/1.1\r\n" HOST "\r\n", "200 GET /x y <>\n"},
        {"GET HTTP://A HTTP/1.1\r\n" HOST "\r\n", "200 GET /  <>\n"},
        {"GET http://a?q HTTP/1.1\r\n" HOST "\r\n", "200 GET / q <>\n"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "200 OPTIONS *  <>\n"},
        {"GET / HTTP/1.1\r\n" HOST "Empty:\r\nBlank: \t \r\nX:  y \t\r\n\r\n", "200 GET /  <>\n"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
         "GET /2 HTTP/1.1\r\n" HOST "\r\n",
         "200 GET /  <>\n200 GET /2  <>\n"},
        {"POST / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n"
         "\r\nab",
         "200 POST /  <ab>\n"},
        {"GET /1 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n",
         "200 close GET /1  <>\n-"},
        {"GET / HTTP/1.0\r\n\r\n", "200 close GET /  <>\n-"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
         "200 GET /  <>\n200 close GET /2  <>\n-"},
        {"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", "200 close POST /  <ab>\n-"},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
         "100\n200 POST /  <ab>\n"},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n",
         "100\n200 POST /  <>\n"},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
         "200 close POST /  <ab>\n-"},
        {"POST /small HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789",
         "200 POST /small  <0123456789>\n"},
        {"POST / HTTP/1.1\r\n" HOST "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\na",
         "200 POST /  <a>\n"},
    };
    REPLAY(list);
}

// --- what is refused --------------------------------------------------------------------------

static void bad_heads(void **state)
{
    (void)state;
    static const char bad[] = "400 close bad_request\n-";
    static const struct conversation list[] = {
        {"GET / HTTP/1.1\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST "Host: a\r\n\r\n", bad},
        {"GET / HTTP/1.0\r\n" HOST "host: b\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", bad},
        {"GET http://b/ HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET http:/// HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET * HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET /#x HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET /\x01 HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET /\xff HTTP/1.1\r\n" HOST "\r\n", bad},
        {"GET / HTTP/1.1\n" HOST "\r\n", bad},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", bad},
        {"GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", bad},
        {"get / HTTP/1.1\r\n" HOST "\r\n", bad},
        {"\x16\x03\x01\x02\n", bad},
        {"BREW / HTTP/1.1\r\n" HOST "\r\n", "405 close method_not_allowed\n-"},
        {"GETS / HTTP/1.1\r\n" HOST "\r\n", "405 close method_not_allowed\n-"},
        {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\nxyz", "405 close method_not_allowed\n-"},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", "505 close bad_request\n-"},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", "505 close bad_request\n-"},
        {"GET / HTTP/0.9\r\n" HOST "\r\n", "505 close bad_request\n-"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 close bad_request\n-"},
        {"GET / HTTQ/1.1\r\n" HOST "\r\n", bad},
        {"GET /deny HTTP/1.1\r\n" HOST "\r\n", "401 close token_missing\n-"},
        {"GET /1 HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n" HOST "\r\n",
         "200 GET /1  <>\n400 close bad_request\n-"},
    };
    REPLAY(list);
}

static void bad_bodies(void **state)
{
    (void)state;
    static const char bad[] = "400 close bad_request\n-";
    static const char large[] = "413 close body_too_large\n-";
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
    static const struct conversation list[] = {
        {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", bad},
        {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", bad},
        {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", bad},
        {POST "Content-Length: 1, 1\r\n\r\na", bad},
        {POST "Content-Length: +1\r\n\r\na", bad},
        {POST "Content-Length: -1\r\n\r\na", bad},
        {POST "Content-Length: 0x1\r\n\r\na", bad},
        {POST "Content-Length: 1 1\r\n\r\na", bad},
        {POST "Content-Length:\r\n\r\n", bad},
        {POST "Content-Length: 18446744073709551617\r\n\r\na", bad},
        {POST "Transfer-Encoding: identity\r\n\r\n", "501 close bad_request\n-"},
        {POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", bad},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 close bad_request\n-"},
        {POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", bad},
        {POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501 close bad_request\n-"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad},
        {CHUNKED "g\r\n", bad},
        {CHUNKED "-1\r\n", bad},
        {CHUNKED "1\r\nab\r\n", bad},
        {CHUNKED "1\na\r\n", bad},
        {CHUNKED "1 \r\na\r\n", bad},
        {CHUNKED "1\r\na\n0\r\n\r\n", bad},
        {CHUNKED "11111111111111111\r\n", bad},
        {CHUNKED "0\r\nA B\r\n\r\n", bad},
        {POST "Content-Length: 1001\r\n\r\n", large},
        {POST "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n", large},
        {"POST /small HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n0123456789a", large},
        {"POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n"
         "5\r\n6789a\r\n",
         large},
        {"POST /deny HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd",
         "401 close token_missing\n-"},
        {POST "Expect: tea\r\nContent-Length: 1\r\n\r\na", "417 close bad_request\n-"},
        {POST "Content-Encoding: zap\r\nContent-Length: 1\r\n\r\na",
         "415 close encoding_unsupported\n-"},
        {POST "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
         "400 close body_invalid\n-"},
        {POST "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
         "400 close body_invalid\n-"},
    };
    REPLAY(list);
}

static void nul_bytes(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    static const char in_path[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    static const char in_name[] = "GET / HTTP/1.1\r\n" HOST "X\0: y\r\n\r\n";
    static const char in_value[] = "GET / HTTP/1.1\r\n" HOST "X: y\0\r\n\r\n";
    at_every_cut(&h, STR(in_path), "400 close bad_request\n-");
    at_every_cut(&h, STR(in_name), "400 close bad_request\n-");
    at_every_cut(&h, STR(in_value), "400 close bad_request\n-");
    host_close(&h);
}

// --- compressed bodies ----------------------------------------------------------------------

static void post_packed(struct buf *out, const char *coding, struct str body)
{
    BUF_HERE(packed, SIZE_MAX);
    assert_true(encoding_compress(coding, body, &packed));
    buf_printf(out,
               "POST / HTTP/1.1\r\n" HOST "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
               coding, packed.n);
    buf_str(out, buf_view(&packed));
}

static void compressed_bodies(void **state)
{
    (void)state;
    struct host h;
    struct http_limits limits = small_limits();
    host_open(&h, &limits);
    static const char *const codings[] = {"gzip", "br", "zstd"};
    char bomb[1001];
    memset(bomb, 'x', sizeof(bomb));
    for (int i = 0; i < 3; i++) {
        BUF_HERE(fine, SIZE_MAX);
        post_packed(&fine, codings[i], STR("some text, some text"));
        at_every_cut(&h, buf_view(&fine), "200 POST /  <some text, some text>\n");
        BUF_HERE(large, SIZE_MAX);
        post_packed(&large, codings[i], (struct str){bomb, sizeof(bomb)});
        at_every_cut(&h, buf_view(&large), "413 close body_too_large\n-");
    }
    host_close(&h);
}

// --- sizes ----------------------------------------------------------------------------------

static void sized(size_t n, size_t step, const char *answers)
{
    struct host h;
    host_open(&h, NULL);
    BUF_HERE(request, SIZE_MAX);
    buf_puts(&request, "GET / HTTP/1.1\r\n" HOST "X: ");
    while (request.n < n - 4)
        buf_puts(&request, "x");
    buf_puts(&request, "\r\n\r\n");
    talk(&h, buf_view(&request), answers, step, step);
    host_close(&h);
}

static void heads_have_a_size(void **state)
{
    (void)state;
    static const size_t steps[] = {SIZE_MAX, 65536, 4096, 777};
    for (int i = 0; i < 4; i++) {
        sized(64 * 1024, steps[i], "200 GET /  <>\n");
        sized(64 * 1024 + 1, steps[i], "431 close header_too_large\n-");
        sized(1024 * 1024, steps[i], "431 close header_too_large\n-");
    }
}

static void many(const char *start, const char *each, int count, const char *end,
                 const char *answers)
{
    struct host h;
    host_open(&h, NULL);
    BUF_HERE(request, SIZE_MAX);
    buf_puts(&request, start);
    for (int i = 0; i < count; i++)
        buf_puts(&request, each);
    buf_puts(&request, end);
    talk(&h, buf_view(&request), answers, SIZE_MAX, SIZE_MAX);
    talk(&h, buf_view(&request), answers, 100, 100);
    host_close(&h);
}

static void counts_have_a_limit(void **state)
{
    (void)state;
    static const char get[] = "GET / HTTP/1.1\r\n" HOST;
    many(get, "A: b\r\n", 127, "\r\n", "200 GET /  <>\n");
    many(get, "A: b\r\n", 128, "\r\n", "431 close header_too_large\n-");
    many("GET /", "a", 70000, " HTTP/1.1\r\n" HOST "\r\n", "431 close header_too_large\n-");
    many(CHUNKED "1;", "x", 4096, "\r\na\r\n0\r\n\r\n", "200 POST /  <a>\n");
    many(CHUNKED "1;", "x", 4097, "\r\na\r\n0\r\n\r\n", "400 close bad_request\n-");
    many(CHUNKED, "1;abcdefghi=jklmnopqrstu\r\na\r\n", 300, "0\r\n\r\n",
         "400 close bad_request\n-");
    many(CHUNKED "0\r\n", "Ab: cd\r\n", 100, "\r\n", "200 POST /  <>\n");
    many(CHUNKED "0\r\n", "Ab: cd\r\n", 3000, "\r\n", "431 close header_too_large\n-");
}

static void bodies_grow(void **state)
{
    (void)state;
    struct host h;
    host_open(&h, NULL);
    size_t n = 3 * 1024 * 1024;
    BUF_HERE(request, SIZE_MAX);
    buf_printf(&request, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", n);
    size_t head = request.n;
    for (size_t i = 0; i < n; i++)
        buf_add(&request, &"0123456789"[i % 10], 1);
    struct visitor p = visitor_open(&h);
    visitor_send(&p, buf_view(&request));
    host_until(&h, &h.held_count, 1);
    assert_int_equal(h.held[0]->body.n, n);
    assert_memory_equal(h.held[0]->body.p, request.p + head, n);
    exchange_reply(h.held[0], 200, NULL, NULL, 0, STR("ok"));
    visitor_expect(&p, "200 ok\n");
    visitor_close(&p);
    host_close(&h);
}

// A client that sends everything before it reads must see the error and no reset.
static void uploads_in_vain_hear_why(void **state)
{
    (void)state;
    struct host h;
    struct http_limits limits = small_limits();
    host_open(&h, &limits);
    struct visitor p = visitor_open(&h);
    visitor_puts(&p, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5000000\r\n\r\n");
    char *lots = arena_alloc(h.arena, 5000000);
    visitor_send(&p, (struct str){lots, 5000000});
    visitor_expect(&p, "413 close body_too_large\n-");
    assert_false(p.reset);
    visitor_close(&p);
    host_close(&h);
}

static void flooding_is_cut(void **state)
{
    (void)state;
    struct host h;
    struct http_limits limits = small_limits();
    host_open(&h, &limits);
    struct visitor p = visitor_open(&h);
    visitor_puts(&p, "POST / HTTP/1.1\r\n" HOST "Content-Length: 50000000\r\n\r\n");
    char *lots = arena_alloc(h.arena, 50000000);
    visitor_send(&p, (struct str){lots, 50000000});
    assert_true(p.reset);
    visitor_close(&p);
    host_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(good_requests),       T(bad_heads),         T(bad_bodies),
        T(nul_bytes),           T(compressed_bodies), T(heads_have_a_size),
        T(counts_have_a_limit), T(bodies_grow),       T(uploads_in_vain_hear_why),
        T(flooding_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
