// Channels: how upstreams are reached.

#pragma once
#include "middleware/http.h"

struct err *api_channel_list(struct http *x);
struct err *api_channel_create(struct http *x);
struct err *api_channel_update(struct http *x);
struct err *api_channel_search(struct http *x);
struct err *api_channel_types(struct http *x);
struct err *api_channel_test(struct http *x);
struct err *api_channel_test_one(struct http *x);
struct err *api_channel_fetch_models(struct http *x);
struct err *api_channel_show(struct http *x);
struct err *api_channel_delete(struct http *x);

// What these requests may hold, for the description of the API.
extern const struct field channel_test_fields[], channel_fetch_fields[];
