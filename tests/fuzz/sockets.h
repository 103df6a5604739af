// Loopback connections for targets that need a loop: small, non-blocking, closed without a trace.

#pragma once
#include "common/lane.h"
#include "common/str.h"

int socket_listen(int *port);
int socket_accept(struct loop *l, int listener); // runs the loop until somebody comes
int socket_connect(int port);
void socket_say(struct loop *l, int fd, struct str bytes); // as much as the other side takes
void socket_reset(int fd);
void socket_turn(struct loop *l, int rounds);
