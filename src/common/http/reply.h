// Reading an answer into a call's callbacks. Part of the client.

#pragma once
#include "common/http/link.h"

void reply_begin(struct client_conn *conn);
void reply_feed(struct client_conn *conn, struct str bytes);
void reply_eof(struct client_conn *conn, bool clean, const char *why);
void reply_resume(struct client_conn *conn); // what was kept, then the socket again
void reply_drop(struct client_conn *conn);   // gives memory back
void reply_heads_free(struct client *client);
