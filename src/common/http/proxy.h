// Getting through a proxy: HTTP CONNECT and SOCKS5. Part of the client.

#pragma once
#include "common/http/link.h"

bool proxy_read_url(struct call *c, struct url *out); // false: not a proxy we can use
void proxy_begin(struct client_conn *conn);           // the TCP connection to the proxy is up
void proxy_receive(struct client_conn *conn, struct str bytes);
