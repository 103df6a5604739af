// The HTTP/1.1 server of one loop: llhttp on libuv.
//
// A connection carries one exchange after the other; pipelined requests wait their turn. Messages
// are parsed strictly and rebuilt, never passed through. Everything happens on the loop's thread.
//
// Life of an exchange: on_head (headers are there) -> body is collected, decoded (gzip, br, zstd,
// deflate) and bounded -> on_request -> the handler answers, at once or later, and calls
// exchange_end() or exchange_abort() exactly once, also when on_gone told it that the client left.
//
// A client that sends no more (FIN) while its answer is being made has left: a program that was
// killed looks just like one that only half-closed. What was ended before that is still delivered.
//
// Behind a running exchange, as many pipelined bytes are kept as one head may have; a client that
// sends more gets its answer, and then the connection ends.

#pragma once
#include "common/buf.h"
#include "common/http/http.h"

struct arena;
struct loop;
struct http_server;
struct tls_context;

enum { REQUEST_ID_SIZE = 32 }; // characters

struct exchange {
    struct loop *loop;
    struct arena *arena; // ends with the exchange
    char request_id[REQUEST_ID_SIZE + 1];

    struct str method, path, query; // path as sent, without the query; query without '?'
    struct http_headers headers;
    bool http_1_0;
    const char *peer;  // the address at the other end of the socket
    struct str body;   // whole and decoded; 8 writable bytes follow it
    size_t body_limit; // on_head may lower or raise it (bytes after decoding)
    int64_t began_ms;  // clock_steady_ms of the first byte

    int status;   // of the answer, once its head is given
    int64_t sent; // bytes of the answer's body handed over so far
    bool head_given, ended, gone;

    // The handler's own.
    void *owner;
    void (*on_drain)(struct exchange *x); // what was queued is below the low mark again
    // The client left or stalled; what is written from now on is dropped. Never called from inside
    // an exchange_ function.
    void (*on_gone)(struct exchange *x);
};

struct http_handlers {
    // Headers are complete. An error refuses the request before its body is read.
    struct err *(*on_head)(struct exchange *x);
    // The body is complete.
    void (*on_request)(struct exchange *x);
    // Something is wrong with the message (or on_head refused it): write an answer in the dialect
    // of x->path, then exchange_end(). method and path may be empty. The connection closes after.
    void (*on_reject)(struct exchange *x, const struct err *e);
    // Bytes are about to leave: what must be on disk before a client sees them is written now, for
    // all of them. Often called with nothing to do; may be NULL.
    void (*before_send)(void);
    // After the last byte of the answer was given to the kernel, or the client is gone: logging.
    // Once for every exchange that on_head or on_reject has seen, also when neither on_request nor
    // on_reject followed because the client left early (status is 0, gone is set).
    void (*on_finish)(struct exchange *x);
};

struct http_limits {
    size_t header_bytes;     // 64 KiB: request line and headers (431)
    size_t body_bytes;       // default for x->body_limit (413)
    int header_ms;           // from the first byte of a request to the end of its headers (408)
    int body_ms;             // without a byte of the body (408)
    int idle_ms;             // kept alive without a request
    int write_ms;            // without the client taking a byte
    size_t queue_high;       // exchange_queued above this: stop feeding (backpressure)
    size_t queue_low;        // on_drain below this
    int connections;         // per loop; what comes above that is reset at once
    struct tls_context *tls; // HTTPS when set (tls_server_context); must outlive the server
};
extern const struct http_limits http_default_limits;

// Listens on host:port with SO_REUSEPORT. err_internal with the reason. port 0 takes a free one.
struct err *http_server_new(struct arena *a, struct loop *loop, const char *host, int port,
                            const struct http_handlers *handlers, const struct http_limits *limits,
                            struct http_server **out);
// Is nobody listening there? Our own loops share a port, so they would not notice another program
// that shares it too. err_internal with the reason.
struct err *http_port_free(struct arena *a, const char *host, int port);
int http_server_port(const struct http_server *s);
int http_server_connections(const struct http_server *s);
int64_t http_connections(void); // of all servers; from any thread

// Closes the listener and idle connections; running exchanges finish, their answers say
// "Connection: close". on_drained (may be NULL) follows when the last connection is gone.
void http_server_drain(struct http_server *s, void (*on_drained)(void *), void *arg);
// Cuts whatever is left (on_gone is called), then frees the server: on_closed follows.
void http_server_close(struct http_server *s, void (*on_closed)(void *), void *arg);

// --- answering ------------------------------------------------------------------

// Gives the head; it leaves together with the first bytes of the body. length -1: chunked (or, to
// an HTTP/1.0 client, ended by closing). Date, Connection, X-Request-Id and framing headers are
// the server's; the names of `extra` must not repeat them. HEAD and 204/304 get no body.
void exchange_head(struct exchange *x, int status, const struct http_header *extra, size_t count,
                   int64_t length);

// Several pieces make one chunk; empty ones are nothing. Small writes leave together when the
// round of callbacks is over; larger ones at once. What the kernel does not take is copied.
void exchange_write(struct exchange *x, const struct str *pieces, size_t count);
// The same of one piece, `body` from its byte `from` on: its memory is given away, and nothing of
// it copied while it waits for the round's end. *body is empty afterwards.
void exchange_give(struct exchange *x, struct buf *body, size_t from);
size_t exchange_queued(const struct exchange *x); // bytes the kernel refused so far

void exchange_end(struct exchange *x);   // after this, x may be gone
void exchange_abort(struct exchange *x); // cuts the connection: the client must notice; x is gone

// Head, whole body and end in one; compressed (zstd, br or gzip: the cheapest that the client
// accepts) when the body is JSON or text of 1 KiB or more.
void exchange_reply(struct exchange *x, int status, const char *content_type,
                    const struct http_header *extra, size_t count, struct str body);
