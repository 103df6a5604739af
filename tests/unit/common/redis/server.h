// A Redis of the test's own, on a free loopback port, in memory.

#pragma once
#include <stdbool.h>

bool server_installed(void);
int server_port(void);            // the same for the whole program
void server_up(const char *auth); // starts it and waits for it; auth: its password, or ""
void server_down(void);           // kills it; fine when it is not up
void server_freeze(bool frozen);
