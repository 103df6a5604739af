// Logs: one's own and everybody's.

#pragma once
#include "middleware/http.h"

struct err *api_log_own(struct http *x);
struct err *api_log_list(struct http *x);
struct err *api_log_search(struct http *x);
struct err *api_log_delete(struct http *x);
