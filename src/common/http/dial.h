// Bringing a connection up: names, addresses, proxy, TLS. Part of the client.

#pragma once
#include "common/http/link.h"

void conn_dial(struct client *client, struct upstream *u, struct call *c);
void link_up(struct client_conn *conn); // the proxy is through: TLS or the request
void dial_handshake(struct client_conn *conn, struct str bytes); // more of it arrived
bool dial_skip(struct client_conn *conn); // this address took its time; false: no time is left
void dial_free(struct dial *d);
