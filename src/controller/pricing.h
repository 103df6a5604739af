// What models cost, for everybody.

#pragma once
#include "middleware/http.h"

struct err *api_pricing_list(struct http *x);
