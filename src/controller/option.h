// Options: the settings that can change while we run.

#pragma once
#include "middleware/http.h"

struct err *api_option_list(struct http *x);
struct err *api_option_set(struct http *x);
struct err *api_option_show(struct http *x);
