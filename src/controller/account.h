// One's own account: logging in and out, password, access token.

#pragma once
#include "middleware/http.h"

struct err *api_account_register(struct http *x);
struct err *api_account_login(struct http *x);
struct err *api_account_logout(struct http *x);
struct err *api_account_show(struct http *x);
struct err *api_account_update(struct http *x);
struct err *api_account_password(struct http *x);
struct err *api_account_token(struct http *x);
struct err *api_account_groups(struct http *x);

// What these requests may hold, for the description of the API.
extern const struct field account_login_fields[], account_register_fields[],
    account_password_fields[], account_self_fields[];
