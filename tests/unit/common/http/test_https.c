// The same server behind TLS: nothing may differ but the bytes on the wire.

#include "unit/common/http/host.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/tls.h"
#include "unit/common/http/origin.h"

static struct tls_context *context;

static FILE *create(char *name)
{
    int fd = mkstemp(name);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    return f;
}

static void make_context(void)
{
    char cert_file[] = "/tmp/test_https.XXXXXX", key_file[] = "/tmp/test_https.XXXXXX";
    struct authority ca = authority_new("test CA");
    SSL_CTX *issued = authority_issue(&ca, "DNS:localhost,IP:127.0.0.1", -60, 3600);
    EVP_PKEY *pair = SSL_CTX_get0_privatekey(issued);
    FILE *cert = create(cert_file), *key = create(key_file);
    assert_true(PEM_write_X509(cert, SSL_CTX_get0_certificate(issued)));
    assert_true(PEM_write_PrivateKey(key, pair, NULL, NULL, 0, NULL, NULL));
    fclose(cert);
    fclose(key);
    SSL_CTX_free(issued);
    authority_free(&ca);
    ARENA(a);
    assert_null(tls_server_context(a, cert_file, key_file, &context));
    unlink(cert_file);
    unlink(key_file);
}

static int open_host(void **state)
{
    static struct host h;
    make_context();
    struct http_limits limits = http_default_limits;
    limits.header_ms = 300;
    limits.tls = context;
    host_open(&h, &limits);
    *state = &h;
    return 0;
}

static int close_host(void **state)
{
    host_close(*state);
    tls_context_free(context);
    return 0;
}

static struct visitor enter(struct host *h)
{
    struct visitor p = visitor_open(h);
    visitor_secure(&p);
    return p;
}

static void requests_are_answered(void **state)
{
    struct host *h = *state;
    struct visitor p = enter(h);
    visitor_puts(&p, GET("/1") GET("/2"));
    visitor_expect(&p, "200 GET /1  <>\n200 GET /2  <>\n");
    static const char slow[] = "POST /3 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    for (size_t i = 0; i + 1 < sizeof(slow); i++)
        visitor_send(&p, (struct str){slow + i, 1});
    visitor_expect(&p, "200 GET /1  <>\n200 GET /2  <>\n200 POST /3  <abc>\n");
    visitor_close(&p);
}

static void streams(void **state)
{
    struct host *h = *state;
    struct visitor p = enter(h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "one ");
    visitor_until(&p, "one ");
    host_write(x, "two");
    exchange_end(x);
    visitor_expect(&p, "200 one two\n");
    visitor_close(&p);
}

static void large_in_and_out(void **state)
{
    struct host *h = *state;
    size_t n = 6 * 1024 * 1024;
    char *lots = arena_raw(h->arena, n);
    for (size_t i = 0; i < n; i++)
        lots[i] = (char)('a' + i % 23);
    struct visitor p = enter(h);
    visitor_puts(&p, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 6291456\r\n\r\n");
    visitor_send(&p, (struct str){lots, n});
    host_until(h, &h->held_count, 1);
    struct exchange *x = h->held[0];
    assert_int_equal(x->body.n, n);
    assert_memory_equal(x->body.p, lots, n);
    exchange_reply(x, 200, NULL, NULL, 0, (struct str){lots, n});
    assert_true(exchange_queued(x) > 0);
    while (!h->finished)
        visitor_pump(&p);
    visitor_until(&p, "\r\n\r\n");
    const char *body = strstr(p.in.p, "\r\n\r\n") + 4;
    while (p.in.n - (size_t)(body - p.in.p) < n) {
        visitor_pump(&p);
        body = strstr(p.in.p, "\r\n\r\n") + 4;
    }
    assert_memory_equal(body, lots, n);
    visitor_close(&p);
}

static void ends_are_announced(void **state)
{
    struct host *h = *state;
    struct visitor p = enter(h);
    visitor_puts(&p, "GET / HTTP/1.0\r\n\r\n");
    visitor_expect(&p, "200 close GET /  <>\n-");
    assert_true(p.notified);
    visitor_close(&p);
    p = enter(h);
    struct exchange *x = host_hold(&p, GET("/hold"));
    exchange_head(x, 200, NULL, 0, -1);
    host_write(x, "part");
    exchange_abort(x); // broken off: this must not look like an end
    visitor_until_end(&p);
    assert_false(p.notified);
    visitor_close(&p);
}

static void leaving_is_noticed(void **state)
{
    struct host *h = *state;
    for (int i = 0; i < 2; i++) {
        struct visitor p = enter(h);
        struct exchange *x = host_hold(&p, GET("/hold"));
        if (i == 0)
            SSL_shutdown(p.ssl);
        else
            visitor_close(&p);
        host_until(h, &h->gone, i + 1);
        exchange_end(x);
        visitor_close(&p);
    }
}

static void what_is_not_tls(void **state)
{
    struct host *h = *state;
    struct visitor p = visitor_open(h), silent = visitor_open(h);
    visitor_puts(&p, GET("/"));
    visitor_until_end(&p);
    visitor_until_end(&silent);
    assert_int_equal(h->heads + h->rejects, 0);
    visitor_close(&p);
    visitor_close(&silent);
}

#define OPENED(f) cmocka_unit_test_setup_teardown(f, open_host, close_host)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPENED(requests_are_answered), OPENED(streams),
        OPENED(large_in_and_out),      OPENED(ends_are_announced),
        OPENED(leaving_is_noticed),    OPENED(what_is_not_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
