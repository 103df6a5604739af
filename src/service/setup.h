// The first start: the root account, made at once from the environment or by a one-time link.

#pragma once
#include "model/user.h"
#include "setting/boot.h"

enum { ROOT_QUOTA = 100000000 };

// Once, after migration. With INITIAL_ROOT_PASSWORD the account is made (if there is none yet);
// without, and when there is none, there is a link.
struct err *setup_root(struct db *db, struct arena *a, const struct boot *boot);

// What the operator must open, when the port is known: valid until it is used or we end. NULL: a
// root exists.
const char *setup_link(struct arena *a, const struct boot *boot);

// Could it be made? Nothing is kept.
struct err *setup_check(struct db *db, struct arena *a, const struct boot *boot);

// By the link's token: err_setup_done when a root exists, err_setup_token_invalid.
struct err *setup_by_link(struct db *db, struct arena *a, const char *token, const char *username,
                          const char *password, struct user *out);

// Is there a root? Remembered once it is so.
struct err *setup_is_done(struct db *db, struct arena *a, bool *done);
