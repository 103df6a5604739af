// What everybody may know about this installation.

#pragma once
#include "middleware/http.h"

struct err *api_status_show(struct http *x);
