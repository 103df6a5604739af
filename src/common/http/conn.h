// One connection of the server: what conn.c, parse.c and answer.c share. Nobody else includes it.

#pragma once
#include <llhttp.h>

#include "common/arena.h"
#include "common/http/encoding.h"
#include "common/http/server.h"
#include "common/http/tls.h"
#include "common/lane.h"

enum {
    HEADERS_MAX = 128,              // header lines of a request
    CHUNK_EXTENSION_MAX = 4 * 1024, // bytes of all chunk extensions of a request
    TRAILER_MAX = 8 * 1024,         // bytes of the trailer, which is dropped
    LINGER_BYTES = 8 * 1024 * 1024, // thrown away so that an answer is not lost to a reset
    LINGER_MS = 2000,
    DIRECT_BYTES = 32 * 1024,      // larger pieces go to the kernel at once, uncopied
    ROUND_BYTES = 2 * 1024 * 1024, // more is not put off
    SPARE_ARENAS = 64,
    DATE_SIZE = 40,
    BODY_PADDING = 8, // writable bytes behind a body
};

enum conn_state {
    CONN_IDLE,    // between two requests
    CONN_HEAD,    // some of a head has come
    CONN_BODY,    // some of a body, or none yet
    CONN_BUSY,    // the handler has the exchange; what comes in is kept for later
    CONN_REFUSED, // the handler answers a bad message; what comes in is thrown away
    CONN_LINGER,  // answered for the last time; waits for the client to close
    CONN_CLOSED,  // the socket is closed or being closed
};

enum conn_due { DUE_NONE, DUE_IDLE, DUE_HEAD, DUE_BODY, DUE_WRITE, DUE_LINGER };

// A text that arrives in pieces and ends up whole in the arena.
struct token {
    char *p;
    size_t n, cap;
};

struct conn {
    uv_tcp_t tcp;
    struct http_server *server;
    struct conn *prev, *next;
    enum conn_state state;
    enum conn_due due;
    struct deadline deadline;
    char peer[48];
    size_t lingered;

    struct tls *tls; // NULL without
    bool feeding;    // conn_feed is further up the stack and goes on by itself
    bool last;       // no further request on this connection
    bool running;    // the handler owes exchange_end or exchange_abort
    bool announced;  // the handler has seen it: on_finish is due
    bool eof;        // the client sends no more
    bool closed;     // the socket's close callback has come
    bool overflowed; // more was pipelined than we keep

    // reading
    llhttp_t parser;
    struct exchange x;
    struct token url, name, value;
    int header_room;
    size_t head_seen, extension_seen, trailer_seen;
    bool body_moved; // bytes of the body came in this round
    struct err *refusal;
    struct decoder *decoder;
    struct buf body;    // of the request
    struct buf pending; // pipelined behind the running exchange

    // answering
    struct str head;          // composed, not sent
    int64_t length;           // promised, -1 if it is not known
    bool chunked;             // the answer's framing
    bool bodiless;            // HEAD, 204, 304
    bool until_close;         // HTTP/1.0 without a length
    bool above;               // the queue went over the high mark
    size_t round_at, round_n; // what lies in the server's round for it; 0 bytes = nothing
    int round_place;          // its place in round_conns
    struct buf held;          // given away by the handler for this round:
    size_t held_from;         // ... from this byte on it goes out
    size_t held_at;           // ... behind so many bytes of what lies in the round
    struct sending *sending;  // what libuv is writing
    struct buf waiting;       // what follows it
    size_t taken_mark;        // the queue's size when the client was last looked at
};

struct http_server {
    struct loop *loop;
    struct http_handlers handlers;
    struct http_limits limits;
    uv_tcp_t listener;
    uv_check_t closer; // never runs: that it is closed is told in a later round
    struct round_end round_end;
    int port, count;
    int handles; // of the server's own that are not closed yet
    bool draining, closing;
    struct conn *first;
    void (*on_drained)(void *);
    void *drained_arg;
    void (*on_closed)(void *);
    void *closed_arg;

    // What is to be sent when this round of callbacks is over, and for whom: NULL for who is gone.
    struct buf round;
    size_t held; // bytes that connections hold for it besides
    struct conn **round_conns;
    int round_count, round_cap;

    struct buf plain, joined, sealed; // TLS: received, about to be sealed, about to be sent

    struct arena *arenas[SPARE_ARENAS]; // spare
    int arena_count;

    char date[DATE_SIZE]; // "Date: ...\r\n"
    int64_t date_until_ms, wall_offset_ms;
    char id_tail[13]; // differs between servers
    int64_t id_ms;    // of the last one: never steps back
    uint32_t id_count;
};

static inline struct conn *conn_of(struct exchange *x)
{
    return (struct conn *)((char *)x - offsetof(struct conn, x));
}

// --- server.c
void server_accepted(struct http_server *s, struct conn *c);
void server_lost(struct http_server *s, struct conn *c); // its connection is freed: may free s
struct arena *server_arena(struct http_server *s);
void server_arena_back(struct http_server *s, struct arena *a);
void server_clock(struct http_server *s); // refreshes date and wall_offset_ms once a second
int64_t server_now_ms(const struct http_server *s);

// --- conn.c
struct conn *conn_accept(struct http_server *s); // NULL if the client is gone already
void conn_due(struct conn *c, enum conn_due due, int ms);
void conn_close(struct conn *c);  // the kernel still delivers what it took
void conn_reset(struct conn *c);  // ... or not: the client sees an error
void conn_finish(struct conn *c); // the answer is out, or nobody is there to read it
// Nothing is queued any longer: ends what only waited for that. True if it did.
bool conn_said_all(struct conn *c);
bool conn_is_last(const struct conn *c); // no further request will be read
void conn_arm(struct conn *c);           // the deadline that its state asks for
void conn_refuse(struct conn *c, struct err *e);

// --- parse.c
// Feeds bytes to the parser for as long as requests are wanted; returns how many it took.
size_t parse_feed(struct conn *c, struct str bytes);
void parse_reset(struct conn *c);
// Of a head that is not read to its end: where it was going, for an answer in words known there.
void parse_target(struct conn *c);

// --- answer.c
void answer_reset(struct conn *c);
void answer_forget(struct conn *c);       // gives up what was not handed to libuv
bool answer_queued(const struct conn *c); // something is not in the kernel yet
void answer_send(struct conn *c);         // what was put off goes out now
void answer_continue(struct conn *c);     // "100 Continue"
bool answer_stalled(struct conn *c);      // has the client taken nothing since the last look?
void answer_sealed(struct conn *c);       // what TLS has to send goes out
void answer_send_all(struct http_server *s);
void answer_round_end(struct round_end *r);
