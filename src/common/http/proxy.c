// Through a proxy: HTTP CONNECT, and SOCKS5 (RFC 1928) with or without a password (RFC 1929).

#include "common/http/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/http/dial.h"

bool proxy_read_url(struct call *c, struct url *out)
{
    if (url_parse(c->arena, c->proxy, out))
        return false;
    return strcmp(out->scheme, "https") != 0 && strlen(out->user) < 256 &&
           strlen(out->password) < 256;
}

static void through(struct client_conn *conn)
{
    buf_free(&conn->dial->proxy_in);
    link_up(conn);
}

// --- HTTP CONNECT -------------------------------------------------------------------------

static void connect_ask(struct client_conn *conn)
{
    const struct url *proxy = &conn->dial->proxy;
    const struct upstream *u = conn->upstream;
    struct arena *a = conn->call->arena;
    bool bracketed = strchr(u->host, ':');
    const char *to = arena_printf(a, bracketed ? "[%s]:%d" : "%s:%d", u->host, u->port);
    struct buf b = BUF(PROXY_ANSWER_MAX);
    buf_printf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", to, to);
    if (*proxy->user || *proxy->password) {
        const char *both = arena_printf(a, "%s:%s", proxy->user, proxy->password);
        buf_printf(&b, "Proxy-Authorization: Basic %s\r\n", base64_text(a, both, strlen(both)));
    }
    buf_puts(&b, "\r\n");
    link_write(conn, buf_view(&b));
    buf_free(&b);
}

static int on_connect_head(llhttp_t *parser)
{
    (void)parser;
    return 1; // a tunnel, or a refusal whose text nobody reads
}

static int on_connect_end(llhttp_t *parser)
{
    return parser->status_code / 100 == 1 ? 0 : HPE_PAUSED;
}

static void connect_receive(struct client_conn *conn, struct str bytes)
{
    static const llhttp_settings_t settings = {
        .on_headers_complete = on_connect_head,
        .on_message_complete = on_connect_end,
    };
    struct dial *d = conn->dial;
    llhttp_t *parser = &conn->parser;
    if (d->proxy_step++ == 0)
        llhttp_init(parser, HTTP_RESPONSE, &settings);
    d->proxy_bytes += bytes.n;
    llhttp_errno_t code = llhttp_execute(parser, bytes.p, bytes.n);
    if (code == HPE_OK && d->proxy_bytes <= PROXY_ANSWER_MAX)
        return;
    if (code != HPE_PAUSED)
        link_fail(conn, &err_upstream_unreachable, "proxy: not an answer to CONNECT");
    else if (parser->status_code / 100 != 2)
        link_fail(conn, &err_upstream_unreachable, "proxy: answered %d", parser->status_code);
    else if (llhttp_get_error_pos(parser) != bytes.p + bytes.n)
        link_fail(conn, &err_upstream_unreachable, "proxy: bytes nobody asked for");
    else
        through(conn);
}

// --- SOCKS5 -------------------------------------------------------------------------------

enum { SOCKS_METHODS, SOCKS_LOGIN, SOCKS_REPLY };
enum { SOCKS_OPEN = 0, SOCKS_PASSWORD = 2, SOCKS_V4 = 1, SOCKS_NAME = 3, SOCKS_V6 = 4 };

static void socks_write(struct client_conn *conn, const void *bytes, size_t n)
{
    link_write(conn, (struct str){bytes, n});
}

static bool has_login(const struct url *proxy)
{
    return *proxy->user || *proxy->password;
}

static void socks_greet(struct client_conn *conn)
{
    static const unsigned char both[] = {5, 2, SOCKS_OPEN, SOCKS_PASSWORD};
    static const unsigned char open[] = {5, 1, SOCKS_OPEN};
    conn->dial->proxy_step = SOCKS_METHODS;
    if (has_login(&conn->dial->proxy))
        socks_write(conn, both, sizeof(both));
    else
        socks_write(conn, open, sizeof(open));
}

static unsigned char *put_text(unsigned char *to, const char *text)
{
    size_t n = strlen(text); // below 256: checked by proxy_read_url and url_parse
    *to++ = (unsigned char)n;
    return mempcpy(to, text, n);
}

static void socks_log_in(struct client_conn *conn)
{
    const struct url *proxy = &conn->dial->proxy;
    unsigned char bytes[3 + 255 + 255], *end = bytes;
    *end++ = 1;
    end = put_text(end, proxy->user);
    end = put_text(end, proxy->password);
    conn->dial->proxy_step = SOCKS_LOGIN;
    socks_write(conn, bytes, (size_t)(end - bytes));
}

// Names go as names: the proxy resolves them.
static void socks_ask(struct client_conn *conn)
{
    const struct upstream *u = conn->upstream;
    unsigned char bytes[4 + 256 + 2] = {5, 1, 0}, *end = bytes + 3;
    if (inet_pton(AF_INET, u->host, end + 1) == 1) {
        *end = SOCKS_V4;
        end += 1 + 4;
    } else if (inet_pton(AF_INET6, u->host, end + 1) == 1) {
        *end = SOCKS_V6;
        end += 1 + 16;
    } else {
        *end++ = SOCKS_NAME;
        end = put_text(end, u->host);
    }
    *end++ = (unsigned char)(u->port >> 8);
    *end++ = (unsigned char)u->port;
    conn->dial->proxy_step = SOCKS_REPLY;
    socks_write(conn, bytes, (size_t)(end - bytes));
}

static const char *socks_failure(unsigned char code)
{
    static const char *const texts[] = {
        [1] = "general failure",       [2] = "not allowed by its rules",
        [3] = "network unreachable",   [4] = "host unreachable",
        [5] = "connection refused",    [6] = "TTL expired",
        [7] = "command not supported", [8] = "address type not supported",
    };
    return code && code < sizeof(texts) / sizeof(*texts) ? texts[code] : "unknown failure";
}

static size_t socks_reply_length(const unsigned char *p, size_t n)
{
    if (n < 5)
        return 0;
    switch (p[3]) {
    case SOCKS_V4: return 4 + 4 + 2;
    case SOCKS_V6: return 4 + 16 + 2;
    case SOCKS_NAME: return 4 + 1 + (size_t)p[4] + 2;
    default: return 0; // refused already
    }
}

static void socks_on_methods(struct client_conn *conn, const unsigned char *p)
{
    bool login = has_login(&conn->dial->proxy);
    if (p[0] != 5)
        link_fail(conn, &err_upstream_unreachable, "proxy: not SOCKS5");
    else if (p[1] == SOCKS_OPEN)
        socks_ask(conn);
    else if (p[1] == SOCKS_PASSWORD && login)
        socks_log_in(conn);
    else
        link_fail(conn, &err_upstream_unreachable, "proxy: wants another kind of login");
}

static void socks_on_login(struct client_conn *conn, const unsigned char *p)
{
    if (p[0] != 1 || p[1] != 0)
        link_fail(conn, &err_upstream_unreachable, "proxy: user or password refused");
    else
        socks_ask(conn);
}

// What a reply says against us, as soon as it can be seen: some proxies send no more than that.
static const char *socks_refusal(const unsigned char *p, size_t n)
{
    if (n >= 1 && p[0] != 5)
        return "not SOCKS5";
    if (n >= 2 && p[1] != 0)
        return socks_failure(p[1]);
    if (n >= 4 && p[3] != SOCKS_V4 && p[3] != SOCKS_V6 && p[3] != SOCKS_NAME)
        return "unknown kind of address";
    return NULL;
}

// Length of the message that the proxy owes us; 0 if that is not known yet.
static size_t socks_wanted(const struct dial *d)
{
    const unsigned char *p = (const unsigned char *)d->proxy_in.p;
    return d->proxy_step == SOCKS_REPLY ? socks_reply_length(p, d->proxy_in.n) : 2;
}

static void socks_on_message(struct client_conn *conn, const unsigned char *p)
{
    switch (conn->dial->proxy_step) {
    case SOCKS_METHODS: socks_on_methods(conn, p); break;
    case SOCKS_LOGIN: socks_on_login(conn, p); break;
    default: through(conn);
    }
}

// Every message is answered before the next one is sent, so nothing may follow it.
static void socks_receive(struct client_conn *conn, struct str bytes)
{
    struct dial *d = conn->dial;
    struct buf *in = &d->proxy_in;
    buf_str(in, bytes);
    const unsigned char *p = (const unsigned char *)in->p;
    const char *refusal = d->proxy_step == SOCKS_REPLY ? socks_refusal(p, in->n) : NULL;
    size_t wanted = socks_wanted(d);
    if (refusal || in->overflow || (wanted && in->n > wanted)) {
        link_fail(conn, &err_upstream_unreachable, "proxy: %s",
                  refusal ? refusal : "bytes nobody asked for");
        return;
    }
    if (in->n != wanted)
        return;
    unsigned char message[2] = {p[0], p[1]}; // all that matters of any of them
    buf_clear(in);
    socks_on_message(conn, message);
}

// --- either -------------------------------------------------------------------------------

static bool is_http(const struct client_conn *conn)
{
    return !strcmp(conn->dial->proxy.scheme, "http");
}

void proxy_begin(struct client_conn *conn)
{
    if (is_http(conn))
        connect_ask(conn);
    else
        socks_greet(conn);
}

void proxy_receive(struct client_conn *conn, struct str bytes)
{
    if (is_http(conn))
        connect_receive(conn, bytes);
    else
        socks_receive(conn, bytes);
}
