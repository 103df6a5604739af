// hiredis on libuv. The adapter that hiredis brings along returns early when a poll fails: a
// refused connection would never be told of.

#pragma once
#include <hiredis/async.h>
#include <uv.h>

void adapter_attach(redisAsyncContext *ac, uv_loop_t *loop); // detaches itself when ac is freed
