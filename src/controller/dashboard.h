// What was used, over time.

#pragma once
#include "middleware/http.h"

struct err *api_dashboard_show(struct http *x);
