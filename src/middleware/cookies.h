// The two cookies of a session.

#pragma once
#include "middleware/http.h"
#include "service/session.h"

#define SESSION_COOKIE "tf_session" // the JWT; scripts cannot read it
#define CSRF_COOKIE "tf_csrf"       // scripts repeat it in X-CSRF-Token

void cookies_set(struct http *x, const struct session_ticket *ticket);
void cookies_clear(struct http *x);
