// Every kind of failure, from one table.

#include "common/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"

#define ERR(code, status, retry) const struct err_kind err_##code = {#code, status, retry};
#include "common/errors.def"
#undef ERR

static const struct err_kind *const kinds[] = {
#define ERR(code, status, retry) &err_##code,
#include "common/errors.def"
#undef ERR
};

struct err *err_new(struct arena *a, const struct err_kind *kind, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    struct err *e = NEW(a, struct err);
    *e = (struct err){kind, arena_strdup(a, text), kind->status, 0};
    return e;
}

const struct err_kind *err_kind_by_code(const char *code)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(kinds[i]->code, code))
            return kinds[i];
    return NULL;
}
