// Channels by their tags: seen together, changed together.

#pragma once
#include "middleware/http.h"

struct err *api_channel_tag_list(struct http *x);
struct err *api_channel_tag_update(struct http *x);
struct err *api_channel_tag_enable(struct http *x);
struct err *api_channel_tag_disable(struct http *x);

// What a request may hold, for the description of the API.
extern const struct field channel_tag_fields[];
