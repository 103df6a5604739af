// Sessions of the console: a JWT in a cookie, a row on the server, a CSRF text bound to both.
//
// The row and its user are read on every request: two look-ups by index, and in return a revoked
// session, a disabled user or a lost role takes effect at once on every node.

#pragma once
#include "model/session.h"
#include "model/user.h"

struct session_ticket {
    const char *jwt;  // for the browser to keep
    const char *csrf; // what requests that change something must repeat
    int64_t seconds;  // it lives
};

// Once, before the first session: SESSION_SECRET.
void session_setup(struct str secret);

// Where somebody logs in from, and for how long at the most.
struct session_visit {
    const char *ip, *user_agent; // what is too long or no text is shortened
    int hours;
};
struct err *session_begin(struct db *db, struct arena *a, const struct user *user,
                          const struct session_visit *visit, struct session_ticket *out);

// Whose session it is. err_login_required when it is not ours, expired, revoked or outdated;
// err_user_disabled.
struct err *session_check(struct db *db, struct arena *a, struct str jwt, struct session *session,
                          struct user *user);

// Is this the CSRF text that belongs to the session?
bool session_csrf_fits(struct arena *a, const struct session *session, struct str csrf);

// Ends all of a user's sessions but `keep` (0 = none): raises his auth_version.
struct err *session_end_others(struct db *db, struct arena *a, int64_t user_id, int64_t keep);
