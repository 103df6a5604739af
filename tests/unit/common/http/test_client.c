// Calls over kept and fresh connections: what is sent, what comes back, how it ends.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "origin.h"

static void nap_us(long us)
{
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

// Answers every request with the script, a text.
static void serve_text(struct origin_conn *c)
{
    char request[8192];
    while (origin_request(c, request, sizeof(request)) && origin_says(c, c->origin->script))
        continue;
}

// Answers with what was asked.
static void serve_echo(struct origin_conn *c)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n";
    char request[8192];
    for (size_t n; (n = origin_request(c, request, sizeof(request)));) {
        char line[128];
        snprintf(line, sizeof(line), head, n);
        if (!origin_says(c, line) || !origin_say(c, request, n))
            return;
    }
}

// --- what is sent -------------------------------------------------------------------

static void test_request_as_sent(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_echo, NULL, NULL);
    struct got *g = got_new(*state, "POST", "http://127.0.0.1:%d/v1/chat?a=b", p->port);
    g->call.headers = STR("Authorization: Bearer x\r\nX-A: 1\r\n");
    g->call.body[0] = STR("{\"a\":");
    g->call.body[1] = STR("");
    g->call.body[2] = STR("1}");
    g->call.pieces = 3;
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    char wanted[512];
    snprintf(wanted, sizeof(wanted),
             "POST /v1/chat?a=b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Encoding: identity\r\n"
             "Content-Length: 7\r\nAuthorization: Bearer x\r\nX-A: 1\r\n\r\n{\"a\":1}",
             p->port);
    assert_string_equal(g->body.p, wanted);
    assert_int_equal(g->call.status, 200);
    assert_true(g->call.sent_ms > 0 && g->call.first_ms >= g->call.sent_ms);
    assert_true(g->call.got_bytes && !g->call.reused);
    got_free(g);
    origin_stop(p);
}

static void test_request_without_body(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_echo, NULL, NULL);
    struct got *g = got_new(*state, "GET", "http://127.0.0.1:%d/", p->port);
    g->call.headers = STR("accept-encoding: gzip\r\n");
    got_start(g);
    got_wait(g);
    assert_null(strstr(g->body.p, "Content-Length"));
    assert_null(strstr(g->body.p, "identity"));
    got_free(g);
    g = got_new(*state, "POST", "http://127.0.0.1:%d/", p->port);
    got_start(g);
    got_wait(g);
    assert_non_null(strstr(g->body.p, "Content-Length: 0\r\n"));
    got_free(g);
    origin_stop(p);
}

static void test_request_refused(void **state)
{
    static const char *const bad[] = {
        "Host: evil\r\n",
        "content-length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "X: a\nY: b\r\n",
        "X: a\r\n\r\nGET / HTTP/1.1\r\n",
        "X: a\rY: b\r\n",
        "no colon\r\n",
        ": no name\r\n",
        "X : space\r\n",
        "X: no end",
        "X: a\001b\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct got *g = got_new(*state, "GET", "http://127.0.0.1:1/");
        g->call.headers = str_of(bad[i]);
        got_start(g);
        got_wait(g);
        assert_string_equal(got_why(g), "channel_misconfigured");
        got_free(g);
    }
    struct got *g = got_new(*state, "GET", "http://127.0.0.1:1/");
    g->call.url.path = "/ HTTP/1.1\r\nX: y\r\n\r\n";
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "channel_misconfigured");
    got_free(g);
}

// Counts what comes and answers with the count; reads slowly at first, so that the kernel's
// buffers fill and the rest has to be queued.
static void serve_count(struct origin_conn *c)
{
    static char bytes[65536];
    size_t head = 0, n = 0;
    char line[4096] = "";
    while (!strstr(line, "\r\n\r\n")) {
        if (!origin_hear_all(c, line + head, 1))
            return;
        line[++head] = '\0';
    }
    size_t total = strtoul(strstr(line, "Content-Length: ") + 16, NULL, 10);
    uint64_t sum = 0;
    nap_us(100000);
    while (n < total) {
        int got = origin_hear(c, bytes, sizeof(bytes));
        if (got <= 0)
            return;
        for (int i = 0; i < got; i++)
            sum = sum * 31 + (unsigned char)bytes[i];
        n += (size_t)got;
    }
    char text[64], answer[256];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)sum);
    snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(text), text);
    origin_says(c, answer);
    origin_wait_end(c);
}

static void test_large_body(void **state)
{
    enum { SIZE = 20 * 1024 * 1024 + 7 };
    struct origin *p = origin_start("127.0.0.1", serve_count, NULL, NULL);
    struct got *g = got_new(*state, "POST", "http://127.0.0.1:%d/", p->port);
    char *bytes = malloc(SIZE);
    uint64_t sum = 0;
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (char)(i * 7 + i / 256);
        sum = sum * 31 + (unsigned char)bytes[i];
    }
    g->call.body[0] = (struct str){bytes, 5};
    g->call.body[1] = (struct str){bytes + 5, SIZE / 2};
    g->call.body[2] = (struct str){bytes + 5 + SIZE / 2, SIZE - 5 - SIZE / 2};
    g->call.pieces = 3;
    got_start(g);
    got_wait(g);
    char text[64];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)sum);
    assert_string_equal(got_why(g), "");
    assert_string_equal(g->body.p, text);
    assert_int_equal(client_idle(((struct caller *)*state)->client), 1);
    got_free(g);
    free(bytes);
    origin_stop(p);
}

// --- answers ------------------------------------------------------------------------

struct answer_case {
    const char *name, *bytes;
    const char *why; // "" for a success
    const char *body;
    int status;
    bool kept;   // the connection serves the next call
    bool closes; // the peer does, after the bytes
    const char *method;
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define M1 "HTTP/1.1 102 Processing\r\n\r\n"
#define M3 M1 M1 M1
static const struct answer_case answers[] = {
    {"length", OK_HEAD "Content-Length: 5\r\n\r\nhello", "", "hello", 200, true},
    {"empty", OK_HEAD "Content-Length: 0\r\n\r\n", "", "", 200, true},
    {"chunked",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "",
     "hello world", 200, true},
    {"trailers", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n", "",
     "hi", 200, true},
    {"until close", OK_HEAD "X: y\r\n\r\nhello", "", "hello", 200, false, true},
    {"connection: close", OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nhi", "", "hi",
     200},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "", "hi", 200},
    {"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
     "", "hi", 200, true},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", "", "", 204, true},
    {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", "", 304,
     true},
    {"HEAD", OK_HEAD "Content-Length: 9\r\n\r\n", "", "", 200, true, false, "HEAD"},
    {"HEAD chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", "", "", 200, true, false,
     "HEAD"},
    {"1xx",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HEAD
     "Content-Length: 2\r\n\r\nhi",
     "", "hi", 200, true},
    {"error status", "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno", "", "no",
     429, true},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "", "hi", 200, true},
    // bytes that follow: the answer counts, the connection does not
    {"more after it", OK_HEAD "Content-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n", "", "hi", 200},
    {"CRLF after it", OK_HEAD "Content-Length: 2\r\n\r\nhi\r\n", "", "hi", 200},
    {"204 with a body", "HTTP/1.1 204 No Content\r\n\r\nhello", "", "", 204},
    {"HEAD with a body", OK_HEAD "Content-Length: 2\r\n\r\nhi", "", "", 200, false, false, "HEAD"},
    // cut short
    {"cut in the status", "HTTP/1.1 20", "upstream_truncated", "", 0, false, true},
    {"cut in the head", OK_HEAD "Content-Le", "upstream_truncated", "", 0, false, true},
    {"cut after a 1xx", "HTTP/1.1 100 Continue\r\n\r\n", "upstream_truncated", "", 0, false, true},
    {"cut in the body", OK_HEAD "Content-Length: 5\r\n\r\nhel", "upstream_truncated", "hel", 200,
     false, true},
    {"cut before the body", OK_HEAD "Content-Length: 5\r\n\r\n", "upstream_truncated", "", 200,
     false, true},
    {"cut in a chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhe", "upstream_truncated",
     "he", 200, false, true},
    {"cut between chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
     "upstream_truncated", "he", 200, false, true},
    {"cut before the end", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n",
     "upstream_truncated", "he", 200, false, true},
    {"nothing", "", "upstream_unreachable", "", 0, false, true},
    // not HTTP, or not as we take it
    {"garbage", "hello there\r\n\r\n", "upstream_failed", "", 0},
    {"a request", "GET / HTTP/1.1\r\n\r\n", "upstream_failed", "", 0},
    {"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "upstream_failed", "", 0},
    {"nine 1xx", M3 M3 M3 OK_HEAD "Content-Length: 2\r\n\r\nhi", "upstream_failed", "", 0},
    {"101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     "upstream_failed", "", 0},
    {"length and chunked",
     OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "upstream_failed",
     "", 0},
    {"chunked and length",
     OK_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "upstream_failed",
     "", 0},
    {"two lengths", OK_HEAD "Content-Length: 5\r\nContent-Length: 2\r\n\r\nhello",
     "upstream_failed", "", 0},
    {"length +5", OK_HEAD "Content-Length: +5\r\n\r\nhello", "upstream_failed", "", 0},
    {"length too large", OK_HEAD "Content-Length: 99999999999999999999\r\n\r\nhello",
     "upstream_failed", "", 0},
    {"other transfer coding", OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     "upstream_failed", "", 0},
    {"transfer coding until close", OK_HEAD "Transfer-Encoding: gzip\r\n\r\nhi", "upstream_failed",
     "", 0, false, true},
    {"HTTP/1.0 chunked", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "upstream_failed", "", 0},
    {"obsolete folding", OK_HEAD "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", "upstream_failed", "",
     0},
    {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "upstream_failed", "", 0},
    {"bad chunk size", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
     "upstream_failed", "", 200},
    {"chunk longer than said", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
     "upstream_failed", "he", 200},
    {"unknown coding", OK_HEAD "Content-Encoding: what\r\nContent-Length: 2\r\n\r\nhi",
     "upstream_failed", "", 0},
    {"not gzip", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
     "upstream_failed", "", 200},
    {"empty gzip", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "", "", 200,
     true},
};

struct chopped {
    const struct answer_case *answer;
    size_t first; // bytes of the first piece; 0 = byte by byte, SIZE_MAX = whole
};

static void serve_chopped(struct origin_conn *c)
{
    const struct chopped *script = c->origin->script;
    const char *p = script->answer->bytes;
    size_t n = strlen(p);
    char request[8192];
    while (origin_request(c, request, sizeof(request))) {
        if (script->first == SIZE_MAX)
            origin_say(c, p, n);
        else if (script->first) {
            origin_say(c, p, script->first);
            nap_us(1500);
            origin_say(c, p + script->first, n - script->first);
        }
        for (size_t i = 0; script->first == 0 && i < n; i++) {
            origin_say(c, p + i, 1);
            nap_us(50);
        }
        if (script->answer->closes)
            return;
    }
}

static struct got *ask(struct caller *c, const struct answer_case *answer, int port)
{
    struct got *g =
        got_new(c, answer->method ? answer->method : "POST", "http://127.0.0.1:%d/", port);
    got_start(g);
    got_wait(g);
    return g;
}

enum { ODD_RESTS = 400 }; // two seconds, on a busy machine

static void check_answer(struct caller *caller, const struct answer_case *a, size_t first)
{
    struct chopped script = {a, first};
    struct origin *p = origin_start("127.0.0.1", serve_chopped, &script, NULL);
    struct got *g = ask(caller, a, p->port);
    if (!text_eq(got_why(g), a->why) || !text_eq(g->body.p, a->body) || g->call.status != a->status)
        fail_msg("%s, cut at %zu: '%s' (%s), status %d, body '%s'", a->name, first, got_why(g),
                 g->err ? g->err->detail : "", g->call.status, g->body.p);
    assert_int_equal(g->heads, a->status != 0);
    // A whole answer in pieces may leave its odd bytes for the idle connection, which closes too.
    caller_rest(caller, first == SIZE_MAX ? 0 : 5);
    bool closes = first != SIZE_MAX && !a->kept;
    for (int i = 0; closes && i < ODD_RESTS && client_idle(caller->client); i++)
        caller_rest(caller, 5);
    if (client_idle(caller->client) != (a->kept ? 1 : 0))
        fail_msg("%s, cut at %zu: kept %d", a->name, first, client_idle(caller->client));
    got_free(g);
    if (a->kept) {
        g = ask(caller, a, p->port);
        assert_string_equal(g->body.p, a->body);
        assert_true(g->call.reused);
        assert_int_equal(p->accepted, 1);
        got_free(g);
    }
    origin_stop(p);
    while (client_idle(caller->client))
        caller_turn(caller);
}

static void test_answers_whole(void **state)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
        check_answer(*state, &answers[i], SIZE_MAX);
}

static void test_answers_byte_by_byte(void **state)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
        check_answer(*state, &answers[i], 0);
}

static void test_chunked_split_everywhere(void **state)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        const struct answer_case *a = &answers[i];
        if (!text_eq(a->name, "chunked") && !text_eq(a->name, "1xx"))
            continue;
        for (size_t at = 1; at < strlen(a->bytes); at++)
            check_answer(*state, a, at);
    }
}

static void test_headers_in(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_text,
                                    OK_HEAD "X-One:  a b \r\nx-empty:\r\nX-Two: 2\r\nX-Two: 3\r\n"
                                            "Content-Length: 0\r\n\r\n",
                                    NULL);
    struct got *g = got_call(*state, p->port, "x");
    const struct http_headers *h = &g->call.headers_in;
    assert_int_equal(h->count, 5);
    assert_true(str_is(http_header(h, "x-one"), "a b"));
    assert_true(str_is(http_header(h, "X-Empty"), ""));
    assert_non_null(http_header(h, "X-Empty").p);
    assert_true(str_is(http_header(h, "x-two"), "2"));
    assert_true(str_is(h->items[3].value, "3"));
    got_free(g);
    origin_stop(p);
}

static void serve_endless_head(struct origin_conn *c)
{
    const char *filler = c->origin->script;
    char request[4096];
    origin_request(c, request, sizeof(request));
    origin_says(c, OK_HEAD "X: ");
    for (int i = 0; i < 100000 && origin_says(c, filler); i++)
        continue;
}

static void test_oversize_head(void **state)
{
    static const char *const fillers[] = {"aaaaaaaaaaaaaaaa", "                    ", "a\r\nY: b"};
    for (size_t i = 0; i < sizeof(fillers) / sizeof(*fillers); i++) {
        struct origin *p = origin_start("127.0.0.1", serve_endless_head, fillers[i], NULL);
        struct got *g = got_call(*state, p->port, "x");
        assert_string_equal(got_why(g), "upstream_failed");
        assert_int_equal(g->heads, 0);
        got_free(g);
        origin_stop(p);
    }
}

static void test_small_head_limit(void **state)
{
    struct origin *p =
        origin_start("127.0.0.1", serve_text,
                     OK_HEAD "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
                             "Content-Length: 0\r\n\r\n",
                     NULL);
    struct got *g = got_new(*state, "GET", "http://127.0.0.1:%d/", p->port);
    g->call.limits.head_bytes = 40;
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "upstream_failed");
    got_free(g);
    origin_stop(p);
}

static void serve_interims(struct origin_conn *c)
{
    char request[4096];
    origin_request(c, request, sizeof(request));
    while (origin_says(c, "HTTP/1.1 102 Processing\r\n\r\n"))
        continue;
}

static void test_endless_interims(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_interims, NULL, NULL);
    struct got *g = got_call(*state, p->port, "x");
    assert_string_equal(got_why(g), "upstream_failed");
    got_free(g);
    origin_stop(p);
}

static void serve_extensions(struct origin_conn *c)
{
    char request[4096];
    origin_request(c, request, sizeof(request));
    origin_says(c, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5;a=");
    while (origin_says(c, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
        continue;
}

static void test_endless_chunk_extension(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_extensions, NULL, NULL);
    struct got *g = got_call(*state, p->port, "x");
    assert_string_equal(got_why(g), "upstream_failed");
    got_free(g);
    origin_stop(p);
}

// --- kept connections ------------------------------------------------------------------

static void test_reuse_is_lifo_and_separate(void **state)
{
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_echo, NULL, NULL);
    struct got *two[2];
    for (int i = 0; i < 2; i++) {
        two[i] = got_new(c, "GET", "http://127.0.0.1:%d/", p->port);
        got_start(two[i]);
    }
    assert_int_equal(client_active(c->client), 2);
    for (int i = 0; i < 2; i++) {
        got_wait(two[i]);
        got_free(two[i]);
    }
    assert_int_equal(p->accepted, 2);
    assert_int_equal(client_idle(c->client), 2);
    assert_int_equal(client_active(c->client), 0);
    for (int i = 0; i < 3; i++) { // one after the other: one connection
        struct got *g = got_call(c, p->port, "x");
        assert_true(g->call.reused);
        got_free(g);
    }
    struct got *other = got_new(c, "GET", "http://localhost:%d/", p->port); // another host name
    got_start(other);
    got_wait(other);
    assert_false(other->call.reused);
    got_free(other);
    assert_int_equal(p->accepted, 3);
    origin_stop(p);
    while (client_idle(c->client)) // the end is noticed without a call
        caller_turn(c);
}

static void start_another(struct got *g)
{
    struct got *next = g->note;
    got_start(next);
}

static void test_next_call_from_on_done(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_echo, NULL, NULL);
    struct got *first = got_new(*state, "GET", "http://127.0.0.1:%d/1", p->port);
    struct got *second = got_new(*state, "GET", "http://127.0.0.1:%d/2", p->port);
    first->at_done = start_another;
    first->note = second;
    got_start(first);
    got_wait(second);
    assert_true(second->call.reused);
    assert_non_null(strstr(second->body.p, "GET /2 "));
    got_free(first);
    got_free(second);
    origin_stop(p);
}

// The first connection answers once, then closes or resets when the next request has come.
static void serve_stale(struct origin_conn *c)
{
    char request[8192];
    const char *how = c->origin->script;
    for (int i = 0; origin_request(c, request, sizeof(request)); i++) {
        if (c->nth == 0 && i == 1) {
            if (!strcmp(how, "partial"))
                origin_says(c, "HTTP/1.1 2");
            if (!strcmp(how, "reset"))
                origin_reset(c);
            return;
        }
        origin_says(c, OK_HEAD "Content-Length: 2\r\n\r\nhi");
    }
}

static void test_stale_is_sent_again(void **state)
{
    static const char *const ways[] = {"close", "reset"};
    for (int i = 0; i < 2; i++) {
        struct origin *p = origin_start("127.0.0.1", serve_stale, ways[i], NULL);
        got_free(got_call(*state, p->port, "one"));
        struct got *g = got_call(*state, p->port, "two");
        assert_string_equal(got_why(g), "");
        assert_string_equal(g->body.p, "hi");
        assert_false(g->call.reused);
        assert_int_equal(p->accepted, 2);
        assert_int_equal(p->requests, 3);
        got_free(g);
        origin_stop(p);
    }
}

static void test_stale_after_a_byte_is_not(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_stale, "partial", NULL);
    got_free(got_call(*state, p->port, "one"));
    struct got *g = got_call(*state, p->port, "two");
    assert_string_equal(got_why(g), "upstream_truncated");
    assert_int_equal(p->accepted, 1);
    assert_int_equal(p->requests, 2);
    got_free(g);
    origin_stop(p);
}

// Every connection but the first closes without an answer.
static void serve_dying(struct origin_conn *c)
{
    char request[8192];
    if (c->nth == 0 && origin_request(c, request, sizeof(request)))
        origin_says(c, OK_HEAD "Content-Length: 2\r\n\r\nhi");
    origin_request(c, request, sizeof(request));
}

static void test_fresh_failure_is_final(void **state)
{
    struct origin *p = origin_start("127.0.0.1", serve_dying, NULL, NULL);
    got_free(got_call(*state, p->port, "one"));
    struct got *g = got_call(*state, p->port, "two");
    assert_string_equal(got_why(g), "upstream_unreachable");
    assert_int_equal(p->accepted, 2);
    got_free(g);
    origin_stop(p);
}

// Speaks out of turn on the kept connection.
static void serve_chatter(struct origin_conn *c)
{
    char request[8192];
    while (origin_request(c, request, sizeof(request))) {
        origin_says(c, OK_HEAD "Content-Length: 2\r\n\r\nhi");
        nap_us(20000);
        origin_says(c, OK_HEAD "Content-Length: 4\r\n\r\nevil");
    }
}

static bool has_no_idle(void *client)
{
    return client_idle(client) == 0;
}

static void test_unasked_bytes_close_the_idle(void **state)
{
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_chatter, NULL, NULL);
    got_free(got_call(c, p->port, "one"));
    assert_int_equal(client_idle(c->client), 1);
    caller_until(c, has_no_idle, c->client);
    struct got *g = got_call(c, p->port, "two");
    assert_string_equal(g->body.p, "hi");
    assert_false(g->call.reused);
    got_free(g);
    origin_stop(p);
}

// Answers before it has read the request, then closes.
static void serve_early(struct origin_conn *c)
{
    char byte;
    origin_hear_all(c, &byte, 1);
    origin_says(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    origin_wait_end(c);
}

static void test_early_answer(void **state)
{
    enum { SIZE = 30 * 1024 * 1024 };
    struct caller *c = *state;
    struct origin *p = origin_start("127.0.0.1", serve_early, NULL, NULL);
    struct got *g = got_new(c, "POST", "http://127.0.0.1:%d/", p->port);
    char *bytes = calloc(1, SIZE);
    g->call.body[0] = (struct str){bytes, SIZE};
    g->call.pieces = 1;
    got_start(g);
    got_wait(g);
    assert_string_equal(got_why(g), "");
    assert_int_equal(g->call.status, 413);
    assert_string_equal(g->body.p, "no");
    got_free(g);
    free(bytes);
    origin_stop(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, caller_setup, caller_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_request_as_sent),
        TEST(test_request_without_body),
        TEST(test_request_refused),
        TEST(test_large_body),
        TEST(test_answers_whole),
        TEST(test_answers_byte_by_byte),
        TEST(test_chunked_split_everywhere),
        TEST(test_headers_in),
        TEST(test_oversize_head),
        TEST(test_small_head_limit),
        TEST(test_endless_interims),
        TEST(test_endless_chunk_extension),
        TEST(test_reuse_is_lifo_and_separate),
        TEST(test_next_call_from_on_done),
        TEST(test_stale_is_sent_again),
        TEST(test_stale_after_a_byte_is_not),
        TEST(test_fresh_failure_is_final),
        TEST(test_unasked_bytes_close_the_idle),
        TEST(test_early_answer),
    };
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
