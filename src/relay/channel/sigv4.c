// Canonical request, string to sign, signature.

#include "relay/channel/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/arena.h"
#include "common/hash.h"
#include "common/http/http.h"
#include "relay/channel/provider.h"

enum { HEADERS_MOST = 32, QUERY_MOST = 64, CANONICAL_MOST = 1 << 20 };

// A header or a parameter.
struct pair {
    const char *name;
    struct str value;
};

static int by_name(const void *a, const void *b)
{
    const struct pair *one = a, *two = b;
    int way = strcmp(one->name, two->name);
    size_t n = one->value.n < two->value.n ? one->value.n : two->value.n;
    if (!way && n)
        way = memcmp(one->value.p, two->value.p, n);
    return way ? way : (one->value.n > two->value.n) - (one->value.n < two->value.n);
}

// --- the canonical request ------------------------------------------------------

static size_t parent_of(const struct buf *path, size_t from)
{
    size_t n = path->n;
    while (n > from && path->p[n - 1] != '/')
        n--;
    return n > from ? n - 1 : from;
}

// Every segment encoded once more than it is sent: "%3A" becomes "%253A". (All services but S3.)
static void put_path(struct arena *a, struct str path, struct buf *out)
{
    size_t from = out->n;
    bool folder = path.n && path.p[path.n - 1] == '/';
    struct str rest = path, segment;
    while (str_next(&rest, '/', &segment)) {
        if (!segment.n || str_is(segment, "."))
            continue;
        if (str_is(segment, "..")) {
            out->n = parent_of(out, from);
            continue;
        }
        buf_puts(out, "/");
        attempt_escape(out, arena_str(a, segment));
    }
    if (folder || out->n == from)
        buf_puts(out, "/");
}

// The parameters are encoded already, as they are sent; here they are in order.
static void put_query(struct arena *a, struct str query, struct buf *out)
{
    struct pair all[QUERY_MOST];
    size_t count = 0;
    struct str piece;
    while (count < QUERY_MOST && str_next(&query, '&', &piece)) {
        struct str value = piece, name = {0};
        if (piece.n && str_next(&value, '=', &name))
            all[count++] = (struct pair){arena_str(a, name), value};
    }
    qsort(all, count, sizeof(*all), by_name);
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i ? "&" : "");
        buf_puts(out, all[i].name);
        buf_puts(out, "=");
        buf_str(out, all[i].value);
    }
}

static const char *lower(struct arena *a, struct str name)
{
    char *text = arena_str(a, name);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}

static size_t signed_headers(struct arena *a, struct str lines, struct pair *to)
{
    size_t n = 0;
    struct str line, name;
    while (n < HEADERS_MOST && str_next(&lines, '\n', &line)) {
        struct str value = line;
        if (!str_next(&value, ':', &name))
            continue;
        const char *small = lower(a, name);
        if (!strcmp(small, "content-type") || str_starts(str_of(small), "x-amz-"))
            to[n++] = (struct pair){small, str_trim(value)};
    }
    return n;
}

// Runs of white space are one space.
static void put_value(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        bool space = value.p[i] == ' ' || value.p[i] == '\t';
        if (!space)
            buf_add(out, value.p + i, 1);
        else if (i && value.p[i - 1] != ' ' && value.p[i - 1] != '\t')
            buf_puts(out, " ");
    }
}

// Into *names goes "content-type;host;x-amz-date".
static void put_headers(struct pair *all, size_t count, struct buf *out, struct buf *names)
{
    qsort(all, count, sizeof(*all), by_name);
    for (size_t i = 0; i < count; i++) {
        buf_puts(names, i ? ";" : "");
        buf_puts(names, all[i].name);
        buf_puts(out, all[i].name);
        buf_puts(out, ":");
        put_value(out, all[i].value);
        buf_puts(out, "\n");
    }
}

static const char *canonical(struct arena *a, const struct sigv4 *in, const struct url *url,
                             struct str lines, struct buf *names)
{
    struct pair headers[HEADERS_MOST + 1];
    unsigned char digest[SHA256_SIZE];
    struct str query = str_of(url->path), path = {0};
    BUF_HERE(out, CANONICAL_MOST);
    size_t count = signed_headers(a, lines, headers);
    headers[count++] = (struct pair){"host", str_of(url_authority(a, url))};
    str_next(&query, '?', &path);
    buf_puts(&out, in->method);
    buf_puts(&out, "\n");
    put_path(a, path, &out);
    buf_puts(&out, "\n");
    put_query(a, query, &out);
    buf_puts(&out, "\n");
    put_headers(headers, count, &out, names);
    buf_puts(&out, "\n");
    buf_str(&out, buf_view(names));
    buf_puts(&out, "\n");
    hash_sha256_pieces(in->body, in->pieces, digest);
    buf_puts(&out, hash_hex(a, digest, SHA256_SIZE));
    hash_sha256(buf_view(&out), digest);
    return hash_hex(a, digest, SHA256_SIZE);
}

// --- the signature --------------------------------------------------------------

static void step(unsigned char key[SHA256_SIZE], const char *text)
{
    unsigned char next[SHA256_SIZE];
    hash_hmac_sha256((struct str){(const char *)key, SHA256_SIZE}, str_of(text), next);
    memcpy(key, next, SHA256_SIZE);
}

static const char *signature(struct arena *a, const struct sigv4 *in, const char *date,
                             const char *text)
{
    unsigned char key[SHA256_SIZE];
    const char *secret = arena_printf(a, "AWS4%s", in->secret);
    hash_hmac_sha256(str_of(secret), str_of(date), key);
    step(key, in->region);
    step(key, in->service);
    step(key, "aws4_request");
    step(key, text);
    return hash_hex(a, key, SHA256_SIZE);
}

struct err *sigv4_sign(struct arena *a, const struct sigv4 *in, struct buf *out)
{
    char at[17], date[9];
    struct tm tm;
    time_t now = in->now;
    struct url url;
    BUF_HERE(lines, CANONICAL_MOST);
    BUF_HERE(names, 8192);
    TRY(url_parse(a, in->url, &url));
    gmtime_r(&now, &tm);
    strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", &tm);
    strftime(date, sizeof(date), "%Y%m%d", &tm);
    size_t ours = out->n;
    buf_printf(out, "X-Amz-Date: %s\r\n", at);
    if (!text_is_empty(in->session))
        buf_printf(out, "X-Amz-Security-Token: %s\r\n", in->session);
    buf_str(&lines, in->headers);
    buf_add(&lines, out->p + ours, out->n - ours);
    const char *scope = arena_printf(a, "%s/%s/%s/aws4_request", date, in->region, in->service);
    const char *digest = canonical(a, in, &url, buf_view(&lines), &names);
    const char *text = arena_printf(a, "AWS4-HMAC-SHA256\n%s\n%s\n%s", at, scope, digest);
    buf_printf(out,
               "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, "
               "Signature=%s\r\n",
               in->access_key, scope, names.p, signature(a, in, date, text));
    return NULL;
}
