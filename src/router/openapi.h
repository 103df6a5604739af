// GET /api/openapi.json: the management API as its own tables describe it, in OpenAPI 3.1.

#pragma once
#include "middleware/http.h"

struct err *api_openapi_show(struct http *x);
