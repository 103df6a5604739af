// How often somebody may guess a password: per name and address, and per address. In memory.

#pragma once
#include "common/err.h"

struct arena;

enum { LOGIN_WINDOW_SECONDS = 15 * 60, LOGIN_FAILURES_PER_ADDRESS = 100 };

// Counts an attempt as failed, so that attempts at the same time cannot outrun the count.
// err_login_limited with retry_after when `attempts` failures of this name and address (or 100 of
// the address) stand already: then this one must not even be tried.
struct err *login_limit_begin(struct arena *a, const char *ip, const char *name, int attempts);

// It was right: the name's failures are forgotten, the address's count is as before.
void login_limit_passed(const char *ip, const char *name);
