// How often somebody may guess a password: per name and address, and per address. In memory.

#pragma once
#include "common/err.h"

struct arena;

enum { LOGIN_WINDOW_SECONDS = 15 * 60, LOGIN_FAILURES_PER_ADDRESS = 100 };
enum login_outcome { LOGIN_WRONG, LOGIN_RIGHT, LOGIN_UNTRIED };

// On a worker, before a password is looked at; login_limit_end() must follow. err_login_limited
// with retry_after when `attempts` failures of this name and address (or 100 of the address) stand:
// then the password must not even be tried, and no end follows. Attempts at the same time wait for
// each other where their failure would exceed the limit, so nobody outruns the count and nobody
// who is right is refused.
struct err *login_limit_begin(struct arena *a, const char *ip, const char *name, int attempts);

// A right one makes the name's failures forgotten; the address's stay.
void login_limit_end(const char *ip, const char *name, enum login_outcome outcome);
