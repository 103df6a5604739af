// A server on a real loop and clients on real sockets, all in the test's own thread: whoever waits
// pumps the loop.

#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/http/server.h"
#include "common/lane.h"

enum { HELD_MAX = 64 };

#define T(f) cmocka_unit_test(f)
#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

// Answers /echo with what it got; holds everything below /hold for the test to answer; /small and
// /large change the body's limit in on_head, /deny refuses there.
struct host {
    struct arena *arena;
    struct loop *loop;
    struct http_server *server;
    struct exchange *held[HELD_MAX];
    int held_count;
    int heads, requests, rejects, finished, gone, drained;
    int status;   // of the exchange that finished last
    int64_t sent; // its bytes
    bool left;    // had its client left?
    char id[REQUEST_ID_SIZE + 1];
    const char *path; // of the last reject
    bool is_drained, is_closed;
};

void host_open(struct host *h, const struct http_limits *limits);
void host_close(struct host *h); // checks that everything ended
void host_run(struct host *h, int ms);
// Pumps until *value is `wanted`; fails after two seconds.
void host_until(struct host *h, const int *value, int wanted);

struct visitor {
    struct host *host;
    int fd;
    struct buf in;
    bool eof, reset;
    struct ssl_st *ssl; // NULL: plain
    bool notified;      // the server said close_notify
};

// Sends a request below /hold and waits until the handler has it.
struct exchange *host_hold(struct visitor *p, const char *request);
void host_write(struct exchange *x, const char *text);
void host_reply(struct exchange *x, const char *text);

struct visitor visitor_open(struct host *h);
void visitor_secure(struct visitor *p); // TLS from here on
void visitor_close(struct visitor *p);
void visitor_reset(struct visitor *p);
void visitor_half_close(struct visitor *p);
void visitor_send(struct visitor *p, struct str bytes); // pumps
void visitor_puts(struct visitor *p, const char *text);
void visitor_pump(struct visitor *p); // the loop once, then what has arrived
void visitor_until(struct visitor *p,
                   const char *text); // until it is part of what came in; or fails
void visitor_until_end(struct visitor *p);

// What came in, one line per answer: "200 body", "200 close body" with "Connection: close", and "-"
// when the server has closed. "..." is what is not whole.
const char *visitor_answers(struct visitor *p);
bool visitor_awaits(struct visitor *p, const char *answers); // exactly that, and nothing more
void visitor_expect(struct visitor *p, const char *answers); // ... or fails
