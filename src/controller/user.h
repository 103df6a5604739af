// Users, as administrators see them.

#pragma once
#include "middleware/http.h"

struct err *api_user_list(struct http *x);
struct err *api_user_search(struct http *x);
struct err *api_user_create(struct http *x);
struct err *api_user_show(struct http *x);
struct err *api_user_update(struct http *x);
struct err *api_user_delete(struct http *x);
struct err *api_user_manage(struct http *x);

// What these requests may hold, for the description of the API.
extern const struct field user_create_fields[], user_update_fields[], user_manage_fields[];
