// Connections of the client: what client.c (calls, pool), link.c (life and bytes), reply.c
// (parsing) and proxy.c share. Nobody else includes this.

#pragma once
#include <llhttp.h>

#include "common/buf.h"
#include "common/http/client.h"
#include "common/http/dns.h"
#include "common/http/tls.h"
#include "common/lane.h"

enum {
    IDLE_MS = 60000, // a kept connection waits this long for its next call
    IDLE_MAX = 256,  // kept per upstream
    PROXY_ANSWER_MAX = 16 * 1024,
    UPSTREAM_BUCKETS = 256,
    RECORD_MAX = 16 * 1024, // of TLS
    SPARE_CONNS = 64,       // closed connections whose memory is kept for the next ones
};

// Where calls go that may share a connection.
struct upstream {
    struct upstream *next; // in its bucket
    const char *host;
    const char *authority; // as the Host header says it
    const char *proxy;     // "" for none
    int port;
    bool secure, guarded;
    int refs;                 // connections, in whatever state
    struct client_conn *idle; // newest first
    int idle_count;
};

// A head that is being parsed; taken from the client's stock when its first byte comes.
struct head_line {
    uint32_t name, value; // lengths: the texts lie one after the other
};
struct head {
    struct head *next;
    struct buf text;
    struct head_line *lines;
    size_t count, cap;
    struct head_line line; // the one that is coming in
};

// What is needed only until the connection is up.
struct dial {
    struct dns_query query;
    struct dns_answer *addresses;
    int at;           // the next address to try
    int64_t until_ms; // for everything
    bool forbidden;   // an address was refused by the guard
    const char *why;  // of the last failure: a static text
    uv_connect_t request;
    bool proxied;
    struct url proxy;
    int proxy_step;
    size_t proxy_bytes;
    struct buf proxy_in;
};

enum conn_state {
    CONN_DIALS, // names, TCP
    CONN_PROXY,
    CONN_TLS,
    CONN_BUSY, // serves a call
    CONN_IDLE,
    CONN_CLOSED,
};

struct client_conn {
    uv_tcp_t tcp;
    struct client *client;
    struct upstream *upstream;
    struct call *call;               // NULL when idle or closed
    struct client_conn *next, *prev; // among the idle ones
    struct dial *dial;
    struct tls *tls;
    enum conn_state state;

    bool deaf;                // not reading, for a pause
    bool to_send;             // its request leaves when this round of callbacks is over,
    struct client_conn *then; // and that of this one after it

    struct deadline deadline; // may be set too early, never too late
    int64_t due_ms;           // when it is really due; 0 = never

    // the request: what is not handed over yet
    struct str head_left;
    size_t piece, offset;
    int writes; // queued ones
    bool write_failed;

    // the answer
    llhttp_t parser;
    struct head *head;
    size_t head_bytes;     // of heads and trailers, as parsed
    size_t raw_head_bytes; // of reads that did not end the head
    size_t extension_bytes;
    const char *read_end; // of what is being parsed
    int interim;          // 1xx answers
    bool head_done, complete, keep;
    const struct err_kind *broken; // a parser callback gave up,
    const char *why;               // and why: static, or in the call's arena
    struct arena *decoding;
    struct decoder *decoder;
    struct buf raw;     // kept while paused: bytes not parsed yet,
    struct buf decoded; // and decoded ones not handed over
};

struct client {
    struct loop *loop;
    struct dns *dns;
    struct tls_context *tls;
    struct upstream *upstreams[UPSTREAM_BUCKETS];
    int idle, active;
    struct round_end round_end;
    struct client_conn *to_send, **to_send_tail;
    struct buf head;   // of the request being written
    struct buf gather; // small pieces, to be encrypted together
    struct buf cipher; // encrypted, to be written at once
    struct buf plain;  // decrypted, to be parsed at once
    struct head *heads;
    struct client_conn *spare;
    int spare_count;
    struct call *soon, **soon_tail;
    uv_idle_t soon_handle;
    int parts; // what client_close still waits for
    void (*on_closed)(void *);
    void *arg;
};

// --- client.c -----------------------------------------------------------------------

// Ends the call: on_done, at once. Its connection must have been let go of.
void call_finish(struct call *c, struct err *e);
// The same in the next round of the loop; for places that call_start can reach.
void call_fail_soon(struct call *c, struct err *e);
// Gives the connection, which is up and free, to the call, whose request it sends when the round
// of callbacks is over.
void link_serve(struct client_conn *conn, struct call *c);
void client_keep(struct client_conn *conn);   // into the pool
void client_unlink(struct client_conn *conn); // out of pool and upstream; it is about to be closed
void client_part_closed(struct client *c);

// --- link.c -------------------------------------------------------------------------

struct client_conn *link_new(struct client *client, struct upstream *u);
void link_release(struct client_conn *conn);               // its handle is closed
void link_expect(struct client_conn *conn, int64_t in_ms); // else it has timed out
void link_close(struct client_conn *conn);
// The call, if there is one, fails at once with this.
void link_fail(struct client_conn *conn, const struct err_kind *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Sends the call's request: this head, then the pieces. The head is copied if it must wait.
void link_send(struct client_conn *conn, struct str head);
// Writes what the kernel takes and queues a copy of the rest.
void link_write(struct client_conn *conn, struct str bytes);
void link_read_stop(struct client_conn *conn);
void link_read_again(struct client_conn *conn);
// The kept connection was dead before a byte of the answer came: the call goes out on a fresh one.
bool link_retry(struct client_conn *conn); // false if it may not
