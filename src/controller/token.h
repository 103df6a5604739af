// One's own keys for the relay.

#pragma once
#include "middleware/http.h"

struct err *api_token_list(struct http *x);
struct err *api_token_create(struct http *x);
struct err *api_token_update(struct http *x);
struct err *api_token_search(struct http *x);
struct err *api_token_show(struct http *x);
struct err *api_token_reveal(struct http *x);
struct err *api_token_delete(struct http *x);
