// One error type for the whole program. NULL means success.

#pragma once
#include <stdbool.h>

struct arena;

struct err_kind {
    const char *code; // "quota_insufficient": machine code and i18n key
    int status;       // HTTP status to answer with
    bool retry;       // worth trying another channel
};

struct err {
    const struct err_kind *kind;
    const char *detail; // for the log; strangers see it only where the kind's text has a {}
    int status;         // as kind->status, or what the upstream said
    int retry_after;    // seconds, 0 = not known
};

#define ERR(code, status, retry) extern const struct err_kind err_##code;
#include "common/errors.def"
#undef ERR

struct err *err_new(struct arena *a, const struct err_kind *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull));

const struct err_kind *err_kind_by_code(const char *code); // NULL if there is none

// Passes a failure up. Safe because arenas, not callers, own what was allocated. An expression, not
// the usual loop that runs once: tools that count ways out do not count a loop.
#define TRY(call)                                                                                  \
    __extension__({                                                                                \
        struct err *try_err = (call);                                                              \
        if (try_err)                                                                               \
            return try_err;                                                                        \
    })
