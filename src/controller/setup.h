// The first start.

#pragma once
#include "middleware/http.h"

struct err *api_setup_finish(struct http *x);

// What these requests may hold, for the description of the API.
extern const struct field setup_request_fields[];
