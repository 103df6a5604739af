// Libcurl does the work; hops are taken one by one, so that each passes the guard.

#include "common/http/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/env.h"
#include "common/http/egress.h"

enum { TIMEOUT_MS = 30000, BODY_MAX = 1024 * 1024, HEAD_MAX = 256 * 1024, HEADERS_MAX = 256 };

struct hop {
    struct arena *arena;
    const struct fetch *request;
    CURL *curl;
    struct curl_slist *lines;
    const char *method;
    const char *url, *host;  // as libcurl reads the URL
    bool with_body, foreign; // foreign: another origin than the request's
    bool proxied, forbidden;
    struct buf body;
    struct http_header *headers;
    size_t header_count, head_bytes;
};

// --- what libcurl calls -------------------------------------------------------------------

static curl_socket_t on_socket(void *self, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct hop *h = self;
    (void)purpose;
    if (h->request->guarded && !h->proxied && !egress_allowed(&to->addr)) {
        h->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t on_header(const char *bytes, size_t one, size_t n, void *self)
{
    struct hop *h = self;
    struct str line = str_trim((struct str){bytes, one * n});
    h->head_bytes += n;
    if (h->head_bytes > HEAD_MAX)
        return 0;
    if (str_starts(line, "HTTP/")) // after a 1xx, or a proxy's, comes another one
        h->header_count = 0;
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon || h->header_count == HEADERS_MAX)
        return n;
    line = (struct str){arena_str(h->arena, line), line.n};
    size_t name = (size_t)((const char *)memchr(line.p, ':', line.n) - line.p);
    h->headers[h->header_count++] =
        (struct http_header){{line.p, name}, str_trim(str_skip(line, name + 1))};
    return n;
}

static size_t on_body(const char *bytes, size_t one, size_t n, void *self)
{
    struct hop *h = self;
    buf_add(&h->body, bytes, one * n);
    return h->body.overflow ? 0 : n;
}

// --- one hop ------------------------------------------------------------------------------

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

static bool goes_abroad(struct str name)
{
    return str_is_nocase(name, "Accept") || str_is_nocase(name, "User-Agent") ||
           str_is_nocase(name, "Content-Type");
}

static void add_line(struct hop *h, const char *line)
{
    struct curl_slist *longer = curl_slist_append(h->lines, line);
    if (!longer)
        abort();
    h->lines = longer;
}

static struct err *set_headers(struct hop *h)
{
    const struct fetch *r = h->request;
    for (size_t i = 0; i < r->header_count; i++) {
        struct str name = r->headers[i].name, value = r->headers[i].value;
        if (has_control(name) || has_control(value) || name.n == 0 || memchr(name.p, ':', name.n))
            return err_new(h->arena, &err_channel_misconfigured, "a request header is not allowed");
        if (h->foreign && !goes_abroad(name))
            continue;
        // an empty value is written with a semicolon, or libcurl takes it for "leave it out"
        add_line(h, value.n ? arena_printf(h->arena, "%.*s: %.*s", STR_ARGS(name), STR_ARGS(value))
                            : arena_printf(h->arena, "%.*s;", STR_ARGS(name)));
    }
    add_line(h, "Expect:"); // no waiting for 100 Continue
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, h->lines);
    return NULL;
}

// As for relays, a SOCKS5 proxy resolves the names, and HTTP proxies tunnel; what the environment
// says of proxies does not count.
static struct err *set_proxy(struct hop *h)
{
    const char *text = h->request->proxy;
    h->proxied = !text_is_empty(text);
    curl_easy_setopt(h->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(h->curl, CURLOPT_NOPROXY, "");
    if (!h->proxied)
        return NULL;
    struct url proxy;
    if (url_parse(h->arena, text, &proxy) || !strcmp(proxy.scheme, "https"))
        return err_new(h->arena, &err_channel_misconfigured, "proxy: not http or socks5");
    bool bracketed = strchr(proxy.host, ':');
    const char *scheme = strcmp(proxy.scheme, "http") ? "socks5h" : "http";
    curl_easy_setopt(h->curl, CURLOPT_PROXY,
                     arena_printf(h->arena, bracketed ? "%s://[%s]:%d" : "%s://%s:%d", scheme,
                                  proxy.host, proxy.port));
    curl_easy_setopt(h->curl, CURLOPT_HTTPPROXYTUNNEL, 1L);
    if (*proxy.user || *proxy.password) {
        curl_easy_setopt(h->curl, CURLOPT_PROXYUSERNAME, proxy.user);
        curl_easy_setopt(h->curl, CURLOPT_PROXYPASSWORD, proxy.password);
    }
    if (h->request->guarded && !egress_host_allowed(h->host))
        return err_new(h->arena, &err_address_forbidden, "%s: not a public address", h->host);
    return NULL;
}

static void set_trust(CURL *curl)
{
    const char *file = env_text("SSL_CERT_FILE", NULL), *dir = env_text("SSL_CERT_DIR", NULL);
    if (file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, file);
    if (dir)
        curl_easy_setopt(curl, CURLOPT_CAPATH, dir);
}

static void set_method(struct hop *h)
{
    struct str body = h->request->body;
    if (h->with_body) {
        curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body.p);
    }
    if (!strcmp(h->method, "HEAD"))
        curl_easy_setopt(h->curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, h->method);
}

static void set_rest(struct hop *h, long left_ms)
{
    CURL *curl = h->curl;
    curl_easy_setopt(curl, CURLOPT_URL, h->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, left_ms);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, h);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, h);
    set_trust(curl);
}

static const struct err_kind *kind_of(const struct hop *h, CURLcode code)
{
    if (h->forbidden && code == CURLE_COULDNT_CONNECT)
        return &err_address_forbidden;
    switch (code) {
    case CURLE_WRITE_ERROR:
        return h->body.overflow ? &err_upstream_too_large : &err_upstream_failed;
    case CURLE_OPERATION_TIMEDOUT: return &err_upstream_timeout;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR: return &err_upstream_truncated;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_PROXY:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR: return &err_upstream_unreachable;
    default: return &err_upstream_failed;
    }
}

// The path is left out of the error: it may carry a key.
static struct err *run(struct hop *h, long left_ms, struct fetch_answer *answer)
{
    char why[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, why);
    set_rest(h, left_ms);
    set_method(h);
    TRY(set_headers(h));
    TRY(set_proxy(h));
    CURLcode code = curl_easy_perform(h->curl);
    curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK)
        return err_new(h->arena, kind_of(h, code), "%s: %s", h->host,
                       h->forbidden ? "not a public address"
                       : *why       ? why
                                    : curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (int)status;
    answer->headers = (struct http_headers){h->headers, h->header_count};
    answer->body = (struct str){arena_strndup(h->arena, h->body.p, h->body.n), h->body.n};
    answer->url = h->url;
    return NULL;
}

// --- from hop to hop ------------------------------------------------------------------------

static void hop_done(struct hop *h)
{
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->lines);
    buf_free(&h->body);
}

static const char *part_of(struct arena *a, const char *url, CURLUPart part)
{
    CURLU *u = curl_url();
    char *text = NULL;
    const char *copy = NULL;
    if (u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
        !curl_url_get(u, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0))
        copy = arena_strdup(a, text);
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

static bool is_web(const char *scheme)
{
    return scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
}

// "[::1]" becomes "::1".
static const char *host_of(struct arena *a, const char *url)
{
    const char *host = part_of(a, url, CURLUPART_HOST);
    size_t n = host ? strlen(host) : 0;
    return n > 1 && host[0] == '[' ? arena_strndup(a, host + 1, n - 2) : host;
}

static bool same_part(struct arena *a, const char *x, const char *y, CURLUPart part)
{
    const char *of_x = part_of(a, x, part), *of_y = part_of(a, y, part);
    return of_x && of_y && !strcasecmp(of_x, of_y);
}

static bool same_origin(struct arena *a, const char *x, const char *y)
{
    return same_part(a, x, y, CURLUPART_SCHEME) && same_part(a, x, y, CURLUPART_HOST) &&
           same_part(a, x, y, CURLUPART_PORT);
}

// Where the answer sends us; NULL to stay.
static const char *next_url(struct hop *h, int status)
{
    char *to = NULL;
    bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!moved || curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &to) || !to)
        return NULL;
    return arena_strdup(h->arena, to);
}

static struct err *may_follow(struct arena *a, const char *from, const char *to)
{
    const char *scheme = part_of(a, to, CURLUPART_SCHEME);
    bool was_secure = same_part(a, from, "https://x/", CURLUPART_SCHEME);
    if (!is_web(scheme) || (was_secure && strcmp(scheme, "https") != 0))
        return err_new(a, &err_upstream_failed, "redirected to something else than https");
    return NULL;
}

// 303, and by custom 301 and 302, turn a POST into a GET without its body.
static void choose_method(struct hop *h, const struct hop *before, int status)
{
    bool keeps = status == 307 || status == 308 || !strcmp(before->method, "HEAD") ||
                 (status != 303 && strcmp(before->method, "POST") != 0);
    h->method = keeps ? before->method : "GET";
    h->with_body = keeps && before->with_body;
}

static struct err *hop_init(struct hop *h, struct arena *a, const struct fetch *request,
                            const char *url)
{
    *h = (struct hop){.arena = a, .request = request, .url = url};
    h->host = host_of(a, url);
    if (!h->host || !is_web(part_of(a, url, CURLUPART_SCHEME)))
        return err_new(a, &err_field_invalid, "URL");
    h->foreign = !same_origin(a, url, request->url);
    h->body = BUF(request->max_bytes ? request->max_bytes : BODY_MAX);
    h->headers = arena_raw(a, sizeof(*h->headers) * HEADERS_MAX);
    h->method = request->method ? request->method : request->body.p ? "POST" : "GET";
    h->with_body = request->body.p;
    h->curl = curl_easy_init();
    if (!h->curl)
        abort();
    return NULL;
}

static void curl_begin(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        abort();
}

// One hop, and where to go next (NULL: nowhere).
static struct err *take_hop(struct hop *h, int64_t until, struct fetch_answer *answer,
                            const char **next)
{
    int64_t left = until - clock_steady_ms();
    if (left <= 0)
        return err_new(h->arena, &err_upstream_timeout, "%s: no time left", h->host);
    TRY(run(h, (long)left, answer));
    *next = h->request->redirects > 0 ? next_url(h, answer->status) : NULL;
    return *next ? may_follow(h->arena, h->url, *next) : NULL;
}

struct err *fetch(struct arena *a, const struct fetch *request, struct fetch_answer *answer)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_begin);
    int64_t until = clock_steady_ms() + (request->timeout_ms ? request->timeout_ms : TIMEOUT_MS);
    const char *next = request->url;
    struct hop before = {0};
    *answer = (struct fetch_answer){0};
    for (int hops = 0; next; hops++) {
        if (hops > request->redirects)
            return err_new(a, &err_upstream_failed, "more than %d redirects", request->redirects);
        struct hop h;
        TRY(hop_init(&h, a, request, next));
        if (hops)
            choose_method(&h, &before, answer->status);
        next = NULL;
        struct err *e = take_hop(&h, until, answer, &next);
        hop_done(&h);
        TRY(e);
        before = h; // for its method only
    }
    return NULL;
}
