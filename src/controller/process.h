// About this process: alive, ready, and its figures.

#pragma once
#include "middleware/http.h"

struct err *api_process_alive(struct http *x);
struct err *api_process_ready(struct http *x);
struct err *api_process_metrics(struct http *x);

// Once: whose connections readiness and figures are about. Then, when we are about to end:
void process_setup(struct db_pool *pool);
void process_drain(void);
