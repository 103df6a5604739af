// The HTTP/1.1 client of one loop: what relays use to reach upstreams.
//
// Connections are kept per upstream (scheme, host, port, proxy) and reused; TLS 1.2+ is verified
// against the system's store, with SNI and session resumption; names are resolved off the loop and
// cached; proxies are HTTP CONNECT and SOCKS5. Everything happens on the loop's thread.
//
// A call that fails on a reused connection before a single byte of the answer came is sent once
// more on a fresh one; nothing else is ever retried here.

#pragma once
#include "common/http/http.h"

struct arena;
struct call;
struct client;
struct loop;

struct call_limits {   // 0 = as in call_default_limits
    int connect_ms;    // names, TCP, proxy, TLS
    int first_byte_ms; // from the request's last byte to the status line
    int idle_ms;       // between two pieces of the answer, or of the request as it is taken
    size_t head_bytes; // of the answer's status line and headers
};
extern const struct call_limits call_default_limits;

enum { CALL_PIECES = 16 };

// Zero it, fill in the first part, call_start(). It must stay where it is until on_done or
// call_cancel(). Callbacks are never called from inside call_start.
struct call {
    struct client *client;
    struct arena *arena; // answers' headers and errors go here; outlives the call
    const char *method;
    struct url url;
    struct str headers; // "Name: value\r\n" lines; Host, Content-Length, Connection are ours and
                        // refused (err_channel_misconfigured), as is what is no such line
    struct str body[CALL_PIECES]; // pieces, sent in order; they stay valid until on_done
    size_t pieces;
    const char
        *proxy;   // NULL or "", "http://[user:pass@]host:port", "socks5://[user:pass@]host:port"
    bool checked; // call_check has found nothing wrong with URL and headers: not looked at again
    bool accepts; // set by call_check: the headers have an Accept-Encoding
    bool guarded; // user-supplied URL: the address connected to must be public (egress.h)
    struct call_limits limits;

    void *owner;
    // Status and headers are there (1xx are swallowed).
    void (*on_head)(struct call *c);
    // Some of the body, decoded (chunked; gzip, deflate, br, zstd). Valid during the callback.
    void (*on_body)(struct call *c, struct str bytes);
    // What has arrived so far has all been given to on_body: the time to pass it on. Never between
    // the pieces of one read. May be NULL.
    void (*on_rest)(struct call *c);
    // Exactly once, unless cancelled. NULL: the answer is complete. err_upstream_unreachable,
    // _timeout, _truncated (the answer broke off), _failed (not HTTP), address_forbidden,
    // channel_misconfigured (header, URL or proxy that cannot be used).
    void (*on_done)(struct call *c, struct err *e);

    int status;
    struct http_headers headers_in;
    size_t coming;    // in on_body: these bytes and those that were read together with them
    bool got_bytes;   // something of the answer arrived
    bool reused;      // a kept connection served it
    int64_t sent_ms;  // clock_steady_ms when the request was handed over whole; 0 before
    int64_t first_ms; // ... when the first byte of the answer came

    struct client_conn *conn; // the client's own from here on
    struct call *next;        // among those with something due soon
    struct err *failed;       // what on_done will soon be told
    bool soon, retried, paused, done;
};

// What is wrong with the address, the method or the headers: err_channel_misconfigured.
struct err *call_check(struct call *c);

struct client *client_new(struct loop *loop);
// Cancels nothing by itself: all calls must be done. on_closed follows when every socket is closed.
void client_close(struct client *c, void (*on_closed)(void *), void *arg);
int client_idle(const struct client *c); // kept connections
int client_active(const struct client *c);
int64_t client_connections(void); // of all clients; from any thread

void call_start(struct call *c);
void call_pause(struct call *c); // no callback until call_resume: the socket is not read
void call_resume(struct call *c);
void call_cancel(struct call *c); // closes the connection now; no callback follows
