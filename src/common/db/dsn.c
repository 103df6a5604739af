// Taking DSNs apart.

#include "common/db/dsn.h"

#include <string.h>

#include "common/arena.h"

static struct err *malformed(struct arena *a, const char *what)
{
    return err_new(a, &err_db_unavailable, "malformed DSN: %s", what);
}

const char *dsn_scheme(const char *dsn)
{
    static const struct {
        const char *start, *scheme;
    } starts[] = {
        {"sqlite:", "sqlite"}, {"postgres://", "postgres"}, {"postgresql://", "postgres"},
        {"mysql://", "mysql"}, {"mariadb://", "mysql"},
    };
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
        if (str_starts(str_of(dsn), starts[i].start))
            return starts[i].scheme;
    return strstr(dsn, "@tcp(") || strstr(dsn, "@unix(") ? "mysql" : NULL;
}

// --- pieces -------------------------------------------------------------------------

static struct err *decode(struct arena *a, struct str in, const char **out)
{
    char *text = arena_raw(a, in.n + 1), *to = text;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') {
            *to++ = in.p[i];
            continue;
        }
        int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
        int low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
        if (high < 0 || low < 0 || !(high || low))
            return malformed(a, "a % without two hexadecimal digits");
        *to++ = (char)(high << 4 | low);
        i += 2;
    }
    *to = '\0';
    *out = text;
    return NULL;
}

// What stands before the last (or first) `cut` goes into *head, what follows stays in *rest. False
// if there is none: then *rest is all of it.
static bool split(struct str *rest, char cut, bool last, struct str *head)
{
    const char *at = last ? memrchr(rest->p, cut, rest->n) : memchr(rest->p, cut, rest->n);
    *head = (struct str){rest->p, at ? (size_t)(at - rest->p) : 0};
    if (at)
        *rest = str_skip(*rest, head->n + 1);
    return at;
}

static struct err *read_port(struct arena *a, struct str text, int *port)
{
    int64_t n = 0;
    if (text.n && (!str_to_int(text, &n) || n < 1 || n > 65535))
        return malformed(a, "the port is not one");
    *port = (int)n;
    return NULL;
}

// host, host:port, [::1]:port
static struct err *read_address(struct arena *a, struct str address, struct dsn *out)
{
    struct str host = address, port = {"", 0};
    if (address.n && *address.p == '[') {
        port = str_skip(address, 1);
        if (!split(&port, ']', false, &host) || (port.n && *port.p != ':'))
            return malformed(a, "a [ without its ]");
        port = port.n ? str_skip(port, 1) : port;
    } else if (memchr(address.p, ':', address.n)) {
        port = address;
        split(&port, ':', false, &host);
    }
    out->host = arena_str(a, host);
    return read_port(a, port, &out->port);
}

// --- forms --------------------------------------------------------------------------

static struct err *parse_url(struct arena *a, struct str rest, struct dsn *out)
{
    struct str authority, login, user, path = rest;
    if (!split(&path, '/', false, &authority))
        return malformed(a, "no /database");
    if (split(&authority, '@', true, &login)) {
        bool has_password = split(&login, ':', false, &user);
        TRY(decode(a, has_password ? user : login, &out->user));
        if (has_password)
            TRY(decode(a, login, &out->password));
    }
    TRY(read_address(a, authority, out));
    return decode(a, path, &out->database);
}

// user:password@tcp(host:port)/database, as the programs before this one had it.
static struct err *parse_go(struct arena *a, struct str rest, const char *at, struct dsn *out)
{
    bool socket = at[1] == 'u';
    struct str login = {rest.p, (size_t)(at - rest.p)}, user, inside;
    struct str address = str_skip(rest, login.n + (socket ? 6 : 5));
    if (!split(&address, ')', false, &inside) || !address.n || *address.p != '/')
        return malformed(a, "no )/database");
    bool has_password = split(&login, ':', false, &user);
    out->user = arena_str(a, has_password ? user : login);
    out->password = has_password ? arena_str(a, login) : "";
    out->database = arena_str(a, str_skip(address, 1));
    if (!socket)
        return read_address(a, inside, out);
    out->socket = arena_str(a, inside);
    return NULL;
}

// The last one: a password may hold anything.
static const char *go_address(const char *dsn)
{
    const char *found = NULL;
    for (const char *at = dsn; (at = strchr(at, '@')); at++)
        if (str_starts(str_of(at), "@tcp(") || str_starts(str_of(at), "@unix("))
            found = at;
    return found;
}

struct err *dsn_parse(struct arena *a, const char *dsn, struct dsn *out)
{
    const char *colon = strstr(dsn, "://"), *go = go_address(dsn);
    const char *end = strchr(go ? go : dsn, '?');
    struct str rest = {dsn, end ? (size_t)(end - dsn) : strlen(dsn)};
    *out = (struct dsn){"", "", "", "", "", 0, end ? arena_strdup(a, end + 1) : ""};
    TRY(go ? parse_go(a, rest, go, out)
           : parse_url(a, str_skip(rest, colon ? (size_t)(colon - dsn) + 3 : 0), out));
    return text_is_empty(out->database) ? malformed(a, "no database named") : NULL;
}

struct err *dsn_option(struct arena *a, const char **rest, const char **name, const char **value)
{
    struct str left = str_of(*rest), option, key;
    *name = *value = NULL;
    if (!str_next(&left, '&', &option))
        return NULL;
    *rest = left.n ? left.p : "";
    if (!split(&option, '=', false, &key))
        return malformed(a, "an option without =");
    *name = arena_str(a, key);
    return decode(a, option, value);
}
