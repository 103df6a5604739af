// Through proxies: the peer plays proxy first and upstream afterwards, on the same connection.

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
#include "origin.h"

static struct authority ca;

struct script {
    const char *says;   // instead of a success; NULL: let through
    bool login;         // SOCKS5 asks for user and password
    bool dribbles;      // byte by byte
    SSL_CTX *tls;       // of the upstream behind it
    char asked[512];    // what the client asked the proxy for
    char request[4096]; // and what it told the upstream
    unsigned char name[600];
};

static bool say(struct origin_conn *c, const struct script *s, const void *bytes, size_t n)
{
    if (!s->dribbles)
        return origin_say(c, bytes, n);
    for (size_t i = 0; i < n; i++) {
        if (!origin_say(c, (const char *)bytes + i, 1))
            return false;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return true;
}

static void be_upstream(struct origin_conn *c, struct script *s)
{
    if (s->tls) {
        c->ssl = SSL_new(s->tls);
        SSL_set_fd(c->ssl, c->fd);
        c->shaken = SSL_accept(c->ssl) == 1;
    }
    while (origin_request(c, s->request, sizeof(s->request)))
        origin_says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

static void serve_connect(struct origin_conn *c)
{
    struct script *s = (struct script *)c->origin->script;
    if (!origin_request(c, s->asked, sizeof(s->asked)))
        return;
    const char *fine = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
    const char *text = s->says ? s->says : fine;
    if (say(c, s, text, strlen(text)) && !s->says)
        be_upstream(c, s);
    else
        origin_wait_end(c);
}

static void serve_socks(struct origin_conn *c)
{
    struct script *s = (struct script *)c->origin->script;
    unsigned char head[2], *p = s->name;
    if (!origin_hear_all(c, head, 2) || !origin_hear_all(c, p, head[1]))
        return;
    if (s->login && (head[1] != 2 || p[1] != 2))
        return;
    say(c, s, s->login ? "\x05\x02" : "\x05\x00", 2);
    if (s->login) {
        memset(s->asked, 0, sizeof(s->asked));
        origin_hear_all(c, head, 2);
        origin_hear_all(c, s->asked, head[1]);
        origin_hear_all(c, head + 1, 1);
        origin_hear_all(c, s->asked + strlen(s->asked) + 1, head[1]);
        bool good = !strcmp(s->asked, "user") && !strcmp(s->asked + 5, "pass:word");
        say(c, s, good ? "\x01\x00" : "\x01\x01", 2);
        if (!good)
            return;
    }
    origin_hear_all(c, p, 4);
    size_t n = p[3] == 1 ? 4 : p[3] == 4 ? 16 : 1;
    origin_hear_all(c, p + 4, n);
    origin_hear_all(c, p + 4 + n, p[3] == 3 ? p[4] + 2u : 2);
    if (s->says) {
        say(c, s, s->says, 10);
        origin_wait_end(c);
        return;
    }
    static const char named[] = "\x05\x00\x00\x03\x04"
                                "abcd\x12\x34";
    say(c, s, named, sizeof(named) - 1);
    be_upstream(c, s);
}

static struct got *through(struct caller *c, int port, const char *scheme, const char *login,
                           const char *url)
{
    struct got *g = got_new(c, "GET", "%s", url);
    g->call.proxy = arena_printf(g->arena, "%s://%s127.0.0.1:%d", scheme, login, port);
    got_start(g);
    got_wait(g);
    return g;
}

static void test_connect(void **state)
{
    struct caller *c = *state;
    for (int dribbles = 0; dribbles < 2; dribbles++) {
        struct script s = {.dribbles = dribbles};
        struct origin *p = origin_start("127.0.0.1", serve_connect, &s, NULL);
        struct got *g = through(c, p->port, "http", "", "http://up.test/a");
        assert_string_equal(got_why(g), "");
        assert_string_equal(g->body.p, "hi");
        assert_string_equal(s.asked, "CONNECT up.test:80 HTTP/1.1\r\nHost: up.test:80\r\n\r\n");
        assert_ptr_equal(strstr(s.request, "GET /a HTTP/1.1\r\nHost: up.test\r\n"), s.request);
        got_free(g);
        g = through(c, p->port, "http", "", "http://up.test/b"); // the tunnel is kept
        assert_true(g->call.reused);
        got_free(g);
        g = through(c, p->port, "http", "us%40er:pa%3Ass@", "http://up.test/c"); // another proxy
        assert_false(g->call.reused);
        assert_non_null(strstr(s.asked, "\r\nProxy-Authorization: Basic dXNAZXI6cGE6c3M=\r\n"));
        assert_null(strstr(s.request, "Proxy-"));
        got_free(g);
        g = through(c, p->port, "http", "", "http://[2001:db8::1]:81/");
        assert_string_equal(got_why(g), "");
        assert_ptr_equal(strstr(s.asked, "CONNECT [2001:db8::1]:81 HTTP/1.1\r\n"), s.asked);
        got_free(g);
        origin_stop(p);
    }
}

static void test_connect_refused(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nlogin",
        "HTTP/1.1 502 Bad\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n",
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct script s = {.says = answers[i]};
        struct origin *p = origin_start("127.0.0.1", serve_connect, &s, NULL);
        struct got *g = through(*state, p->port, "http", "", "http://up.test/");
        assert_string_equal(got_why(g), "upstream_unreachable");
        assert_int_equal(g->heads, 0);
        assert_string_equal(s.request, "");
        got_free(g);
        origin_stop(p);
    }
}

static void serve_endless(struct origin_conn *c)
{
    struct script *s = (struct script *)c->origin->script;
    origin_request(c, s->asked, sizeof(s->asked));
    origin_says(c, "HTTP/1.1 200 OK\r\n");
    while (origin_says(c, "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
        continue;
}

static void serve_end(struct origin_conn *c)
{
    (void)c;
}

static void test_broken_proxies(void **state)
{
    struct script s = {0};
    struct origin *p = origin_start("127.0.0.1", serve_endless, &s, NULL);
    struct got *g = through(*state, p->port, "http", "", "http://up.test/");
    assert_string_equal(got_why(g), "upstream_unreachable");
    got_free(g);
    origin_stop(p);
    p = origin_start("127.0.0.1", serve_end, &s, NULL);
    for (int i = 0; i < 2; i++) {
        g = through(*state, p->port, i ? "socks5" : "http", "", "http://up.test/");
        assert_string_equal(got_why(g), "upstream_unreachable");
        got_free(g);
    }
    origin_stop(p);
}

static void test_socks(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct script s = {.dribbles = i & 1, .login = i & 2};
        struct origin *p = origin_start("127.0.0.1", serve_socks, &s, NULL);
        const char *login = s.login ? "user:pass%3Aword@" : "";
        struct got *g = through(*state, p->port, "socks5", login, "http://up.test:8080/");
        assert_string_equal(got_why(g), "");
        assert_string_equal(g->body.p, "hi");
        assert_memory_equal(s.name, "\x05\x01\x00\x03\x07up.test\x1f\x90", 14);
        got_free(g);
        g = through(*state, p->port, "socks5", login, "http://192.0.2.1/");
        assert_memory_equal(s.name, "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", 10);
        got_free(g);
        g = through(*state, p->port, "socks5h", login, "http://[2001:db8::1]/");
        assert_memory_equal(s.name, "\x05\x01\x00\x04\x20\x01\x0d\xb8", 8);
        got_free(g);
        origin_stop(p);
    }
}

static void test_socks_refused(void **state)
{
    static const struct {
        const char *says;
        bool login;
        const char *user, *why;
    } ways[] = {
        {"\x05\x05\x00\x01\0\0\0\0\0", false, "", "connection refused"},
        {"\x05\x00\x00\x09\0\0\0\0\0", false, "", "unknown kind of address"},
        {"\x04\x00\x00\x01\0\0\0\0\0", false, "", "not SOCKS5"},
        {NULL, true, "user:wrong@", "user or password refused"},
        {NULL, true, "", "proxy"},
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        struct script s = {.says = ways[i].says, .login = ways[i].login};
        struct origin *p = origin_start("127.0.0.1", serve_socks, &s, NULL);
        struct got *g = through(*state, p->port, "socks5", ways[i].user, "http://up.test/");
        assert_string_equal(got_why(g), "upstream_unreachable");
        assert_non_null(strstr(g->err->detail, ways[i].why));
        assert_string_equal(s.request, "");
        got_free(g);
        origin_stop(p);
    }
}

static void test_tls_through_both(void **state)
{
    SSL_CTX *tls = authority_issue(&ca, "DNS:up.test", -60, 3600);
    for (int i = 0; i < 2; i++) {
        struct script s = {.tls = tls};
        struct origin *p = origin_start("127.0.0.1", i ? serve_socks : serve_connect, &s, NULL);
        struct got *g = through(*state, p->port, i ? "socks5" : "http", "", "https://up.test/");
        assert_string_equal(got_why(g), "");
        assert_string_equal(g->body.p, "hi");
        if (!i)
            assert_ptr_equal(strstr(s.asked, "CONNECT up.test:443 "), s.asked);
        got_free(g);
        g = through(*state, p->port, i ? "socks5" : "http", "", "https://other.test/");
        assert_string_equal(got_why(g), "upstream_unreachable"); // not its certificate
        got_free(g);
        origin_stop(p);
    }
    SSL_CTX_free(tls);
}

static void test_misconfigured(void **state)
{
    static const char *const proxies[] = {"https://127.0.0.1:1", "nonsense", "ftp://x:1",
                                          "http://"};
    for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++) {
        struct got *g = got_new(*state, "GET", "http://up.test/");
        g->call.proxy = proxies[i];
        got_start(g);
        got_wait(g);
        assert_string_equal(got_why(g), "channel_misconfigured");
        got_free(g);
    }
}

static void test_guard_of_literals(void **state)
{
    static const struct {
        const char *host;
        bool fine;
    } hosts[] = {
        {"127.0.0.1", false},       {"127.1", false},
        {"2130706433", false},      {"[::1]", false},
        {"169.254.169.254", false}, {"localhost", false},
        {"a.localhost.", false},    {"[64:ff9b::7f00:1]", false},
        {"8.8.8.8", true},          {"up.test", true},
        {"notlocalhost", true},
    };
    struct script s = {0};
    struct origin *p = origin_start("127.0.0.1", serve_connect, &s, NULL);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        struct got *g = got_new(*state, "GET", "http://%s/", hosts[i].host);
        g->call.proxy =
            arena_printf(g->arena, "http://127.0.0.1:%d", p->port); // ours may be private
        g->call.guarded = true;
        got_start(g);
        got_wait(g);
        if (!text_eq(got_why(g), hosts[i].fine ? "" : "address_forbidden"))
            fail_msg("%s: '%s'", hosts[i].host, got_why(g));
        got_free(g);
    }
    origin_stop(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, caller_setup, caller_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_connect),       TEST(test_connect_refused),   TEST(test_broken_proxies),
        TEST(test_socks),         TEST(test_socks_refused),     TEST(test_tls_through_both),
        TEST(test_misconfigured), TEST(test_guard_of_literals),
    };
    char file[] = "/tmp/test_proxy.XXXXXX";
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
