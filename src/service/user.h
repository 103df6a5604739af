// The rules about accounts: names, ranks, and how one comes into being.

#pragma once
#include "model/token.h"
#include "model/user.h"

enum { USERNAME_MAX = 20 };

// Stores a row whose password has been taken, and sets its id. err_name_invalid, err_name_taken.
struct err *user_create(struct db *db, struct arena *a, struct user *row);

// Checks and hashes a password into the row. Slow: hold no connection meanwhile.
struct err *user_take_password(struct arena *a, struct user *row, const char *password);

// Makes an access token, of which only the digest is kept; the previous one dies.
struct err *user_new_access_token(struct db *db, struct arena *a, const struct user *user,
                                  const char **token);
struct err *user_set_access_token(struct db *db, struct arena *a, const struct user *user,
                                  const char *token);

// err_rank_forbidden unless the target's role is below the actor's.
struct err *user_outranks(struct arena *a, const struct user *actor, const struct user *target);

// May the actor give somebody this role? Below his own; root may give any.
struct err *user_may_grant(struct arena *a, const struct user *actor, int role);

// The key's 48 characters, however it was given; "sk-" is for people.
const char *token_bare(const char *key);
