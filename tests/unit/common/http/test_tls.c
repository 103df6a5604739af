// TLS in memory against ourselves, and HTTPS calls against OpenSSL's own server.

#include <openssl/pem.h>
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
#include "common/http/tls.h"
#include "origin.h"

static struct authority ca, stranger;
static char ca_file[] = "/tmp/test_tls_ca.XXXXXX", cert_file[] = "/tmp/test_tls_cert.XXXXXX",
            key_file[] = "/tmp/test_tls_key.XXXXXX";

static void save_pem(SSL_CTX *c)
{
    FILE *cert = fopen(cert_file, "we"), *key = fopen(key_file, "we");
    if (!cert || !key)
        abort();
    assert_true(PEM_write_X509(cert, SSL_CTX_get0_certificate(c)));
    assert_true(PEM_write_PrivateKey(key, SSL_CTX_get0_privatekey(c), NULL, NULL, 0, NULL, NULL));
    fclose(cert);
    fclose(key);
}

// --- in memory --------------------------------------------------------------------------

struct end {
    struct tls *tls;
    struct buf plain, out;
    enum tls_state state;
};

struct pair {
    struct end client, server;
};

static struct tls_context *server_context(const struct authority *a, const char *names, long from,
                                          long until)
{
    struct tls_context *c;
    SSL_CTX *issued = authority_issue(a, names, from, until);
    ARENA(arena);
    save_pem(issued);
    SSL_CTX_free(issued);
    assert_null(tls_server_context(arena, cert_file, key_file, &c));
    return c;
}

static struct pair pair_new(struct tls_context *client, struct tls_context *server,
                            const char *host, const char *key)
{
    struct pair p = {0};
    p.client.tls = tls_new(client, host, key);
    p.server.tls = tls_new(server, NULL, NULL);
    p.client.plain = p.client.out = p.server.plain = p.server.out = BUF(SIZE_MAX / 2);
    p.client.state = tls_receive(p.client.tls, (struct str){0}, &p.client.plain, &p.client.out);
    return p;
}

static void pair_free(struct pair *p)
{
    struct end *ends[] = {&p->client, &p->server};
    for (int i = 0; i < 2; i++) {
        tls_free(ends[i]->tls);
        buf_free(&ends[i]->plain);
        buf_free(&ends[i]->out);
    }
}

static void carry(struct end *from, struct end *to, size_t step)
{
    struct buf bytes = from->out;
    from->out = BUF(SIZE_MAX / 2);
    for (struct str rest = buf_view(&bytes); rest.n;) {
        struct str piece = {rest.p, rest.n < step ? rest.n : step};
        rest = str_skip(rest, piece.n);
        to->state = tls_receive(to->tls, piece, &to->plain, &to->out);
    }
    buf_free(&bytes);
}

static void pump(struct pair *p, size_t step)
{
    while (p->client.out.n || p->server.out.n) {
        carry(&p->client, &p->server, step);
        carry(&p->server, &p->client, step);
    }
}

static void test_memory_both_ways(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 5, 7, 100, 4096, 1 << 20};
    struct tls_context *client = tls_client_context();
    struct tls_context *server = server_context(&ca, "DNS:a.test", -60, 3600);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct pair p = pair_new(client, server, "a.test", "a.test:443");
        pump(&p, steps[i]);
        assert_int_equal(p.client.state, TLS_READY);
        assert_int_equal(p.server.state, TLS_READY);
        char text[40000];
        for (size_t at = 0; at < sizeof(text); at++)
            text[at] = (char)(at * 31 + at / 251);
        assert_int_equal(tls_send(p.client.tls, (struct str){text, sizeof(text)}, &p.client.out),
                         TLS_READY);
        assert_int_equal(tls_send(p.server.tls, STR("short"), &p.server.out), TLS_READY);
        pump(&p, steps[i]);
        assert_int_equal(p.server.plain.n, sizeof(text));
        assert_memory_equal(p.server.plain.p, text, sizeof(text));
        assert_string_equal(p.client.plain.p, "short");
        tls_shut(p.client.tls, &p.client.out);
        pump(&p, steps[i]);
        assert_int_equal(p.server.state, TLS_CLOSED);
        pair_free(&p);
    }
    tls_context_free(client);
    tls_context_free(server);
}

static void test_memory_verification(void **state)
{
    (void)state;
    static const struct {
        const char *names, *host;
        long from, until;
        bool stranger;
        const char *why; // "" for a success
    } ways[] = {
        {"DNS:a.test", "a.test", -60, 60, false, ""},
        {"DNS:a.test", "a.test.", -60, 60, false, ""},
        {"DNS:*.a.test", "b.a.test", -60, 60, false, ""},
        {"DNS:a.test", "b.test", -60, 60, false, "hostname mismatch"},
        {"DNS:*.test.", "a.b.test", -60, 60, false, "hostname mismatch"},
        {"DNS:b*.a.test", "b1.a.test", -60, 60, false, "hostname mismatch"},
        {"IP:192.0.2.1", "192.0.2.1", -60, 60, false, ""},
        {"IP:192.0.2.1", "192.0.2.2", -60, 60, false, "IP address mismatch"},
        {"DNS:192.0.2.1", "192.0.2.1", -60, 60, false, "IP address mismatch"},
        {"IP:2001:db8::1", "2001:db8::1", -60, 60, false, ""},
        {"DNS:a.test", "a.test", -3600, -60, false, "certificate has expired"},
        {"DNS:a.test", "a.test", 3600, 7200, false, "certificate is not yet valid"},
        {"DNS:a.test", "a.test", -60, 60, true, "unable to get local issuer certificate"},
        {"DNS:a.test", "", -60, 60, false, "host name cannot be verified"},
    };
    struct tls_context *client = tls_client_context();
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        struct tls_context *server = server_context(ways[i].stranger ? &stranger : &ca,
                                                    ways[i].names, ways[i].from, ways[i].until);
        struct pair p = pair_new(client, server, ways[i].host, "one key for all");
        pump(&p, 1 << 20);
        assert_int_equal(p.client.state, *ways[i].why ? TLS_FAILED : TLS_READY);
        if (!strstr(tls_why(p.client.tls), ways[i].why))
            fail_msg("%s as %s: '%s'", ways[i].names, ways[i].host, tls_why(p.client.tls));
        if (*ways[i].why && *ways[i].host)
            assert_int_equal(p.server.state, TLS_FAILED); // it got our alert
        pair_free(&p);
        tls_context_free(server);
    }
    tls_context_free(client);
}

static void test_memory_resumption(void **state)
{
    (void)state;
    struct tls_context *client = tls_client_context();
    struct tls_context *server = server_context(&ca, "DNS:a.test", -60, 3600);
    static const char *const keys[] = {"a.test:443", "a.test:443", "a.test:8443", "a.test:443",
                                       NULL};
    static const bool resumed[] = {false, true, false, true, false};
    for (size_t i = 0; i < 5; i++) {
        struct pair p = pair_new(client, server, "a.test", keys[i]);
        pump(&p, 1 << 20);
        assert_int_equal(p.client.state, TLS_READY);
        assert_int_equal(tls_resumed(p.client.tls), resumed[i]);
        assert_int_equal(tls_resumed(p.server.tls), resumed[i]);
        pair_free(&p);
    }
    for (int i = 0; i < 600; i++) { // more upstreams than are remembered
        char key[32];
        snprintf(key, sizeof(key), "a.test:%d", i + 1);
        struct pair p = pair_new(client, server, "a.test", key);
        pump(&p, 1 << 20);
        pair_free(&p);
    }
    struct pair p = pair_new(client, server, "a.test", "a.test:600");
    pump(&p, 1 << 20);
    assert_true(tls_resumed(p.client.tls));
    pair_free(&p);
    p = pair_new(client, server, "a.test", "a.test:1");
    pump(&p, 1 << 20);
    assert_false(tls_resumed(p.client.tls));
    pair_free(&p);
    tls_context_free(client);
    tls_context_free(server);
}

static void test_memory_garbage(void **state)
{
    (void)state;
    struct tls_context *client = tls_client_context();
    struct tls_context *server = server_context(&ca, "DNS:a.test", -60, 3600);
    struct pair p = pair_new(client, server, "a.test", NULL);
    buf_clear(&p.client.out);
    buf_puts(&p.server.out, "HTTP/1.1 400 Bad Request\r\n\r\n");
    carry(&p.server, &p.client, 1000);
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_true(*tls_why(p.client.tls) != '\0');
    assert_int_equal(tls_send(p.client.tls, STR("x"), &p.client.out), TLS_FAILED);
    pair_free(&p);
    p = pair_new(client, server, "a.test", NULL);
    pump(&p, 1 << 20);
    tls_send(p.server.tls, STR("hello"), &p.server.out);
    p.server.out.p[p.server.out.n - 1] ^= 1; // one bit on the way
    carry(&p.server, &p.client, 1000);
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_int_equal(p.client.plain.n, 0);
    pair_free(&p);
    tls_context_free(client);
    tls_context_free(server);
}

static void test_server_files(void **state)
{
    (void)state;
    ARENA(a);
    struct tls_context *c, *fine = server_context(&ca, "DNS:a.test", -60, 60);
    tls_context_free(fine);
    assert_string_equal(tls_server_context(a, "/nonexistent", key_file, &c)->kind->code,
                        "internal");
    assert_null(c);
    assert_string_equal(tls_server_context(a, cert_file, "/dev/null", &c)->kind->code, "internal");
    FILE *f = fopen(key_file, "we"); // another key
    assert_true(PEM_write_PrivateKey(f, ca.key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    assert_string_equal(tls_server_context(a, cert_file, key_file, &c)->kind->code, "internal");
    f = fopen(key_file, "we"); // with a passphrase: an error, not a question
    assert_true(PEM_write_PKCS8PrivateKey(f, ca.key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL));
    fclose(f);
    assert_string_equal(tls_server_context(a, cert_file, key_file, &c)->kind->code, "internal");
}

// --- HTTPS calls ------------------------------------------------------------------------

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void serve_text(struct origin_conn *c)
{
    char request[8192];
    while (origin_request(c, request, sizeof(request)) && origin_says(c, c->origin->script))
        if (strstr(c->origin->script, "close"))
            return;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                   unsigned in_n, void *seen)
{
    (void)ssl, (void)out;
    *n = 0;
    snprintf(seen, 100, "%.*s", (int)in_n, (const char *)in);
    return SSL_TLSEXT_ERR_NOACK;
}

static struct got *https(struct caller *c, const char *host, int port)
{
    struct got *g = got_new(c, "POST", "https://%s:%d/", host, port);
    g->call.body[0] = STR("{}");
    g->call.pieces = 1;
    got_start(g);
    got_wait(g);
    return g;
}

static void test_https_kept(void **state)
{
    char alpn[100] = "";
    SSL_CTX *tls = authority_issue(&ca, "DNS:localhost,IP:127.0.0.1", -60, 3600);
    SSL_CTX_set_alpn_select_cb(tls, on_alpn, alpn);
    struct origin *p =
        origin_start("127.0.0.1", serve_text, OK_HEAD "Content-Length: 2\r\n\r\nhi", tls);
    for (int i = 0; i < 3; i++) {
        struct got *g = https(*state, "localhost", p->port);
        assert_string_equal(got_why(g), "");
        assert_string_equal(g->body.p, "hi");
        assert_int_equal(g->call.reused, i > 0);
        got_free(g);
    }
    assert_int_equal(p->accepted, 1);
    assert_string_equal(alpn, "\x08http/1.1");
    struct got *g = https(*state, "127.0.0.1", p->port); // verified as an address
    assert_string_equal(got_why(g), "");
    got_free(g);
    origin_stop(p);
    SSL_CTX_free(tls);
}

static void test_https_resumed(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int v = 0; v < 2; v++) {
        SSL_CTX *tls = authority_issue(&ca, "DNS:localhost", -60, 3600);
        SSL_CTX_set_max_proto_version(tls, versions[v]);
        struct origin *p =
            origin_start("127.0.0.1", serve_text,
                         OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nhi", tls);
        for (int i = 0; i < 3; i++) {
            struct got *g = https(*state, "localhost", p->port);
            assert_string_equal(got_why(g), "");
            assert_false(g->call.reused);
            got_free(g);
        }
        assert_int_equal(p->accepted, 3);
        assert_int_equal(p->resumed, 2);
        origin_stop(p);
        SSL_CTX_free(tls);
    }
}

static void test_https_refused(void **state)
{
    static const struct {
        const char *names, *host, *detail;
        long from, until;
        bool stranger;
        int version;
    } ways[] = {
        {"DNS:other.test", "localhost", "hostname mismatch", -60, 60, false, 0},
        {"DNS:localhost", "127.0.0.1", "IP address mismatch", -60, 60, false, 0},
        {"DNS:localhost", "localhost", "expired", -3600, -60, false, 0},
        {"DNS:localhost", "localhost", "issuer", -60, 60, true, 0},
        {"DNS:localhost", "localhost", "TLS: ", -60, 60, false, TLS1_1_VERSION},
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        SSL_CTX *tls = authority_issue(ways[i].stranger ? &stranger : &ca, ways[i].names,
                                       ways[i].from, ways[i].until);
        if (ways[i].version) {
            SSL_CTX_set_min_proto_version(tls, ways[i].version);
            SSL_CTX_set_max_proto_version(tls, ways[i].version);
            SSL_CTX_set_security_level(tls, 0);
        }
        struct origin *p =
            origin_start("127.0.0.1", serve_text, OK_HEAD "Content-Length: 0\r\n\r\n", tls);
        struct got *g = https(*state, ways[i].host, p->port);
        assert_string_equal(got_why(g), "upstream_unreachable");
        if (!strstr(g->err->detail, ways[i].detail))
            fail_msg("%zu: %s", i, g->err->detail);
        assert_int_equal(p->requests, 0);
        got_free(g);
        origin_stop(p);
        SSL_CTX_free(tls);
    }
}

static void test_https_to_plain(void **state)
{
    struct origin *p =
        origin_start("127.0.0.1", serve_text, OK_HEAD "Content-Length: 0\r\n\r\n", NULL);
    struct got *g = got_new(*state, "GET", "https://127.0.0.1:%d/", p->port);
    g->call.limits.connect_ms = 400; // both wait for the other one
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "upstream_timeout");
    got_free(g);
    origin_stop(p);
}

// An end without close_notify could be anybody's doing.
static void serve_cut(struct origin_conn *c)
{
    char request[4096];
    origin_request(c, request, sizeof(request));
    origin_says(c, OK_HEAD "\r\nhello");
    c->shaken = false; // no close_notify
}

static void serve_ended(struct origin_conn *c)
{
    char request[4096];
    origin_request(c, request, sizeof(request));
    origin_says(c, OK_HEAD "\r\nhello");
}

static void pause_it(struct got *g)
{
    call_pause(&g->call);
}

static void test_https_until_close(void **state)
{
    for (int i = 0; i < 4; i++) {
        bool cut = i & 1, paused = i & 2;
        SSL_CTX *tls = authority_issue(&ca, "DNS:localhost", -60, 3600);
        struct origin *p = origin_start("127.0.0.1", cut ? serve_cut : serve_ended, NULL, tls);
        struct got *g = got_new(*state, "GET", "https://localhost:%d/", p->port);
        g->at_body = g->at_head = paused ? pause_it : NULL;
        got_start(g);
        for (int n = 0; paused && n < 2; n++) {
            got_wait_paused(g);
            assert_int_equal(g->dones, 0);
            call_resume(&g->call);
        }
        got_wait(g);
        assert_string_equal(got_why(g), cut ? "upstream_truncated" : "");
        assert_string_equal(g->body.p, "hello");
        got_free(g);
        origin_stop(p);
        SSL_CTX_free(tls);
    }
}

static _Atomic bool may_close;

// Says goodbye in TLS but leaves the socket open.
static void serve_goodbye(struct origin_conn *c)
{
    char request[4096];
    origin_request(c, request, sizeof(request));
    origin_says(c, OK_HEAD "Content-Length: 2\r\n\r\nhi");
    SSL_shutdown(c->ssl);
    while (!may_close)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void test_https_goodbye_while_paused(void **state)
{
    struct caller *c = *state;
    SSL_CTX *tls = authority_issue(&ca, "DNS:localhost", -60, 3600);
    struct origin *p = origin_start("127.0.0.1", serve_goodbye, NULL, tls);
    struct got *g = got_new(c, "GET", "https://localhost:%d/", p->port);
    may_close = false;
    g->at_head = pause_it;
    got_start(g);
    got_wait_paused(g);
    caller_rest(c, 50);
    call_resume(&g->call);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_int_equal(client_idle(c->client), 0); // nothing can be sent on it any more
    may_close = true;
    got_free(g);
    origin_stop(p);
    SSL_CTX_free(tls);
}

static void serve_large(struct origin_conn *c)
{
    enum { SIZE = 5 * 1024 * 1024 };
    char *request = malloc(SIZE + 4096);
    size_t n = origin_request(c, request, SIZE + 4096);
    const char *body = n ? strstr(request, "\r\n\r\n") + 4 : NULL;
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    if (body && origin_says(c, OK_HEAD "Content-Length: 5242880\r\n\r\n"))
        origin_say(c, body, SIZE);
    free(request);
    origin_wait_end(c);
}

static void pause_sometimes(struct got *g)
{
    call_pause(&g->call);
    call_resume(&g->call);
}

static void test_https_large(void **state)
{
    enum { SIZE = 5 * 1024 * 1024 };
    SSL_CTX *tls = authority_issue(&ca, "DNS:localhost", -60, 3600);
    struct origin *p = origin_start("127.0.0.1", serve_large, NULL, tls);
    char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i % 253);
    struct got *g = got_new(*state, "POST", "https://localhost:%d/", p->port);
    g->call.body[0] = (struct str){bytes, 3};
    g->call.body[1] = (struct str){bytes + 3, 100000};
    g->call.body[2] = (struct str){bytes + 100003, SIZE - 100003};
    g->call.pieces = 3;
    g->at_body = pause_sometimes;
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_int_equal(g->body.n, SIZE);
    assert_memory_equal(g->body.p, bytes, SIZE);
    got_free(g);
    free(bytes);
    origin_stop(p);
    SSL_CTX_free(tls);
}

static void serve_stale(struct origin_conn *c)
{
    char request[4096];
    for (int i = 0; origin_request(c, request, sizeof(request)); i++) {
        if (c->nth == 0 && i == 1)
            return; // with close_notify: those bytes are no answer
        origin_says(c, OK_HEAD "Content-Length: 2\r\n\r\nhi");
    }
}

static void test_https_stale(void **state)
{
    SSL_CTX *tls = authority_issue(&ca, "DNS:localhost", -60, 3600);
    struct origin *p = origin_start("127.0.0.1", serve_stale, NULL, tls);
    got_free(https(*state, "localhost", p->port));
    struct got *g = https(*state, "localhost", p->port);
    assert_string_equal(got_why(g), "");
    assert_string_equal(g->body.p, "hi");
    assert_int_equal(p->accepted, 2);
    got_free(g);
    origin_stop(p);
    SSL_CTX_free(tls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, caller_setup, caller_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_both_ways),
        cmocka_unit_test(test_memory_verification),
        cmocka_unit_test(test_memory_resumption),
        cmocka_unit_test(test_memory_garbage),
        cmocka_unit_test(test_server_files),
        TEST(test_https_kept),
        TEST(test_https_resumed),
        TEST(test_https_refused),
        TEST(test_https_to_plain),
        TEST(test_https_until_close),
        TEST(test_https_goodbye_while_paused),
        TEST(test_https_large),
        TEST(test_https_stale),
    };
    close(mkstemp(ca_file));
    close(mkstemp(cert_file));
    close(mkstemp(key_file));
    ca = authority_new("test CA");
    stranger = authority_new("stranger");
    authority_save(&ca, ca_file);
    setenv("SSL_CERT_FILE", ca_file, 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_free(&ca);
    authority_free(&stranger);
    unlink(ca_file);
    unlink(cert_file);
    unlink(key_file);
    return failed;
}
