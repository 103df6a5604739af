// The egress guard: where a URL given by a user may lead.
//
// Administrators' base URLs may point anywhere. For others, the address actually connected to is
// checked, after resolving, at every hop: no loopback, private, link-local, CGNAT, multicast,
// documentation, benchmark or reserved range, in IPv4, IPv6, mapped, 6to4, NAT64 or Teredo form.

#pragma once
#include <stdbool.h>

struct sockaddr;

bool egress_allowed(const struct sockaddr *to);

// For what goes through a proxy, which resolves names over there: only a literal address, in any
// form that resolvers take for one, and localhost can be refused here.
bool egress_host_allowed(const char *host);
