// Answers: framed, gathered, given to the kernel in one call where it takes them, queued otherwise.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/conn.h"
#include "common/http/send.h"

enum { PIECES_MAX = 24, COMPRESS_FROM = 1024, LARGEST_KEPT = 256 * 1024 };
// What is put off may be in three: before what is held, that itself, and behind it.
enum { ROUND_PIECES = 3 };

// What libuv is writing: it must not move.
struct sending {
    uv_write_t write;
    struct conn *conn;
    struct buf bytes;
};

// --- bytes out --------------------------------------------------------------------------------

static void on_written(uv_write_t *write, int status);

// uv_buf_init would cut a length to 32 bits.
static uv_buf_t bytes_at(const char *p, size_t n)
{
    return (uv_buf_t){.base = (char *)p, .len = n};
}

static bool in_queue(const struct conn *c)
{
    return c->sending || c->waiting.n;
}

bool answer_queued(const struct conn *c)
{
    return in_queue(c) || c->round_n;
}

// Hands what waits to libuv, which goes on writing whenever the client takes some.
static void send_waiting(struct conn *c)
{
    struct sending *s = mem_new(sizeof(*s));
    s->conn = c;
    s->bytes = c->waiting;
    c->waiting = BUF(SIZE_MAX);
    c->sending = s;
    c->taken_mark = s->bytes.n;
    conn_due(c, DUE_WRITE, c->server->limits.write_ms);
    uv_buf_t bytes = bytes_at(s->bytes.p, s->bytes.n);
    if (uv_write(&s->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written)) {
        c->sending = NULL;
        buf_free(&s->bytes);
        free(s);
        conn_close(c);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct sending *s = (struct sending *)write;
    struct conn *c = s->conn;
    buf_free(&s->bytes);
    free(s);
    c->sending = NULL;
    if (c->state == CONN_CLOSED)
        return;
    if (status < 0) {
        conn_close(c);
        return;
    }
    if (c->waiting.n)
        send_waiting(c);
    else
        conn_arm(c);
    struct exchange *x = &c->x;
    if (!answer_queued(c) && conn_said_all(c)) {
        return;
    } else if (c->above && exchange_queued(x) <= c->server->limits.queue_low) {
        c->above = false;
        if (x->on_drain && !x->ended)
            x->on_drain(x);
    }
}

bool answer_stalled(struct conn *c)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    bool stalled = left >= c->taken_mark;
    c->taken_mark = left;
    return stalled;
}

// Queues what lies behind the first `taken` bytes.
static void queue(struct conn *c, const uv_buf_t *pieces, int count, size_t taken)
{
    for (int i = 0; i < count; i++) {
        size_t skip = taken < pieces[i].len ? taken : pieces[i].len;
        taken -= skip;
        buf_add(&c->waiting, pieces[i].base + skip, pieces[i].len - skip);
    }
    if (c->waiting.n && !c->sending)
        send_waiting(c);
    if (exchange_queued(&c->x) > c->server->limits.queue_high)
        c->above = true;
}

// The one place where bytes leave.
static void push_raw(struct conn *c, const uv_buf_t *pieces, int count)
{
    if (c->state == CONN_CLOSED)
        return;
    ssize_t taken = 0;
    if (!in_queue(c))
        taken = send_at_once(&c->tcp, pieces, (unsigned)count);
    if (taken < 0 && taken != UV_EAGAIN) {
        conn_close(c);
        return;
    }
    queue(c, pieces, count, taken < 0 ? 0 : (size_t)taken);
}

static void buf_empty(struct buf *b)
{
    if (b->cap > LARGEST_KEPT)
        buf_free(b);
    else
        buf_clear(b);
}

void answer_sealed(struct conn *c)
{
    struct buf *sealed = &c->server->sealed;
    uv_buf_t all = bytes_at(sealed->p, sealed->n);
    if (sealed->n)
        push_raw(c, &all, 1);
    buf_empty(sealed);
}

// Joined first: TLS makes at least one record of everything that it is given.
static void push(struct conn *c, const uv_buf_t *pieces, int count)
{
    if (!c->tls) {
        push_raw(c, pieces, count);
        return;
    }
    struct http_server *s = c->server;
    for (int i = 0; i < count; i++)
        buf_add(&s->joined, pieces[i].base, pieces[i].len);
    enum tls_state state = tls_send(c->tls, buf_view(&s->joined), &s->sealed);
    buf_empty(&s->joined);
    answer_sealed(c);
    if (state != TLS_READY)
        conn_close(c);
}

// --- one round of callbacks, one write ---------------------------------------------------

static void before_send(const struct http_server *s)
{
    if (s->handlers.before_send)
        s->handlers.before_send();
}

static void put_off(struct conn *c)
{
    struct http_server *s = c->server;
    if (s->round_count == s->round_cap) {
        s->round_cap = s->round_cap ? s->round_cap * 2 : 64;
        s->round_conns = (struct conn **)mem_resize((void *)s->round_conns,
                                                    (size_t)s->round_cap * sizeof(struct conn *));
    }
    c->round_place = s->round_count++;
    s->round_conns[c->round_place] = c;
    c->round_at = s->round.n;
}

// What was put off for one connection, in the order in which it leaves.
struct put_off {
    uv_buf_t pieces[ROUND_PIECES];
    int count;
    struct buf held; // to be freed when they have left
};

static void add_piece(struct put_off *p, const char *bytes, size_t n)
{
    if (n)
        p->pieces[p->count++] = bytes_at(bytes, n);
}

// Nothing is put off for it any longer; its bytes lie where they are until the next write.
static struct put_off take_off(struct conn *c)
{
    struct http_server *s = c->server;
    struct put_off off = {.held = c->held};
    const char *at = s->round.p + c->round_at;
    size_t before = c->held.n ? c->held_at : c->round_n;
    add_piece(&off, at, before);
    if (c->held.n)
        add_piece(&off, c->held.p + c->held_from, c->held.n - c->held_from);
    add_piece(&off, at + before, c->round_n - before);
    if (c->round_n)
        s->round_conns[c->round_place] = NULL;
    s->held -= c->held.n;
    c->held = BUF(SIZE_MAX);
    c->round_n = 0;
    return off;
}

// The pieces of one write: places for what was put off, the head, a chunk's frame around the
// body's pieces.
struct parts {
    uv_buf_t list[ROUND_PIECES + PIECES_MAX + 3];
    int count;
    char size[20];
    struct buf *given; // NULL, or the memory of the piece at given_at, which may be kept
    int given_at;
};

static void part(struct parts *p, struct str s)
{
    if (s.n)
        p->list[p->count++] = bytes_at(s.p, s.n);
}

static size_t parts_bytes(const struct parts *p)
{
    size_t n = 0;
    for (int i = ROUND_PIECES; i < p->count; i++)
        n += p->list[i].len;
    return n;
}

static void hold(struct conn *c, const struct parts *p)
{
    struct http_server *s = c->server;
    c->held = *p->given;
    c->held_from = (size_t)((char *)p->list[p->given_at].base - c->held.p);
    c->held_at = s->round.n - c->round_at;
    s->held += c->held.n;
    *p->given = BUF(c->held.limit);
}

static void send_now(struct conn *c, struct parts *p)
{
    struct put_off waited = take_off(c);
    int from = ROUND_PIECES - waited.count;
    memcpy(p->list + from, waited.pieces, sizeof(*p->list) * (size_t)waited.count);
    before_send(c->server);
    push(c, p->list + from, p->count - from);
    buf_free(&waited.held);
}

// Pieces that fit wait for the end of the round, together with more of the same exchange; larger
// ones leave at once, behind what waited.
static void gather(struct conn *c, struct parts *p)
{
    struct http_server *s = c->server;
    size_t n = parts_bytes(p);
    if (c->state == CONN_CLOSED || !n)
        return;
    bool others_follow = c->round_n && c->round_at + c->round_n != s->round.n;
    bool large = c->round_n + c->held.n + n > DIRECT_BYTES || s->round.n + s->held > ROUND_BYTES;
    if (large || others_follow || in_queue(c)) {
        send_now(c, p);
        return;
    }
    if (!c->round_n)
        put_off(c);
    bool holds = p->given && !c->held.n && !c->tls && p->count > ROUND_PIECES + 1;
    for (int i = ROUND_PIECES; i < p->count; i++)
        if (holds && i == p->given_at)
            hold(c, p);
        else
            buf_add(&s->round, p->list[i].base, p->list[i].len);
    c->round_n = s->round.n - c->round_at;
}

void answer_send(struct conn *c)
{
    struct put_off off = take_off(c);
    if (!off.count)
        return;
    before_send(c->server);
    push(c, off.pieces, off.count);
    buf_free(&off.held);
}

// Finishing an exchange may begin the next one, whose answer may join this round.
void answer_send_all(struct http_server *s)
{
    for (int i = 0; i < s->round_count; i++) {
        struct conn *c = s->round_conns[i];
        if (!c)
            continue;
        answer_send(c);
        if (!answer_queued(c))
            conn_said_all(c);
    }
    s->round_count = 0;
    buf_empty(&s->round);
}

void answer_round_end(struct round_end *r)
{
    struct http_server *s =
        (struct http_server *)((char *)r - offsetof(struct http_server, round_end));
    before_send(s); // for those, too, whose client did not wait
    if (s->round_count)
        answer_send_all(s);
}

void answer_forget(struct conn *c)
{
    struct put_off off = take_off(c);
    buf_free(&off.held);
    buf_free(&c->waiting);
}

void answer_reset(struct conn *c)
{
    c->head = (struct str){0};
    c->length = 0;
    c->chunked = c->bodiless = c->until_close = c->above = false;
}

void answer_continue(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t piece = bytes_at(text, sizeof(text) - 1);
    push(c, &piece, 1);
}

// --- the head -----------------------------------------------------------------------------------

static void add_text(char **to, const char *s, size_t n)
{
    if (n)
        memcpy(*to, s, n);
    *to += n;
}

static void add_str(char **to, struct str s)
{
    add_text(to, s.p, s.n);
}

static void add_int(char **to, int64_t v)
{
    char digits[20], *p = digits + sizeof(digits);
    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    add_text(to, p, (size_t)(digits + sizeof(digits) - p));
}

// A line break in a header would let its author write the rest of the answer.
static bool header_is_safe(const struct http_header *h)
{
    for (size_t i = 0; i < h->value.n; i++)
        if ((unsigned char)h->value.p[i] < ' ' && h->value.p[i] != '\t')
            return false;
    return h->name.n && !memchr(h->name.p, '\n', h->name.n) && !memchr(h->name.p, ':', h->name.n);
}

static void add_header(char **to, const struct http_header *h)
{
    if (!header_is_safe(h))
        return;
    add_str(to, h->name);
    add_str(to, STR(": "));
    add_str(to, h->value);
    add_str(to, STR("\r\n"));
}

static void choose_framing(struct conn *c, int status, int64_t length)
{
    struct exchange *x = &c->x;
    c->length = length;
    c->bodiless = str_is(x->method, "HEAD") || status == 204 || status == 304;
    c->chunked = length < 0 && !x->http_1_0 && !c->bodiless;
    c->until_close = length < 0 && x->http_1_0 && !c->bodiless;
    if (c->until_close || c->server->draining)
        c->last = true;
}

static void add_framing(char **to, const struct conn *c, int status)
{
    if (c->chunked)
        add_str(to, STR("Transfer-Encoding: chunked\r\n"));
    if (c->length >= 0 && status != 204 && status != 304) {
        add_str(to, STR("Content-Length: "));
        add_int(to, c->length);
        add_str(to, STR("\r\n"));
    }
    if (c->last)
        add_str(to, STR("Connection: close\r\n"));
    else if (c->x.http_1_0)
        add_str(to, STR("Connection: keep-alive\r\n"));
}

void exchange_head(struct exchange *x, int status, const struct http_header *extra, size_t count,
                   int64_t length)
{
    struct conn *c = conn_of(x);
    if (x->head_given || x->ended)
        return;
    x->head_given = true;
    x->status = status;
    choose_framing(c, status, length);
    server_clock(c->server);
    const char *text = http_status_text(status);
    size_t room = 256 + REQUEST_ID_SIZE + strlen(text);
    for (size_t i = 0; i < count; i++)
        room += extra[i].name.n + extra[i].value.n + 4;
    char *start = arena_raw(x->arena, room), *to = start;
    add_str(&to, STR("HTTP/1.1 "));
    add_int(&to, status);
    add_str(&to, STR(" "));
    add_str(&to, str_of(text));
    add_str(&to, STR("\r\n"));
    add_str(&to, str_of(c->server->date));
    add_str(&to, STR("X-Request-Id: "));
    add_text(&to, x->request_id, REQUEST_ID_SIZE);
    add_str(&to, STR("\r\n"));
    for (size_t i = 0; i < count; i++)
        add_header(&to, &extra[i]);
    add_framing(&to, c, status);
    add_str(&to, STR("\r\n"));
    c->head = (struct str){start, (size_t)(to - start)};
}

// --- the body -----------------------------------------------------------------------------------

static void part_chunk_size(struct parts *p, size_t n)
{
    char *end = p->size + sizeof(p->size), *at = end;
    *--at = '\n';
    *--at = '\r';
    do
        *--at = "0123456789abcdef"[n & 15];
    while (n >>= 4);
    part(p, (struct str){at, (size_t)(end - at)});
}

static void part_head(struct parts *p, struct conn *c)
{
    part(p, c->head);
    c->head = (struct str){0};
}

static size_t total_of(const struct str *pieces, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += pieces[i].n;
    return n;
}

// Whatever the handler says, the client is not sent more than was promised.
static void write_few(struct conn *c, const struct str *pieces, size_t count, struct buf *given)
{
    struct exchange *x = &c->x;
    struct parts p = {.count = ROUND_PIECES, .given = given};
    size_t total = total_of(pieces, count);
    if (c->state != CONN_CLOSED && !c->bodiless && c->length >= 0 &&
        (int64_t)total > c->length - x->sent)
        conn_close(c);
    if (c->state == CONN_CLOSED)
        return;
    part_head(&p, c);
    if (!c->bodiless && total) {
        if (c->chunked)
            part_chunk_size(&p, total);
        p.given_at = p.count;
        for (size_t i = 0; i < count; i++)
            part(&p, pieces[i]);
        if (c->chunked)
            part(&p, STR("\r\n"));
        x->sent += (int64_t)total;
    } else {
        p.given = NULL;
    }
    gather(c, &p);
}

void exchange_write(struct exchange *x, const struct str *pieces, size_t count)
{
    struct conn *c = conn_of(x);
    if (!x->head_given || x->ended)
        return;
    if (count <= PIECES_MAX) {
        if (total_of(pieces, count))
            write_few(c, pieces, count, NULL);
        return;
    }
    BUF_HERE(all, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        buf_str(&all, pieces[i]);
    struct str whole = buf_view(&all);
    exchange_write(x, &whole, 1);
}

void exchange_give(struct exchange *x, struct buf *body, size_t from)
{
    struct str piece = str_skip(buf_view(body), from);
    if (x->head_given && !x->ended && piece.n)
        write_few(conn_of(x), &piece, 1, body);
    buf_free(body); // or what is left of it
}

size_t exchange_queued(const struct exchange *x)
{
    const struct conn *c = (const struct conn *)((const char *)x - offsetof(struct conn, x));
    return c->waiting.n + uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);
}

void exchange_end(struct exchange *x)
{
    struct conn *c = conn_of(x);
    bool complete = c->bodiless || c->length < 0 || c->length == x->sent;
    if (!x->head_given || !complete) {
        exchange_abort(x);
        return;
    }
    x->ended = true;
    struct parts p = {.count = ROUND_PIECES};
    part_head(&p, c);
    if (c->chunked)
        part(&p, STR("0\r\n\r\n"));
    gather(c, &p);
    if (conn_is_last(c))
        answer_send(c);
    if (c->state == CONN_CLOSED || !in_queue(c)) // what is put off is as good as sent
        conn_finish(c);
}

void exchange_abort(struct exchange *x)
{
    struct conn *c = conn_of(x);
    answer_send(c);
    x->ended = true;
    if (c->until_close)
        conn_reset(c); // an orderly end would look like the end of the answer
    else
        conn_close(c);
    conn_finish(c);
}

// --- whole answers
// ----------------------------------------------------------------------------------

static bool compressible(struct str type)
{
    return str_starts(type, "text/") || str_starts(type, "application/json") ||
           str_starts(type, "application/javascript") || str_starts(type, "image/svg+xml");
}

static struct http_header *add(struct http_header *to, const char *name, const char *value)
{
    *to = (struct http_header){str_of(name), str_of(value)};
    return to + 1;
}

void exchange_reply(struct exchange *x, int status, const char *content_type,
                    const struct http_header *extra, size_t count, struct str body)
{
    struct http_header *all = arena_raw(x->arena, sizeof(*all) * (count + 3)), *to = all;
    struct http_headers given = {(struct http_header *)extra, count};
    BUF_HERE(compressed, SIZE_MAX);
    if (content_type)
        to = add(to, "Content-Type", content_type);
    if (count)
        memcpy(to, extra, sizeof(*extra) * count);
    to += count;
    if (body.n >= COMPRESS_FROM && compressible(str_of(content_type)) &&
        !http_header(&given, "content-encoding").p) {
        const char *coding = encoding_choose(http_header(&x->headers, "accept-encoding"));
        to = add(to, "Vary", "Accept-Encoding");
        if (coding && encoding_compress(coding, body, &compressed) && compressed.n < body.n) {
            to = add(to, "Content-Encoding", coding);
            body = buf_view(&compressed);
        }
    }
    exchange_head(x, status, all, (size_t)(to - all), (int64_t)body.n);
    struct conn *c = conn_of(x);
    if (body.n && !x->gone)
        write_few(c, &body, 1, NULL);
    exchange_end(x);
}
