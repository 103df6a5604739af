// The egress guard: one table of address ranges for each family.

#include "common/http/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "common/str.h"

enum verdict {
    ALLOW,
    DENY,
    EMBEDDED, // an IPv4 address lies in it, which decides
};

struct range {
    unsigned char prefix[16];
    unsigned char bits;
    unsigned char verdict; // enum verdict
    unsigned char at;      // EMBEDDED: offset of the IPv4 address
};

// IANA special-purpose registry; the first match counts, and what is in no range is public.
static const struct range ranges_v4[] = {
    {{0}, 8, DENY, 0},             // this network; 0.0.0.0 reaches the host itself
    {{10}, 8, DENY, 0},            // private
    {{100, 64}, 10, DENY, 0},      // carrier-grade NAT
    {{127}, 8, DENY, 0},           // loopback
    {{169, 254}, 16, DENY, 0},     // link-local, clouds' metadata
    {{172, 16}, 12, DENY, 0},      // private
    {{192, 0, 0}, 24, DENY, 0},    // IETF protocol assignments
    {{192, 0, 2}, 24, DENY, 0},    // documentation
    {{192, 88, 99}, 24, DENY, 0},  // 6to4 relays
    {{192, 168}, 16, DENY, 0},     // private
    {{198, 18}, 15, DENY, 0},      // benchmarks
    {{198, 51, 100}, 24, DENY, 0}, // documentation
    {{203, 0, 113}, 24, DENY, 0},  // documentation
    {{224}, 4, DENY, 0},           // multicast
    {{240}, 4, DENY, 0},           // reserved, broadcast
    {{0}, 0, ALLOW, 0},
};

// Only 2000::/3 is given out as global unicast, so ::, ::1, 100::/64, 5f00::/16, fc00::/7,
// fe80::/10, fec0::/10, ff00::/8 and whatever is invented next fall to the last row; the well-known
// ones are written out all the same.
static const struct range ranges_v6[] = {
    {{[10] = 0xff, 0xff}, 96, EMBEDDED, 12},    // mapped
    {{[8] = 0xff, 0xff}, 96, DENY, 0},          // translated (SIIT)
    {{0}, 96, DENY, 0},                         // ::, ::1, IPv4-compatible
    {{0, 0x64, 0xff, 0x9b}, 96, EMBEDDED, 12},  // NAT64
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, DENY, 0}, // NAT64, local use
    {{0x01}, 64, DENY, 0},                      // discard
    {{0x20, 0x01, 0x0d, 0xb8}, 32, DENY, 0},    // documentation
    {{0x20, 0x01}, 23, DENY, 0},                // IETF assignments: Teredo, ORCHID ...
    {{0x20, 0x02}, 16, EMBEDDED, 2},            // 6to4
    {{0x3f, 0xfe}, 16, DENY, 0},                // 6bone, returned
    {{0x3f, 0xff}, 20, DENY, 0},                // documentation
    {{0x5f}, 16, DENY, 0},                      // segment routing
    {{0xfc}, 7, DENY, 0},                       // unique local
    {{0xfe, 0x80}, 10, DENY, 0},                // link-local
    {{0xfe, 0xc0}, 10, DENY, 0},                // site-local
    {{0xff}, 8, DENY, 0},                       // multicast
    {{0x20}, 3, ALLOW, 0},
    {{0}, 0, DENY, 0},
};

static bool within(const unsigned char *address, const struct range *r)
{
    size_t whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(address, r->prefix, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ r->prefix[whole]) >> (8 - rest)) == 0;
}

static bool v4_allowed(const unsigned char *address)
{
    const struct range *r = ranges_v4;
    while (!within(address, r))
        r++;
    return r->verdict == ALLOW;
}

static bool v6_allowed(const unsigned char *address)
{
    const struct range *r = ranges_v6;
    while (!within(address, r))
        r++;
    return r->verdict == EMBEDDED ? v4_allowed(address + r->at) : r->verdict == ALLOW;
}

bool egress_allowed(const struct sockaddr *to)
{
    if (to->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, to, sizeof(in));
        return v4_allowed((const unsigned char *)&in.sin_addr);
    }
    if (to->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, to, sizeof(in6));
        return v6_allowed(in6.sin6_addr.s6_addr);
    }
    return false;
}

static bool is_localhost(struct str name)
{
    while (name.n && name.p[name.n - 1] == '.')
        name.n--;
    struct str end = STR("localhost");
    if (name.n < end.n || !str_is_nocase(str_skip(name, name.n - end.n), end.p))
        return false;
    return name.n == end.n || name.p[name.n - end.n - 1] == '.';
}

bool egress_host_allowed(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_aton(host, &v4)) // "127.1" and "0x7f000001" too
        return v4_allowed((const unsigned char *)&v4);
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return v6_allowed(v6.s6_addr);
    return !is_localhost(str_of(host));
}
