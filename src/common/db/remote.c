// Values and messages as servers send them.

#include "common/db/remote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/str.h"

const char *without_quoted(struct arena *a, const char *message, char quote)
{
    const char *first = strchr(message, quote), *last = strrchr(message, quote);
    if (!first || first == last)
        return arena_strdup(a, message);
    return arena_printf(a, "%.*s...%s", (int)(first - message) + 1, message, last);
}

bool number_of_int(int64_t n, struct field_value *v)
{
    if (v->type == FIELD_REAL)
        v->r = (double)n;
    else
        v->i = n;
    return v->type != FIELD_INT || (n >= INT32_MIN && n <= INT32_MAX);
}

bool number_of_real(double r, struct field_value *v)
{
    if (v->type == FIELD_REAL) {
        v->r = r;
        return isfinite(r);
    }
    return r == floor(r) && fabs(r) <= 9007199254740992.0 && number_of_int((int64_t)r, v);
}

// Decimals of which nothing but zeros remains: "14.000".
static struct str without_zeros(struct str text)
{
    const char *point = memchr(text.p, '.', text.n);
    if (!point)
        return text;
    size_t n = text.n;
    while (text.p[n - 1] == '0')
        n--;
    return text.p + n - 1 == point ? (struct str){text.p, n - 1} : text;
}

static bool real_of(struct str text, double *out)
{
    char copy[400], *end; // the longest decimal that a double holds has 309 digits
    if (!text.n || text.n >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *out = strtod(copy, &end);
    return !*end;
}

bool number_of(struct str text, struct field_value *v)
{
    int64_t n;
    double r;
    if (v->type != FIELD_REAL && str_to_int(without_zeros(text), &n))
        return number_of_int(n, v);
    return real_of(text, &r) && (v->type == FIELD_REAL || memchr(text.p, 'e', text.n)) &&
           number_of_real(r, v);
}
