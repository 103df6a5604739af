// The workers' request: answers, limits, redirects and the guard at every hop.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/http/encoding.h"
#include "common/http/fetch.h"
#include "origin.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static struct authority ca;
static char requests[8][4096]; // by connection

static void serve_text(struct origin_conn *c)
{
    while (origin_request(c, requests[c->nth % 8], sizeof(requests[0])) &&
           origin_says(c, c->origin->script))
        continue;
}

static void serve_once(struct origin_conn *c)
{
    if (origin_request(c, requests[c->nth % 8], sizeof(requests[0])))
        origin_says(c, c->origin->script);
}

static const char *why(const struct err *e)
{
    return e ? e->kind->code : "";
}

static const char *url_of(struct arena *a, const struct origin *p, const char *path)
{
    return arena_printf(a, "http://127.0.0.1:%d%s", p->port, path);
}

static void test_get(void **state)
{
    (void)state;
    ARENA(a);
    struct origin *p = origin_start(
        "127.0.0.1", serve_text, OK_HEAD "X-A: 1\r\nx-b:\r\nContent-Length: 5\r\n\r\nhello", NULL);
    struct http_header headers[] = {{STR("X-Key"), STR("secret")}, {STR("X-None"), STR("")}};
    struct fetch f = {.url = url_of(a, p, "/a?b=c"), .headers = headers, .header_count = 2};
    struct fetch_answer got;
    assert_string_equal(why(fetch(a, &f, &got)), "");
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body.p, "hello");
    assert_true(str_is(http_header(&got.headers, "x-a"), "1"));
    assert_non_null(http_header(&got.headers, "X-B").p);
    assert_ptr_equal(strstr(requests[0], "GET /a?b=c HTTP/1.1\r\n"), requests[0]);
    assert_non_null(strstr(requests[0], "\r\nX-Key: secret\r\n"));
    assert_non_null(strstr(requests[0], "\r\nX-None:\r\n"));
    origin_stop(p);
}

static void test_post(void **state)
{
    (void)state;
    ARENA(a);
    struct origin *p = origin_start("127.0.0.1", serve_text,
                                    "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", NULL);
    struct http_header type = {STR("Content-Type"), STR("application/json")};
    struct fetch f = {
        .url = url_of(a, p, "/"), .headers = &type, .header_count = 1, .body = STR("{\"a\":1}")};
    struct fetch_answer got;
    assert_string_equal(why(fetch(a, &f, &got)), "");
    assert_int_equal(got.status, 404);
    assert_string_equal(got.body.p, "no");
    assert_ptr_equal(strstr(requests[0], "POST / HTTP/1.1\r\n"), requests[0]);
    assert_non_null(strstr(requests[0], "Content-Type: application/json\r\n"));
    assert_non_null(strstr(requests[0], "\r\n\r\n{\"a\":1}"));
    f.method = "PUT";
    assert_string_equal(why(fetch(a, &f, &got)), "");
    assert_ptr_equal(strstr(requests[1], "PUT / HTTP/1.1\r\n"), requests[1]);
    origin_stop(p);
}

static void test_refused_input(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",        "nonsense",    "ftp://127.0.0.1/", "file:///etc/passwd",
        "http://", "gopher://x/", "http://a b/"};
    ARENA(a);
    struct fetch_answer got;
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        struct fetch f = {.url = urls[i]};
        assert_string_equal(why(fetch(a, &f, &got)), "field_invalid");
    }
    struct http_header bad[] = {
        {STR("X"), STR("a\r\nY: b")}, {STR("X\n"), STR("a")}, {STR("X: y"), STR("")}};
    for (size_t i = 0; i < 3; i++) {
        struct fetch f = {.url = "http://127.0.0.1:1/", .headers = &bad[i], .header_count = 1};
        assert_string_equal(why(fetch(a, &f, &got)), "channel_misconfigured");
    }
    struct fetch f = {.url = "http://127.0.0.1:1/", .proxy = "https://127.0.0.1:1"};
    assert_string_equal(why(fetch(a, &f, &got)), "channel_misconfigured");
    f.proxy = NULL;
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_unreachable");
}

static void serve_endless(struct origin_conn *c)
{
    origin_request(c, requests[0], sizeof(requests[0]));
    origin_says(c, OK_HEAD "\r\n");
    while (origin_says(c, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
        continue;
}

static void serve_silence(struct origin_conn *c)
{
    origin_wait_end(c);
}

static void test_limits(void **state)
{
    (void)state;
    ARENA(a);
    struct fetch_answer got;
    struct origin *p = origin_start("127.0.0.1", serve_endless, NULL, NULL);
    struct fetch f = {.url = url_of(a, p, "/"), .max_bytes = 10000};
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_too_large");
    origin_stop(p);
    p = origin_start("127.0.0.1", serve_silence, NULL, NULL);
    f = (struct fetch){.url = url_of(a, p, "/"), .timeout_ms = 200};
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_timeout");
    origin_stop(p);
    p = origin_start("127.0.0.1", serve_once, OK_HEAD "Content-Length: 9\r\n\r\nhello", NULL);
    f = (struct fetch){.url = url_of(a, p, "/")};
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_truncated");
    origin_stop(p);
}

struct coded {
    struct buf text;
};

static void serve_coded(struct origin_conn *c)
{
    const struct coded *b = c->origin->script;
    char head[200];
    origin_request(c, requests[0], sizeof(requests[0]));
    snprintf(head, sizeof(head), OK_HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
             b->text.n);
    origin_says(c, head);
    origin_say(c, b->text.p, b->text.n);
}

static void test_coded_is_bounded_decoded(void **state)
{
    (void)state;
    ARENA(a);
    struct fetch_answer got;
    struct coded b = {BUF(SIZE_MAX / 2)};
    char *zeros = calloc(1, 4 << 20);
    assert_true(encoding_compress("gzip", (struct str){zeros, 4 << 20}, &b.text));
    struct origin *p = origin_start("127.0.0.1", serve_coded, &b, NULL);
    struct fetch f = {.url = url_of(a, p, "/"), .max_bytes = 4 << 20};
    assert_string_equal(why(fetch(a, &f, &got)), "");
    assert_int_equal(got.body.n, 4 << 20);
    f.max_bytes = (4 << 20) - 1;
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_too_large");
    origin_stop(p);
    buf_free(&b.text);
    free(zeros);
}

// --- redirects ----------------------------------------------------------------------------

// /N/rest sends N times elsewhere on the same host; then 200.
static void serve_hops(struct origin_conn *c)
{
    char text[300];
    while (origin_request(c, requests[c->nth % 8], sizeof(requests[0]))) {
        int left = (int)strtol(strchr(requests[c->nth % 8], '/') + 1, NULL, 10);
        if (left)
            snprintf(text, sizeof(text),
                     "HTTP/1.1 %s Moved\r\nLocation: /%d\r\nContent-Length: 0\r\n\r\n",
                     (const char *)c->origin->script, left - 1);
        if (!origin_says(c, left ? text : OK_HEAD "Content-Length: 3\r\n\r\nend"))
            return;
    }
}

static void test_redirects(void **state)
{
    (void)state;
    static const struct {
        const char *status, *method;
        bool body;
    } ways[] = {{"301", "GET", false},
                {"302", "GET", false},
                {"303", "GET", false},
                {"307", "POST", true},
                {"308", "POST", true}};
    ARENA(a);
    for (size_t i = 0; i < 5; i++) {
        struct fetch_answer got;
        struct origin *p = origin_start("127.0.0.1", serve_hops, ways[i].status, NULL);
        struct http_header key = {STR("Authorization"), STR("Bearer k")};
        struct fetch f = {.url = url_of(a, p, "/2"),
                          .redirects = 2,
                          .body = STR("{}"),
                          .headers = &key,
                          .header_count = 1};
        assert_string_equal(why(fetch(a, &f, &got)), "");
        assert_string_equal(got.body.p, "end");
        assert_string_equal(got.url, url_of(a, p, "/0"));
        assert_ptr_equal(strstr(requests[2], ways[i].method), requests[2]);
        assert_int_equal(strstr(requests[2], "\r\n\r\n{}") != NULL, ways[i].body);
        assert_non_null(strstr(requests[2], "Bearer k")); // same origin
        f.redirects = 1;
        assert_string_equal(why(fetch(a, &f, &got)), "upstream_failed");
        f.redirects = 0;
        assert_string_equal(why(fetch(a, &f, &got)), "");
        assert_int_equal(got.status, strtol(ways[i].status, NULL, 10));
        origin_stop(p);
    }
}

static void test_redirect_abroad(void **state)
{
    (void)state;
    ARENA(a);
    struct fetch_answer got;
    struct origin *end =
        origin_start("127.0.0.1", serve_text, OK_HEAD "Content-Length: 3\r\n\r\nend", NULL);
    const char *there = arena_printf(
        a, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
        end->port);
    struct origin *p = origin_start("127.0.0.1", serve_text, there, NULL);
    struct http_header headers[] = {{STR("Authorization"), STR("Bearer k")},
                                    {STR("Cookie"), STR("c")},
                                    {STR("X-Api-Key"), STR("k")},
                                    {STR("Accept"), STR("image/png")}};
    struct fetch f = {
        .url = url_of(a, p, "/"), .redirects = 3, .headers = headers, .header_count = 4};
    assert_string_equal(why(fetch(a, &f, &got)), "");
    assert_string_equal(got.body.p, "end"); // the last request is in requests[0] now
    assert_null(strstr(requests[0], "Bearer"));
    assert_null(strstr(requests[0], "Cookie"));
    assert_null(strstr(requests[0], "Api-Key"));
    assert_non_null(strstr(requests[0], "Accept: image/png"));
    origin_stop(p);
    static const char *const elsewhere[] = {"file:///etc/passwd", "ftp://127.0.0.1/",
                                            "gopher://x/"};
    for (size_t i = 0; i < 3; i++) {
        there = arena_printf(a, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                             elsewhere[i]);
        p = origin_start("127.0.0.1", serve_text, there, NULL);
        f.url = url_of(a, p, "/");
        assert_string_equal(why(fetch(a, &f, &got)), "upstream_failed");
        origin_stop(p);
    }
    origin_stop(end);
}

static void test_no_way_down_from_https(void **state)
{
    (void)state;
    ARENA(a);
    struct fetch_answer got;
    SSL_CTX *tls = authority_issue(&ca, "DNS:localhost", -60, 3600);
    struct origin *p = origin_start(
        "127.0.0.1", serve_text,
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", tls);
    struct fetch f = {.url = arena_printf(a, "https://localhost:%d/", p->port), .redirects = 3};
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_failed");
    f.redirects = 0; // the certificate is fine
    assert_string_equal(why(fetch(a, &f, &got)), "");
    f.url = arena_printf(a, "https://127.0.0.1:%d/", p->port); // not for this address
    assert_string_equal(why(fetch(a, &f, &got)), "upstream_unreachable");
    origin_stop(p);
    SSL_CTX_free(tls);
}

// --- the guard ------------------------------------------------------------------------------

static void test_guard(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1",  "localhost",          "127.1",
                                        "2130706433", "0x7f000001",         "0",
                                        "[::1]",      "[::ffff:127.0.0.1]", "[::]"};
    ARENA(a);
    struct fetch_answer got;
    struct origin *p =
        origin_start("127.0.0.1", serve_text, OK_HEAD "Content-Length: 0\r\n\r\n", NULL);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        struct fetch f = {.url = arena_printf(a, "http://%s:%d/", hosts[i], p->port),
                          .guarded = true};
        if (!text_eq(why(fetch(a, &f, &got)), "address_forbidden"))
            fail_msg("%s", hosts[i]);
    }
    assert_int_equal(p->accepted, 0);
    origin_stop(p);
}

// A proxy that is also whatever lies behind it.
static void serve_proxy(struct origin_conn *c)
{
    char asked[4096];
    while (origin_request(c, asked, sizeof(asked))) {
        if (!strncmp(asked, "CONNECT", 7))
            origin_says(c, "HTTP/1.1 200 OK\r\n\r\n");
        else
            origin_says(c, c->origin->script);
        snprintf(requests[c->nth % 8], sizeof(requests[0]), "%s", asked);
    }
}

static void test_proxy_and_guard_at_every_hop(void **state)
{
    (void)state;
    ARENA(a);
    struct fetch_answer got;
    struct origin *p = origin_start(
        "127.0.0.1", serve_proxy,
        "HTTP/1.1 302 Found\r\nLocation: http://127.1/\r\nContent-Length: 0\r\n\r\n", NULL);
    struct fetch f = {.url = "http://up.test/", .guarded = true, .proxy = url_of(a, p, "")};
    assert_string_equal(why(fetch(a, &f, &got)), "");
    assert_int_equal(got.status, 302);
    f.redirects = 1;
    assert_string_equal(why(fetch(a, &f, &got)), "address_forbidden");
    f.url = "http://[::1]/";
    assert_string_equal(why(fetch(a, &f, &got)), "address_forbidden");
    assert_int_equal(p->accepted, 2);
    f.guarded = false; // the address is reached through the proxy
    f.redirects = 0;
    assert_string_equal(why(fetch(a, &f, &got)), "");
    origin_stop(p);
}

static void test_environment_proxies_are_ignored(void **state)
{
    (void)state;
    ARENA(a);
    struct fetch_answer got;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct origin *p =
        origin_start("127.0.0.1", serve_text, OK_HEAD "Content-Length: 0\r\n\r\n", NULL);
    struct fetch f = {.url = url_of(a, p, "/")};
    assert_string_equal(why(fetch(a, &f, &got)), "");
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    origin_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_refused_input),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_coded_is_bounded_decoded),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_redirect_abroad),
        cmocka_unit_test(test_no_way_down_from_https),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_proxy_and_guard_at_every_hop),
        cmocka_unit_test(test_environment_proxies_are_ignored),
    };
    char file[] = "/tmp/test_fetch.XXXXXX";
    close(mkstemp(file));
    ca = authority_new("test CA");
    authority_save(&ca, file);
    setenv("SSL_CERT_FILE", file, 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    authority_free(&ca);
    return failed;
}
