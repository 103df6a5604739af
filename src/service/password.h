// Passwords: argon2id, 19 MiB and two passes (OWASP's minimum), a few at a time. On a worker.

#pragma once
#include "common/err.h"

struct arena;

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 72 };

// err_password_weak: 8 to 72 characters, not the user's name.
struct err *password_allowed(struct arena *a, const char *username, const char *password);

// err_overloaded when too many wait already.
struct err *password_hash(struct arena *a, const char *password, const char **encoded);

// With an empty `encoded` it takes as long and says no.
struct err *password_check(struct arena *a, const char *password, const char *encoded, bool *right);
