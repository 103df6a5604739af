// What HTTP server and client share: headers, URLs, status texts.

#pragma once
#include "common/err.h"
#include "common/str.h"

struct arena;

struct http_header {
    struct str name, value;
};

struct http_headers {
    struct http_header *items; // in the order received
    size_t count;
};

// The first header of that name, whatever the case; .p NULL if there is none. Inline, so that the
// length of a literal name costs nothing and most others are passed over by it.
static inline struct str http_header(const struct http_headers *h, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < h->count; i++)
        if (h->items[i].name.n == n && !strncasecmp(h->items[i].name.p, name, n))
            return h->items[i].value;
    return (struct str){0};
}

const char *http_status_text(int status); // "Not Found"; "Unknown" for what has no name

// What a Content-Type names, without parameters; .n 0 where it names nothing.
struct str http_media_type(struct str content_type);

// Does a comma-separated header ("gzip, br;q=0") accept this token? q=0 means no.
bool http_accepts(struct str header, const char *token);

// scheme://[user:password@]host[:port][/path][?query]; IPv6 hosts in brackets.
struct url {
    const char *scheme;          // lower case
    const char *user, *password; // percent-decoded, "" if absent
    const char *host;            // lower case, without brackets
    int port;                    // the scheme's own if absent (http 80, https 443, socks5 1080)
    const char *path;            // "/..." and query, at least "/"
};
struct err *url_parse(struct arena *a, const char *text, struct url *out); // err_field_invalid
// As the Host header says it: "name", "name:8080", "[::1]:8080".
const char *url_authority(struct arena *a, const struct url *u);

// Decodes %XX and, in queries, '+'. .p NULL when malformed.
struct str url_decode(struct arena *a, struct str s, bool plus_is_space);

// A query's parameter, decoded; .p NULL if absent.
struct str url_query(struct arena *a, struct str query, const char *name);
