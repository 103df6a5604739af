// Addresses: lists of them as people write them, and who a client really is behind proxies.

#pragma once
#include "common/http/http.h"

struct arena;

struct ip {
    unsigned char bytes[16]; // IPv4 as ::ffff:a.b.c.d
};

struct ip_range {
    struct ip ip;
    int bits; // of 128
};

struct ip_list {
    struct ip_range *items;
    size_t count;
};

// An address without port, "[::1]" in brackets too; false if it is none.
bool ip_parse(struct str text, struct ip *out);
// Whom an address belongs to: an IPv6 client owns 64 bits of addresses. Zeroes if it is none.
struct ip ip_network(const char *address);

// Addresses and CIDR blocks, separated by commas or line ends. err_field_invalid: the detail is
// the piece that is neither.
struct err *ip_list_parse(struct arena *a, const char *text, struct ip_list *out);
bool ip_list_has(const struct ip_list *list, const char *address);

// What TRUSTED_PROXIES says; once, before the first request. The list must live for ever.
void client_ip_trust(const struct ip_list *proxies);

// The address of the client: the peer, or, when the peer is a trusted proxy, the right-most
// address in X-Forwarded-For that is none. In the arena, or `peer` itself.
const char *client_ip(struct arena *a, const char *peer, const struct http_headers *headers);

// Did the client come by https, as a trusted proxy says (X-Forwarded-Proto)?
bool client_https(const char *peer, const struct http_headers *headers);
