// Headers, status texts and URLs, read strictly.

#include "common/http/http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"

// --- headers --------------------------------------------------------------------------

const char *http_status_text(int status)
{
    static const char *const texts[] = {
        [100] = "Continue",
        [101] = "Switching Protocols",
        [200] = "OK",
        [201] = "Created",
        [202] = "Accepted",
        [204] = "No Content",
        [206] = "Partial Content",
        [301] = "Moved Permanently",
        [302] = "Found",
        [303] = "See Other",
        [304] = "Not Modified",
        [307] = "Temporary Redirect",
        [308] = "Permanent Redirect",
        [400] = "Bad Request",
        [401] = "Unauthorized",
        [402] = "Payment Required",
        [403] = "Forbidden",
        [404] = "Not Found",
        [405] = "Method Not Allowed",
        [406] = "Not Acceptable",
        [408] = "Request Timeout",
        [409] = "Conflict",
        [410] = "Gone",
        [411] = "Length Required",
        [412] = "Precondition Failed",
        [413] = "Content Too Large",
        [414] = "URI Too Long",
        [415] = "Unsupported Media Type",
        [416] = "Range Not Satisfiable",
        [417] = "Expectation Failed",
        [421] = "Misdirected Request",
        [422] = "Unprocessable Content",
        [424] = "Failed Dependency",
        [425] = "Too Early",
        [426] = "Upgrade Required",
        [428] = "Precondition Required",
        [429] = "Too Many Requests",
        [431] = "Request Header Fields Too Large",
        [451] = "Unavailable For Legal Reasons",
        [499] = "Client Closed Request",
        [500] = "Internal Server Error",
        [501] = "Not Implemented",
        [502] = "Bad Gateway",
        [503] = "Service Unavailable",
        [504] = "Gateway Timeout",
        [505] = "HTTP Version Not Supported",
        [529] = "Site Overloaded",
    };
    bool known = status >= 0 && (size_t)status < sizeof(texts) / sizeof(*texts) && texts[status];
    return known ? texts[status] : "Unknown";
}

// Is ";q=..." among the parameters, and zero? ("0", "0.", "0.000")
static bool refused(struct str parameters)
{
    struct str one;
    while (str_next(&parameters, ';', &one)) {
        one = str_trim(one);
        if (one.n < 3 || (one.p[0] | 0x20) != 'q' || one.p[1] != '=')
            continue;
        one = str_skip(one, 2);
        while (one.n && (one.p[0] == '0' || one.p[0] == '.'))
            one = str_skip(one, 1);
        return one.n == 0;
    }
    return false;
}

struct str http_media_type(struct str content_type)
{
    struct str media = {0};
    return str_next(&content_type, ';', &media) ? str_trim(media) : media;
}

bool http_accepts(struct str header, const char *token)
{
    struct str item, name;
    bool any = false;
    while (str_next(&header, ',', &item)) {
        struct str parameters = item;
        if (!str_next(&parameters, ';', &name))
            continue;
        name = str_trim(name);
        if (str_is_nocase(name, token))
            return !refused(parameters);
        any = any || (str_is(name, "*") && !refused(parameters));
    }
    return any;
}

// --- percent-encoding -----------------------------------------------------------------

// The byte that %XX stands for; -1 if it is none, or NUL, which nobody sends in good faith.
static int hex_byte(struct str s)
{
    int high = s.n < 3 ? -1 : hex_digit(s.p[1]);
    int low = s.n < 3 ? -1 : hex_digit(s.p[2]);
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

struct str url_decode(struct arena *a, struct str s, bool plus_is_space)
{
    char *text = arena_raw(a, s.n + 1), *to = text;
    while (s.n) {
        size_t took = 1;
        int c = (unsigned char)s.p[0];
        if (c == '%') {
            c = hex_byte(s);
            took = 3;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c <= 0)
            return (struct str){0};
        *to++ = (char)c;
        s = str_skip(s, took);
    }
    *to = '\0';
    return (struct str){text, (size_t)(to - text)};
}

struct str url_query(struct arena *a, struct str query, const char *name)
{
    struct str pair;
    while (str_next(&query, '&', &pair)) {
        struct str value = pair, key;
        if (!str_next(&value, '=', &key))
            continue;
        struct str decoded = url_decode(a, key, true);
        if (decoded.p && str_is(decoded, name))
            return url_decode(a, value.p ? value : STR(""), true);
    }
    return (struct str){0};
}

// --- URLs -------------------------------------------------------------------------------

static const struct {
    const char *name;
    int port;
} schemes[] = {{"http", 80}, {"https", 443}, {"socks5", 1080}, {"socks5h", 1080}, {"redis", 6379}};

static struct err *malformed(struct arena *a, const char *what)
{
    return err_new(a, &err_field_invalid, "URL: %s", what);
}

static bool take_scheme(struct str *rest, struct url *out)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t n = strlen(schemes[i].name);
        if (rest->n < n + 3 || strncasecmp(rest->p, schemes[i].name, n) != 0 ||
            memcmp(rest->p + n, "://", 3) != 0)
            continue;
        out->scheme = schemes[i].name;
        out->port = schemes[i].port;
        *rest = str_skip(*rest, n + 3);
        return true;
    }
    return false;
}

// What stands before any of the given characters; *rest begins with it afterwards, or is empty.
static struct str take_until(struct str *rest, const char *stops)
{
    size_t n = 0;
    while (n < rest->n && !strchr(stops, rest->p[n]))
        n++;
    struct str piece = {rest->p, n};
    *rest = str_skip(*rest, n);
    return piece;
}

// Others read a backslash as a slash, and would see another host behind it than we do.
static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '\\')
            return false;
    return true;
}

static bool take_user(struct arena *a, struct str *authority, struct url *out)
{
    out->user = out->password = "";
    if (!is_printable(*authority))
        return false;
    const char *at = authority->n ? memrchr(authority->p, '@', authority->n) : NULL;
    if (!at)
        return true;
    struct str both = {authority->p, (size_t)(at - authority->p)};
    *authority = str_skip(*authority, both.n + 1);
    struct str user = url_decode(a, take_until(&both, ":"), false);
    struct str password = url_decode(a, str_skip(both, 1), false);
    if (!user.p || !password.p)
        return false;
    out->user = user.p;
    out->password = password.p;
    return true;
}

static char *lower_case(struct arena *a, struct str s)
{
    char *text = arena_str(a, s);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}

static bool is_host_name(struct str host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!isalnum((unsigned char)host.p[i]) && !strchr("-._", host.p[i]))
            return false;
    return host.n > 0 && host.n <= 253;
}

// "name", "1.2.3.4" or "[::1]"; *authority keeps what follows: nothing, or ":port".
static bool take_host(struct arena *a, struct str *authority, struct url *out)
{
    bool bracketed = authority->n && authority->p[0] == '[';
    if (bracketed)
        *authority = str_skip(*authority, 1);
    struct str host = take_until(authority, bracketed ? "]" : ":");
    out->host = lower_case(a, host);
    if (!bracketed)
        return is_host_name(host);
    bool closed = authority->n > 0;
    *authority = str_skip(*authority, 1);
    struct in6_addr ignored;
    return closed && inet_pton(AF_INET6, out->host, &ignored) == 1;
}

static bool take_port(struct str authority, struct url *out)
{
    if (authority.n == 0 || str_is(authority, ":"))
        return true;
    int64_t port;
    if (authority.p[0] != ':' || !isdigit((unsigned char)authority.p[1]) ||
        !str_to_int(str_skip(authority, 1), &port) || port < 1 || port > 65535)
        return false;
    out->port = (int)port;
    return true;
}

// Path and query as they are sent: a leading slash, no fragment, other alphabets escaped.
static bool take_path(struct arena *a, struct str rest, struct url *out)
{
    static const char hex[] = "0123456789ABCDEF";
    struct str path = take_until(&rest, "#");
    char *text = arena_raw(a, path.n * 3 + 2), *to = text;
    if (path.n == 0 || path.p[0] != '/')
        *to++ = '/';
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= ' ' || c == 0x7f)
            return false;
        if (c < 0x80) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    *to = '\0';
    out->path = text;
    return true;
}

struct err *url_parse(struct arena *a, const char *text, struct url *out)
{
    struct str rest = str_trim(str_of(text));
    *out = (struct url){0};
    if (!take_scheme(&rest, out))
        return malformed(a, "the scheme must be http, https or socks5");
    struct str authority = take_until(&rest, "/?#");
    if (!take_user(a, &authority, out))
        return malformed(a, "bad user or password");
    if (!take_host(a, &authority, out))
        return malformed(a, "bad host");
    if (!take_port(authority, out))
        return malformed(a, "bad port");
    if (!take_path(a, rest, out))
        return malformed(a, "bad path");
    return NULL;
}

const char *url_authority(struct arena *a, const struct url *u)
{
    bool usual = u->port == (strcmp(u->scheme, "https") == 0 ? 443 : 80);
    const char *host = strchr(u->host, ':') ? arena_printf(a, "[%s]", u->host) : u->host;
    return usual ? host : arena_printf(a, "%s:%d", host, u->port);
}
