// The first start.

#pragma once
#include "middleware/http.h"

struct err *api_setup_finish(struct http *x);
