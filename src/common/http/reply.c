// Reading an answer: llhttp's events become a call's callbacks.

#include "common/http/reply.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/http/encoding.h"

enum {
    INTERIM_MAX = 8,
    EXTENSIONS_MAX = 16 * 1024, // of chunks: nobody uses them but to keep us busy
    DECODE_STEP = 2 * 1024,     // encoded bytes at a time, so that little is decoded after a pause
    DECODED_MAX = 4 * 1024 * 1024, // kept while paused; what comes of one step may not be more
    RAW_MAX = 1024 * 1024,
    HAND_OVER = 16 * 1024,
    LINES_MAX = 1000,
    HEAD_USUAL = 8 * 1024, // memory of a larger one is not kept for the next
    LINES_USUAL = 128,
};

static bool is_gone(const struct client_conn *conn)
{
    return conn->state == CONN_CLOSED;
}

static int give_up(struct client_conn *conn, const struct err_kind *kind, const char *why)
{
    conn->broken = kind;
    conn->why = why;
    return HPE_USER;
}

// --- heads ----------------------------------------------------------------------------------

static struct head *head_take(struct client *client, size_t limit)
{
    struct head *h = client->heads;
    if (h)
        client->heads = h->next;
    else
        h = mem_new(sizeof(*h));
    h->text.limit = limit;
    return h;
}

static void head_clear(struct head *h)
{
    if (h->text.cap > HEAD_USUAL || h->cap > LINES_USUAL) {
        buf_free(&h->text);
        free(h->lines);
        h->lines = NULL;
        h->cap = 0;
    }
    buf_clear(&h->text);
    h->count = 0;
    h->line = (struct head_line){0};
}

static void head_give_back(struct client_conn *conn)
{
    struct head *h = conn->head;
    if (!h)
        return;
    conn->head = NULL;
    head_clear(h);
    h->next = conn->client->heads;
    conn->client->heads = h;
}

void reply_heads_free(struct client *client)
{
    while (client->heads) {
        struct head *h = client->heads;
        client->heads = h->next;
        buf_free(&h->text);
        free(h->lines);
        free(h);
    }
}

static int count_head(struct client_conn *conn, size_t n)
{
    conn->head_bytes += n;
    bool fits = conn->head_bytes <= conn->call->limits.head_bytes;
    return fits ? 0 : give_up(conn, &err_upstream_failed, "answer head too large");
}

static int on_status(llhttp_t *parser, const char *at, size_t n)
{
    (void)at;
    return count_head(parser->data, n);
}

static int on_name_part(llhttp_t *parser, const char *at, size_t n)
{
    struct client_conn *conn = parser->data;
    struct head *h = conn->head;
    if (h) { // else it is a trailer, which nobody wants
        buf_add(&h->text, at, n);
        h->line.name += (uint32_t)n;
    }
    return count_head(conn, n);
}

static int on_value_part(llhttp_t *parser, const char *at, size_t n)
{
    struct client_conn *conn = parser->data;
    struct head *h = conn->head;
    if (h) {
        buf_add(&h->text, at, n);
        h->line.value += (uint32_t)n;
    }
    return count_head(conn, n);
}

static int on_value_end(llhttp_t *parser)
{
    struct client_conn *conn = parser->data;
    struct head *h = conn->head;
    if (!h)
        return count_head(conn, 4);
    if (h->count == LINES_MAX)
        return give_up(conn, &err_upstream_failed, "too many answer headers");
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 32;
        h->lines = mem_resize(h->lines, sizeof(*h->lines) * h->cap);
    }
    h->lines[h->count++] = h->line;
    h->line = (struct head_line){0};
    return count_head(conn, 4);
}

// The head's texts move to the call's arena in one piece.
static void copy_headers(const struct head *h, struct call *c)
{
    const char *p = arena_strndup(c->arena, h->text.p, h->text.n);
    struct http_header *items = arena_raw(c->arena, sizeof(*items) * h->count);
    for (size_t i = 0; i < h->count; i++) {
        struct head_line line = h->lines[i];
        items[i].name = (struct str){p, line.name};
        items[i].value = str_trim((struct str){p + line.name, line.value});
        p += line.name + line.value;
    }
    c->headers_in = (struct http_headers){items, h->count};
}

static struct str only_header(const struct http_headers *h, const char *name, int *count)
{
    struct str found = {0};
    *count = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (!str_is_nocase(h->items[i].name, name))
            continue;
        found = h->items[i].value;
        ++*count;
    }
    return found;
}

// llhttp sees to lengths that contradict each other; these it leaves to us. NULL if all is well.
static const char *framing_fault(const llhttp_t *parser, const struct http_headers *h)
{
    int count;
    struct str coding = only_header(h, "Transfer-Encoding", &count);
    if (count == 0)
        return NULL;
    if (parser->http_minor == 0)
        return "HTTP/1.0 with Transfer-Encoding";
    if (count > 1 || !str_is_nocase(coding, "chunked"))
        return "Transfer-Encoding other than chunked";
    return NULL;
}

static const char *prepare_decoding(struct client_conn *conn, const struct http_headers *h)
{
    int count;
    struct str coding = only_header(h, "Content-Encoding", &count);
    if (count == 0 || str_is_nocase(coding, "identity"))
        return NULL;
    if (count > 1)
        return "several Content-Encoding headers";
    // in an arena of ours: the call's may go in the midst of decoding, with call_cancel
    conn->decoding = arena_new();
    struct err *e = decoder_new(conn->decoding, coding, SIZE_MAX, &conn->decoder);
    return e ? "unknown Content-Encoding" : NULL;
}

static bool is_interim(int status)
{
    return status >= 100 && status < 200;
}

static int on_interim(struct client_conn *conn, int status)
{
    if (status == 101)
        return give_up(conn, &err_upstream_failed, "101 without being asked");
    if (++conn->interim > INTERIM_MAX)
        return give_up(conn, &err_upstream_failed, "too many 1xx answers");
    head_clear(conn->head);
    return 1;
}

static int on_head_end(llhttp_t *parser)
{
    enum { NO_BODY = 1 };
    struct client_conn *conn = parser->data;
    struct call *c = conn->call;
    int status = parser->status_code;
    if (parser->http_major != 1 || status < 100 || status > 999)
        return give_up(conn, &err_upstream_failed, "not HTTP/1");
    if (is_interim(status))
        return on_interim(conn, status);
    copy_headers(conn->head, c);
    head_give_back(conn);
    conn->head_done = true;
    bool no_body = status == 204 || status == 304 || !strcmp(c->method, "HEAD");
    const char *fault = framing_fault(parser, &c->headers_in);
    if (!fault && !no_body)
        fault = prepare_decoding(conn, &c->headers_in);
    if (fault)
        return give_up(conn, &err_upstream_failed, fault);
    c->status = status;
    c->on_head(c);
    if (is_gone(conn))
        return HPE_USER;
    if (no_body)
        return NO_BODY;
    return c->paused || conn->decoder ? HPE_PAUSED : 0; // coded bodies are parsed in small steps
}

// --- bodies ---------------------------------------------------------------------------------

static struct err stopped = {.kind = &err_client_gone};
static struct err overfull = {.kind = &err_upstream_too_large};

static struct err *on_decoded(void *to, struct str bytes)
{
    struct client_conn *conn = to;
    struct call *c = conn->call;
    if (c->paused) {
        buf_str(&conn->decoded, bytes);
        return conn->decoded.overflow ? &overfull : NULL;
    }
    c->coming = bytes.n;
    c->on_body(c, bytes);
    return is_gone(conn) ? &stopped : NULL;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct client_conn *conn = parser->data;
    struct call *c = conn->call;
    struct str bytes = {at, n};
    if (n == 0)
        return 0; // after a pause, llhttp may begin with nothing
    if (conn->decoder) {
        struct err *e = decoder_feed(conn->decoder, bytes, on_decoded, conn);
        if (is_gone(conn))
            return HPE_USER;
        if (e)
            return give_up(conn, &err_upstream_failed,
                           e == &overfull ? "expands too much" : arena_strdup(c->arena, e->detail));
    } else {
        c->coming = (size_t)(conn->read_end - at);
        c->on_body(c, bytes);
        if (is_gone(conn))
            return HPE_USER;
    }
    return c->paused ? HPE_PAUSED : 0;
}

static int on_extension(llhttp_t *parser, const char *at, size_t n)
{
    (void)at;
    struct client_conn *conn = parser->data;
    conn->extension_bytes += n;
    bool fits = conn->extension_bytes <= EXTENSIONS_MAX;
    return fits ? 0 : give_up(conn, &err_upstream_failed, "chunk extensions too large");
}

static int on_message_end(llhttp_t *parser)
{
    struct client_conn *conn = parser->data;
    if (is_interim(parser->status_code))
        return 0;
    if (conn->decoder && decoder_finish(conn->decoder))
        return give_up(conn, &err_upstream_truncated, "content coding cut short");
    conn->complete = true;
    conn->keep = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

// --- feeding the parser -----------------------------------------------------------------------

static const llhttp_settings_t settings = {
    .on_status = on_status,
    .on_header_field = on_name_part,
    .on_header_value = on_value_part,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head_end,
    .on_body = on_body,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_message_complete = on_message_end,
};

void reply_begin(struct client_conn *conn)
{
    llhttp_init(&conn->parser, HTTP_RESPONSE, &settings);
    conn->parser.data = conn;
    conn->head_bytes = conn->raw_head_bytes = conn->extension_bytes = 0;
    conn->interim = 0;
    conn->head_done = conn->complete = conn->keep = false;
    conn->broken = NULL;
    conn->why = NULL;
    conn->decoder = NULL;
    conn->raw = BUF(RAW_MAX);
    conn->decoded = BUF(DECODED_MAX);
}

void reply_drop(struct client_conn *conn)
{
    head_give_back(conn);
    arena_free(conn->decoding);
    conn->decoding = NULL;
    conn->decoder = NULL;
    buf_free(&conn->raw);
    buf_free(&conn->decoded);
}

// Whatever follows the answer was not asked for, so the connection cannot be trusted with another.
static void finish(struct client_conn *conn, size_t left_over)
{
    struct call *c = conn->call;
    bool keep = conn->keep && left_over == 0 && c->sent_ms && !conn->writes && !conn->write_failed;
    reply_drop(conn);
    conn->call = NULL;
    if (keep)
        client_keep(conn);
    else
        link_close(conn);
    call_finish(c, NULL);
}

static void fail(struct client_conn *conn, llhttp_errno_t code)
{
    const char *reason = llhttp_get_error_reason(&conn->parser);
    if (conn->broken)
        link_fail(conn, conn->broken, "%s", conn->why);
    else
        link_fail(conn, &err_upstream_failed, "not HTTP: %s",
                  reason && *reason ? reason : llhttp_errno_name(code));
}

static void keep_raw(struct client_conn *conn, struct str bytes)
{
    buf_str(&conn->raw, bytes);
    if (conn->raw.overflow)
        link_fail(conn, &err_upstream_failed, "too much at once");
}

// A pause: by the caller, by us after the last byte of the message, or between a head and a coded
// body. True to go on.
static bool go_on_after_pause(struct client_conn *conn, struct str rest)
{
    if (conn->call->paused)
        keep_raw(conn, rest);
    else if (conn->complete)
        finish(conn, rest.n);
    else {
        llhttp_resume(&conn->parser);
        return true;
    }
    return false;
}

// Without bytes too: after a pause the end of the message may be due.
static void parse(struct client_conn *conn, struct str bytes)
{
    for (;;) {
        struct str step = bytes;
        if (conn->decoder && step.n > DECODE_STEP)
            step.n = DECODE_STEP;
        if (!conn->head && !conn->head_done)
            conn->head = head_take(conn->client, conn->call->limits.head_bytes);
        conn->read_end = step.p + step.n;
        llhttp_errno_t code = llhttp_execute(&conn->parser, step.p, step.n);
        if (is_gone(conn))
            return;
        if (code != HPE_OK && code != HPE_PAUSED) {
            fail(conn, code);
            return;
        }
        const char *end = code == HPE_OK ? step.p + step.n : llhttp_get_error_pos(&conn->parser);
        bytes = str_skip(bytes, (size_t)(end - bytes.p));
        bool more = code == HPE_OK ? bytes.n > 0 : go_on_after_pause(conn, bytes);
        if (!more)
            return;
    }
}

// Touches c only when it is still this connection's.
static void tell_rest(struct client_conn *conn, struct call *c)
{
    if (!is_gone(conn) && conn->call == c && conn->head_done && !c->paused && c->on_rest)
        c->on_rest(c);
}

void reply_feed(struct client_conn *conn, struct str bytes)
{
    struct call *c = conn->call;
    if (!c->got_bytes) {
        c->got_bytes = true;
        c->first_ms = conn->client->loop->now_ms;
    }
    link_expect(conn, c->limits.idle_ms);
    bool in_head = !conn->head_done;
    parse(conn, bytes);
    tell_rest(conn, c);
    if (conn->call != c || !in_head || conn->head_done)
        return;
    // llhttp does not show white space around values, so heads that take long are counted raw
    conn->raw_head_bytes += bytes.n;
    if (conn->raw_head_bytes > c->limits.head_bytes)
        link_fail(conn, &err_upstream_failed, "answer head too large");
}

void reply_eof(struct client_conn *conn, bool clean, const char *why)
{
    struct call *c = conn->call;
    if (!c->got_bytes) {
        if (!link_retry(conn))
            link_fail(conn, &err_upstream_unreachable, "closed before the answer: %s", why);
        return;
    }
    // ends a body that goes on until the connection is closed, and calls on_message_end
    if (clean && conn->head_done)
        llhttp_finish(&conn->parser);
    if (conn->complete)
        finish(conn, 1);
    else if (conn->broken)
        link_fail(conn, conn->broken, "%s", conn->why);
    else
        link_fail(conn, &err_upstream_truncated, "closed in the midst of the answer: %s", why);
}

// --- after a pause ----------------------------------------------------------------------------

// False: paused again, or gone.
static bool hand_over_decoded(struct client_conn *conn)
{
    struct call *c = conn->call;
    struct buf kept = conn->decoded;
    struct str rest = buf_view(&kept);
    conn->decoded = BUF(DECODED_MAX);
    while (rest.n && !is_gone(conn) && !c->paused) {
        struct str step = {rest.p, rest.n < HAND_OVER ? rest.n : HAND_OVER};
        rest = str_skip(rest, step.n);
        c->coming = step.n;
        c->on_body(c, step);
    }
    bool gone = is_gone(conn);
    if (!gone)
        buf_str(&conn->decoded, rest);
    buf_free(&kept);
    return !gone && !c->paused;
}

static bool parse_kept(struct client_conn *conn)
{
    struct buf kept = conn->raw;
    conn->raw = BUF(RAW_MAX);
    struct call *c = conn->call;
    if (conn->complete)
        finish(conn, kept.n);
    else if (llhttp_get_errno(&conn->parser) == HPE_PAUSED) {
        llhttp_resume(&conn->parser);
        parse(conn, buf_view(&kept));
    }
    buf_free(&kept);
    return conn->state == CONN_BUSY && conn->call == c && !c->paused;
}

void reply_resume(struct client_conn *conn)
{
    struct call *c = conn->call;
    link_expect(conn, c->got_bytes ? c->limits.idle_ms : c->limits.first_byte_ms);
    if (!hand_over_decoded(conn) || !parse_kept(conn))
        return;
    tell_rest(conn, c);
    if (!is_gone(conn) && conn->call == c && !c->paused)
        link_read_again(conn);
}
