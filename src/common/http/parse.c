// Requests, read strictly: llhttp's grammar, and the rules of RFC 9112 that it leaves to us.

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/http/conn.h"

enum { FIRST_HEADERS = 16, BODY_AT_ONCE = 512 * 1024 };

static struct conn *conn_parsed_by(llhttp_t *parser)
{
    return (struct conn *)((char *)parser - offsetof(struct conn, parser));
}

// Remembers what is wrong and makes llhttp stop.
static int refusal(struct conn *c, struct err *e)
{
    c->refusal = e;
    return -1;
}

static struct err *bad(struct conn *c, const char *what)
{
    return err_new(c->x.arena, &err_bad_request, "%s", what);
}

static struct err *bad_as(struct conn *c, int status, const char *what)
{
    struct err *e = bad(c, what);
    e->status = status;
    return e;
}

// --- texts that come in pieces -------------------------------------------------------------

static void token_add(struct arena *a, struct token *t, const char *bytes, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        t->cap = t->n ? 2 * (t->n + n) + 1 : n + 1;
        char *p = arena_raw(a, t->cap);
        if (t->n)
            memcpy(p, t->p, t->n);
        t->p = p;
    }
    memcpy(t->p + t->n, bytes, n);
    t->n += n;
    t->p[t->n] = '\0';
}

static struct str token_take(struct token *t)
{
    struct str s = t->p ? (struct str){t->p, t->n} : STR("");
    *t = (struct token){0};
    return s;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *c = conn_parsed_by(parser);
    token_add(c->x.arena, &c->url, at, n);
    return 0;
}

// A trailer's fields: nobody has asked for them.
static int drop_trailer(struct conn *c, size_t n)
{
    c->trailer_seen += n;
    if (c->trailer_seen <= TRAILER_MAX)
        return 0;
    return refusal(c, err_new(c->x.arena, &err_header_too_large, "trailer"));
}

static int on_field(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *c = conn_parsed_by(parser);
    if (c->state != CONN_HEAD)
        return drop_trailer(c, n);
    token_add(c->x.arena, &c->name, at, n);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *c = conn_parsed_by(parser);
    if (c->state != CONN_HEAD)
        return drop_trailer(c, n);
    token_add(c->x.arena, &c->value, at, n);
    return 0;
}

static int on_header(llhttp_t *parser)
{
    struct conn *c = conn_parsed_by(parser);
    struct http_headers *h = &c->x.headers;
    if (c->state != CONN_HEAD)
        return 0;
    if (h->count == HEADERS_MAX)
        return refusal(c, err_new(c->x.arena, &err_header_too_large, "too many headers"));
    if (h->count == (size_t)c->header_room) {
        c->header_room = c->header_room ? c->header_room * 2 : FIRST_HEADERS;
        struct http_header *more = arena_raw(c->x.arena, sizeof(*more) * (size_t)c->header_room);
        if (h->count)
            memcpy(more, h->items, sizeof(*more) * h->count);
        h->items = more;
    }
    struct str name = token_take(&c->name), value = str_trim(token_take(&c->value));
    h->items[h->count++] = (struct http_header){name, value};
    return 0;
}

static int on_extension(llhttp_t *parser, const char *at, size_t n)
{
    (void)at;
    struct conn *c = conn_parsed_by(parser);
    c->extension_seen += n;
    return c->extension_seen <= CHUNK_EXTENSION_MAX ? 0 : refusal(c, bad(c, "chunk extensions"));
}

// --- the head ----------------------------------------------------------------------------------

static bool host_is_valid(struct str host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!isalnum((unsigned char)host.p[i]) && !strchr("-._~:[]%", host.p[i]))
            return false;
    return true; // NUL cannot be among them: llhttp has seen to it
}

// Exactly one header of that name? *value is the first one's, .p NULL without any.
static bool header_once(struct conn *c, const char *name, struct str *value)
{
    int seen = 0;
    *value = (struct str){0};
    for (size_t i = 0; i < c->x.headers.count; i++) {
        if (!str_is_nocase(c->x.headers.items[i].name, name))
            continue;
        if (seen++ == 0)
            *value = c->x.headers.items[i].value;
    }
    return seen <= 1;
}

static struct err *check_host(struct conn *c, struct str *host)
{
    if (!header_once(c, "host", host))
        return bad(c, "two Host headers");
    if (!host->p && !c->x.http_1_0)
        return bad(c, "no Host header");
    return host->p && !host_is_valid(*host) ? bad(c, "bad Host header") : NULL;
}

static struct err *check_transfer_encoding(struct conn *c)
{
    struct str coding;
    bool once = header_once(c, "transfer-encoding", &coding);
    if (!coding.p)
        return NULL;
    if (!once || c->x.http_1_0)
        return bad(c, "Transfer-Encoding twice or in HTTP/1.0");
    return str_is_nocase(coding, "chunked") ? NULL : bad_as(c, 501, "unknown Transfer-Encoding");
}

// Takes "http://host" off an absolute target; it must name the host that Host names.
static bool take_authority(struct str *target, struct str host)
{
    static const char *const starts[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(starts[i]);
        if (target->n < n || strncasecmp(target->p, starts[i], n) != 0)
            continue;
        *target = str_skip(*target, n);
        struct str authority = *target;
        while (target->n && target->p[0] != '/' && target->p[0] != '?')
            *target = str_skip(*target, 1);
        authority.n -= target->n;
        return authority.n &&
               (!host.p || (authority.n == host.n && !strncasecmp(authority.p, host.p, host.n)));
    }
    return false;
}

static struct err *split_target(struct conn *c, struct str host)
{
    struct str target = token_take(&c->url);
    bool fine = target.n && !memchr(target.p, '#', target.n) && utf8_valid(target);
    if (fine && target.p[0] != '/') {
        bool asterisk = str_is(target, "*") && c->parser.method == HTTP_OPTIONS;
        fine = asterisk || take_authority(&target, host);
    }
    if (!fine)
        return bad(c, "bad request target");
    const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    c->x.query = mark ? str_skip(target, (size_t)(mark - target.p) + 1) : STR("");
    if (mark)
        target.n = (size_t)(mark - target.p);
    c->x.path = target.n ? target : STR("/");
    return NULL;
}

static struct err *read_head(struct conn *c)
{
    struct exchange *x = &c->x;
    x->method = str_of(llhttp_method_name((llhttp_method_t)c->parser.method));
    x->http_1_0 = c->parser.http_major == 1 && c->parser.http_minor == 0;
    if (c->parser.http_major != 1 || c->parser.http_minor > 1)
        return bad_as(c, 505, "HTTP version");
    if (c->parser.method == HTTP_CONNECT)
        return err_new(x->arena, &err_method_not_allowed, "CONNECT");
    struct str host;
    TRY(check_host(c, &host));
    TRY(split_target(c, host));
    return check_transfer_encoding(c);
}

static struct err *too_large(struct conn *c)
{
    return err_new(c->x.arena, &err_body_too_large, "more than %zu bytes", c->x.body_limit);
}

// What the head says about the body, after the handler had its say about the limit.
static struct err *expect_body(struct conn *c)
{
    struct exchange *x = &c->x;
    bool chunked = c->parser.flags & F_CHUNKED;
    uint64_t length = c->parser.flags & F_CONTENT_LENGTH ? c->parser.content_length : 0;
    if (length > x->body_limit)
        return too_large(c);
    if (!chunked && !length)
        return NULL;
    struct str coding = http_header(&x->headers, "content-encoding");
    if (coding.p)
        TRY(decoder_new(x->arena, coding, x->body_limit, &c->decoder));
    if (!c->decoder)
        buf_room(&c->body, (length < BODY_AT_ONCE ? length : BODY_AT_ONCE) + BODY_PADDING);
    struct str expect = http_header(&x->headers, "expect");
    if (!expect.p || x->http_1_0)
        return NULL;
    if (!str_is_nocase(expect, "100-continue"))
        return bad_as(c, 417, "unknown Expect");
    answer_continue(c);
    return NULL;
}

static struct err *take_head(struct conn *c)
{
    TRY(read_head(c));
    c->announced = true;
    if (c->server->handlers.on_head)
        TRY(c->server->handlers.on_head(&c->x));
    return expect_body(c);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct conn *c = conn_parsed_by(parser);
    parser->upgrade = 0; // an Upgrade that is not taken up is ignored
    c->state = CONN_BODY;
    struct err *e = take_head(c); // may find the client gone
    return e ? refusal(c, e) : 0;
}

// --- the body ------------------------------------------------------------------------------------

static struct err *add_body(void *to, struct str bytes)
{
    struct conn *c = to;
    if (bytes.n > c->x.body_limit - c->body.n)
        return too_large(c);
    if (bytes.p == c->body.p + c->body.n) // read in place
        buf_grew(&c->body, bytes.n);
    else
        buf_str(&c->body, bytes);
    return NULL;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct conn *c = conn_parsed_by(parser);
    struct str bytes = {at, n};
    c->body_moved = true;
    struct err *e = c->decoder ? decoder_feed(c->decoder, bytes, add_body, c) : add_body(c, bytes);
    return e ? refusal(c, e) : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct conn *c = conn_parsed_by(parser);
    struct err *e = c->decoder ? decoder_finish(c->decoder) : NULL;
    if (e)
        return refusal(c, e);
    if (!llhttp_should_keep_alive(parser))
        c->last = true;
    return HPE_PAUSED;
}

// --- messages ------------------------------------------------------------------------------------

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_header,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void parse_reset(struct conn *c)
{
    llhttp_init(&c->parser, HTTP_REQUEST, &settings);
    c->url = c->name = c->value = (struct token){0};
    c->header_room = 0;
    c->head_seen = c->extension_seen = c->trailer_seen = 0;
    c->body_moved = c->announced = false;
    c->refusal = NULL;
    c->decoder = NULL;
}

// Sortable: milliseconds, a counter, then what tells one server from another.
static void new_request_id(struct http_server *s, char *id)
{
    static const char hex[] = "0123456789abcdef";
    int64_t wall = server_now_ms(s) + s->wall_offset_ms;
    if (s->id_ms < wall)
        s->id_ms = wall;
    uint64_t ms = (uint64_t)s->id_ms;
    uint32_t count = s->id_count++;
    for (int i = 11; i >= 0; i--, ms >>= 4)
        id[i] = hex[ms & 15];
    for (int i = 19; i >= 12; i--, count >>= 4)
        id[i] = hex[count & 15];
    memcpy(id + 20, s->id_tail, sizeof(s->id_tail));
}

static void begin(struct conn *c)
{
    struct http_server *s = c->server;
    server_clock(s);
    c->x = (struct exchange){.loop = s->loop,
                             .arena = server_arena(s),
                             .method = STR(""),
                             .path = STR(""),
                             .query = STR(""),
                             .body = STR(""),
                             .body_limit = s->limits.body_bytes,
                             .began_ms = server_now_ms(s)};
    new_request_id(s, c->x.request_id);
    c->x.peer = c->peer;
    c->state = CONN_HEAD;
}

static void complete(struct conn *c)
{
    struct exchange *x = &c->x;
    if (c->body.n) {
        buf_room(&c->body, BODY_PADDING);
        x->body = buf_view(&c->body);
    } else {
        x->body = (struct str){arena_alloc(x->arena, BODY_PADDING), 0};
    }
    c->state = CONN_BUSY;
    c->running = true;
    c->server->handlers.on_request(x);
}

void parse_target(struct conn *c)
{
    struct exchange *x = &c->x;
    struct str target = token_take(&c->url);
    if (x->path.n || !target.n || target.p[0] != '/' || !utf8_valid(target))
        return;
    const char *mark = memchr(target.p, '?', target.n);
    x->method = str_of(llhttp_method_name((llhttp_method_t)c->parser.method));
    x->path = (struct str){target.p, mark ? (size_t)(mark - target.p) : target.n};
}

// A method that nobody knows is told from noise by the character that llhttp stumbled over.
static struct err *syntax_error(struct conn *c, llhttp_errno_t rc)
{
    const char *at = llhttp_get_error_pos(&c->parser);
    if (rc == HPE_INVALID_METHOD && at && ((*at >= 'A' && *at <= 'Z') || *at == '-'))
        return err_new(c->x.arena, &err_method_not_allowed, "unknown method");
    const char *why = llhttp_get_error_reason(&c->parser);
    bool version = rc == HPE_INVALID_VERSION && !strcmp(why, "Invalid HTTP version");
    if (version || rc == HPE_PAUSED_H2_UPGRADE)
        return bad_as(c, 505, "HTTP version");
    return bad(c, why);
}

// One message, or what there is of it; returns the bytes it took.
static size_t parse(struct conn *c, struct str bytes)
{
    size_t head_left = c->server->limits.header_bytes - c->head_seen;
    size_t n = c->state == CONN_HEAD && head_left < bytes.n ? head_left : bytes.n;
    llhttp_errno_t rc = llhttp_execute(&c->parser, bytes.p, n);
    if (c->state == CONN_CLOSED)
        return bytes.n;
    if (rc == HPE_PAUSED) {
        n = (size_t)(llhttp_get_error_pos(&c->parser) - bytes.p);
        complete(c);
        return n;
    }
    struct err *e = NULL;
    if (rc != HPE_OK)
        e = c->refusal ? c->refusal : syntax_error(c, rc);
    else if (c->state == CONN_HEAD && (c->head_seen += n) >= c->server->limits.header_bytes)
        e = err_new(c->x.arena, &err_header_too_large, "head");
    if (!e)
        return n;
    conn_refuse(c, e);
    return bytes.n;
}

size_t parse_feed(struct conn *c, struct str bytes)
{
    size_t all = bytes.n;
    while (bytes.n && c->state <= CONN_BODY) {
        if (c->state == CONN_IDLE && (bytes.p[0] == '\r' || bytes.p[0] == '\n')) {
            bytes = str_skip(bytes, 1); // an empty line before a request is ignored
            continue;
        }
        if (c->state == CONN_IDLE)
            begin(c);
        bytes = str_skip(bytes, parse(c, bytes));
    }
    return all - bytes.n;
}
