// A channel's keys: how each does, without showing it.

#pragma once
#include "middleware/http.h"

struct err *api_channel_keys(struct http *x);
struct err *api_channel_key_enable(struct http *x);

// What a request may hold, for the description of the API.
extern const struct field channel_key_fields[];
