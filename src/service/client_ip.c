// Addresses are compared as 128 bits, IPv4 mapped into IPv6.

#include "service/client_ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/arena.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128 };

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
static const struct ip_list *trusted;

static bool is_ipv4(const struct ip *ip)
{
    return !memcmp(ip->bytes, mapped, sizeof(mapped));
}

bool ip_parse(struct str text, struct ip *out)
{
    char copy[INET6_ADDRSTRLEN + 1];
    text = str_trim(text);
    if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = (struct str){text.p + 1, text.n - 2};
    if (!text.n || text.n >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    memcpy(out->bytes, mapped, sizeof(mapped));
    return inet_pton(AF_INET, copy, out->bytes + sizeof(mapped)) == 1 ||
           inet_pton(AF_INET6, copy, out->bytes) == 1;
}

struct ip ip_network(const char *address)
{
    struct ip ip = {{0}};
    if (!ip_parse(str_of(address), &ip))
        return (struct ip){{0}};
    if (!is_ipv4(&ip))
        memset(ip.bytes + IPV6_BITS / 16, 0, IPV6_BITS / 16);
    return ip;
}

static bool range_parse(struct str text, struct ip_range *out)
{
    struct str address, bits = text;
    int64_t n;
    str_next(&bits, '/', &address);
    if (!ip_parse(address, &out->ip))
        return false;
    out->bits = IPV6_BITS;
    if (address.n == text.n) // no slash
        return true;
    bool v4 = is_ipv4(&out->ip) && !memchr(address.p, ':', address.n);
    if (!str_to_int(bits, &n) || n < 0 || n > (v4 ? IPV4_BITS : IPV6_BITS))
        return false;
    out->bits = (int)n + (v4 ? IPV6_BITS - IPV4_BITS : 0);
    return true;
}

static size_t count_pieces(const char *text)
{
    size_t n = 1;
    for (; *text; text++)
        n += *text == ',' || *text == '\n';
    return n;
}

struct err *ip_list_parse(struct arena *a, const char *text, struct ip_list *out)
{
    struct str lines = str_of(text), line, piece;
    *out = (struct ip_list){.items = NEW_ARRAY(a, struct ip_range, count_pieces(lines.p))};
    while (str_next(&lines, '\n', &line))
        while (str_next(&line, ',', &piece)) {
            piece = str_trim(piece);
            if (!piece.n)
                continue;
            if (!range_parse(piece, &out->items[out->count++]))
                return err_new(a, &err_field_invalid, "%.*s", STR_ARGS(piece));
        }
    return NULL;
}

static bool range_has(const struct ip_range *range, const struct ip *ip)
{
    int whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(range->ip.bytes, ip->bytes, (size_t)whole) != 0)
        return false;
    return !rest || !((range->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest));
}

static bool list_has_ip(const struct ip_list *list, const struct ip *ip)
{
    for (size_t i = 0; i < list->count; i++)
        if (range_has(&list->items[i], ip))
            return true;
    return false;
}

bool ip_list_has(const struct ip_list *list, const char *address)
{
    struct ip ip;
    return ip_parse(str_of(address), &ip) && list_has_ip(list, &ip);
}

void client_ip_trust(const struct ip_list *proxies)
{
    trusted = proxies && proxies->count ? proxies : NULL;
}

static bool by_proxy(const char *peer)
{
    return trusted && ip_list_has(trusted, peer);
}

// The last piece of a comma-separated list, cut off it.
static bool take_last(struct str *list, struct str *piece)
{
    if (!list->n)
        return false;
    const char *comma = memrchr(list->p, ',', list->n);
    size_t from = comma ? (size_t)(comma - list->p) + 1 : 0;
    *piece = str_trim((struct str){list->p + from, list->n - from});
    list->n = comma ? from - 1 : 0;
    return true;
}

// All headers of one name are one list, in order.
const char *client_ip(struct arena *a, const char *peer, const struct http_headers *headers)
{
    if (!by_proxy(peer))
        return peer;
    const char *client = peer;
    for (size_t i = headers->count; i-- > 0;) {
        struct str list = headers->items[i].value, piece;
        if (!str_is_nocase(headers->items[i].name, "x-forwarded-for"))
            continue;
        while (take_last(&list, &piece)) {
            struct ip ip;
            if (!ip_parse(piece, &ip))
                return client; // what stands before a lie is not to be believed either
            client = arena_str(a, piece);
            if (!list_has_ip(trusted, &ip))
                return client;
        }
    }
    return client;
}

bool client_https(const char *peer, const struct http_headers *headers)
{
    if (!by_proxy(peer))
        return false;
    struct str list = http_header(headers, "x-forwarded-proto"), last;
    return list.p && take_last(&list, &last) && str_is_nocase(last, "https");
}
