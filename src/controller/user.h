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
