// Calling an upstream outside any relay: testing a channel, listing its models. On a worker.

#pragma once
#include "common/err.h"
#include "model/channel.h"

struct arena;

struct probe {
    bool fine;
    int status; // HTTP; 0 = not reached
    int64_t ms;
    const char *model;   // that was asked for
    const char *message; // what went wrong, without secrets
};

// One tiny chat request (streamed if asked) with the channel's first usable key. model "" takes
// test_model, else the first of its models. An error only when it could not be tried at all.
struct err *probe_channel(struct arena *a, const struct channel *c, const char *model, bool stream,
                          struct probe *out);

// The model ids that the upstream lists, comma-separated.
struct err *probe_models(struct arena *a, const struct channel *c, const char **models);
