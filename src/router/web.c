// Looks a path up in the table that tools/gen/assets.ts made, and answers the variant that fits.

#include "router/web.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

// As tools/gen/assets.ts writes it, little endian; offsets count from the table's first byte.
struct piece {
    uint32_t at, n; // n 0: there is none
};

struct asset {
    uint32_t path, type, tag; // texts that end in NUL
    uint32_t immutable;
    struct piece plain, gzip, br;
};

struct asset_table {
    char magic[4];
    uint32_t count;
    struct asset assets[]; // sorted by path
};

extern const struct asset_table embed_web; // its bytes, in place

static const char policy[] =
    "default-src 'self'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob: https:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

static const char no_console[] =
    "Token Factory is running, but this program was built without its console.\n"
    "\"make\" builds both. The API is at /v1, the management API at /api.\n";

static const char *text_at(uint32_t at)
{
    return (const char *)&embed_web + at;
}

// --- which file ---------------------------------------------------------------------------

static int compare(const void *path, const void *asset)
{
    const struct str *p = path;
    const char *name = text_at(((const struct asset *)asset)->path);
    int way = strncmp(p->p, name, p->n);
    return way ? way : -(name[p->n] != '\0');
}

static const struct asset *find(struct str path)
{
    return bsearch(&path, embed_web.assets, embed_web.count, sizeof(struct asset), compare);
}

// A missing script must not be answered by a page: browsers would run it as a script.
static bool may_be_page(const struct exchange *x)
{
    static const char *const others[] = {"/api", "/v1", "/v1beta", "/model", "/assets"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        size_t n = strlen(others[i]);
        if (str_starts(x->path, others[i]) && (x->path.n == n || x->path.p[n] == '/'))
            return false;
    }
    struct str accept = http_header(&x->headers, "accept"), range, media;
    while (str_next(&accept, ',', &range))
        if (str_next(&range, ';', &media) && str_is_nocase(str_trim(media), "text/html"))
            return true;
    return false;
}

static const struct asset *asset_for(const struct exchange *x)
{
    bool root = str_is(x->path, "/");
    const struct asset *found = root ? NULL : find(x->path);
    return found || !(root || may_be_page(x)) ? found : find(STR("/index.html"));
}

// --- the answer -----------------------------------------------------------------------------

struct variant {
    const char *coding; // NULL: as it is
    struct piece bytes;
    const char *tag;
};

static struct variant choose(struct exchange *x, const struct asset *a)
{
    struct str accepted = http_header(&x->headers, "accept-encoding");
    struct variant v = {NULL, a->plain, ""};
    if (a->br.n && http_accepts(accepted, "br"))
        v = (struct variant){"br", a->br, "-br"};
    else if (a->gzip.n && http_accepts(accepted, "gzip"))
        v = (struct variant){"gzip", a->gzip, "-gz"};
    v.tag = arena_printf(x->arena, "\"%s%s\"", text_at(a->tag), v.tag);
    return v;
}

static bool has_already(const struct exchange *x, const char *tag)
{
    struct str known = http_header(&x->headers, "if-none-match"), one;
    while (str_next(&known, ',', &one)) {
        one = str_trim(one);
        if (str_starts(one, "W/"))
            one = str_skip(one, 2);
        if (str_is(one, tag) || str_is(one, "*"))
            return true;
    }
    return false;
}

enum { HEADERS_MOST = 12 };

struct headers {
    struct http_header items[HEADERS_MOST];
    size_t count;
};

static void add(struct headers *h, const char *name, const char *value)
{
    h->items[h->count++] = (struct http_header){str_of(name), str_of(value)};
}

static void add_careful(struct headers *h)
{
    add(h, "Content-Security-Policy", policy);
    add(h, "X-Content-Type-Options", "nosniff");
    add(h, "X-Frame-Options", "DENY");
    add(h, "Referrer-Policy", "same-origin");
    add(h, "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()");
}

static void answer(struct exchange *x, const struct asset *a)
{
    struct variant v = choose(x, a);
    bool known = has_already(x, v.tag);
    struct str body = {text_at(v.bytes.at), v.bytes.n};
    struct headers h = {0};
    add(&h, "ETag", v.tag);
    add(&h, "Cache-Control", a->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    add(&h, "Vary", "Accept-Encoding");
    add_careful(&h);
    if (!known) {
        add(&h, "Content-Type", text_at(a->type));
        if (v.coding)
            add(&h, "Content-Encoding", v.coding);
    }
    exchange_head(x, known ? 304 : 200, h.items, h.count, known ? 0 : (int64_t)body.n);
    if (!known && body.n)
        exchange_write(x, &body, 1);
    exchange_end(x);
}

static void answer_without(struct exchange *x)
{
    struct headers h = {0};
    add(&h, "Cache-Control", "no-store");
    add_careful(&h);
    exchange_reply(x, 200, "text/plain; charset=utf-8", h.items, h.count, str_of(no_console));
}

bool web_serve(struct exchange *x)
{
    if (!str_is(x->method, "GET") && !str_is(x->method, "HEAD"))
        return false;
    const struct asset *asset = asset_for(x);
    if (asset)
        answer(x, asset);
    else if (!embed_web.count && (str_is(x->path, "/") || may_be_page(x)))
        answer_without(x);
    else
        return false;
    return true;
}
