// Quota arithmetic in 128 bits, rounded once.

#include "service/pricing.h"

#include <math.h>

#include "common/arena.h"

typedef unsigned __int128 wide;

bool price_micro(double value, int64_t *out)
{
    if (!isfinite(value) || value < 0 || value > (double)RATIO_MAX / MICRO)
        return false;
    *out = llround(value * MICRO);
    return true;
}

bool price_counts_fit(const struct price_usage *u)
{
    const int64_t counts[] = {u->prompt, u->cache_read, u->cache_write_5m, u->cache_write_1h,
                              u->completion};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        if (counts[i] < 0 || counts[i] > TOKENS_MAX)
            return false;
    return true;
}

// Tokens weighed by their ratios, in millionths: below 2^43 x 2^37 x 5.
static wide units_of(const struct price *p, const struct price_usage *u)
{
    return (wide)u->prompt * MICRO + (wide)u->cache_read * (wide)p->cache_ratio +
           (wide)u->cache_write_5m * (wide)p->create_ratio +
           (wide)u->cache_write_1h * (wide)p->create_1h_ratio +
           (wide)u->completion * (wide)p->completion_ratio;
}

// v / scale, half up.
static bool rounded(wide v, wide scale, int64_t *out)
{
    wide q = v / scale + (v % scale >= (scale + 1) / 2 ? 1 : 0);
    *out = (int64_t)q;
    return q <= INT64_MAX / 2;
}

struct err *price_quota(struct arena *a, const struct price *p, int64_t group_ratio,
                        const struct price_usage *u, int64_t *quota)
{
    const wide micro = MICRO;
    bool fits;
    if (!price_counts_fit(u))
        return err_new(a, &err_price_overflow, "token count out of range");
    if (p->per_call) {
        wide v = (wide)p->call_price * QUOTA_PER_USD * (wide)group_ratio;
        fits = rounded(v, micro * micro, quota);
        if (*quota == 0 && v != 0)
            *quota = 1;
    } else {
        wide units = units_of(p, u), factor = (wide)p->model_ratio * (wide)group_ratio;
        if (factor && units > ~(wide)0 / factor)
            return err_new(a, &err_price_overflow, "price out of range");
        fits = rounded(units * factor, micro * micro * micro, quota);
        if (*quota == 0 && units != 0 && factor != 0)
            *quota = 1;
    }
    return fits ? NULL : err_new(a, &err_price_overflow, "price out of range");
}

// Millionths as a decimal, without printf: every log row holds a few.
static void put_ratio(struct json *j, const char *key, int64_t micro)
{
    char text[32], *p = text + sizeof(text);
    int64_t whole = micro / MICRO, rest = micro % MICRO;
    bool begun = false;
    for (int i = 0; i < 6; i++, rest /= 10) {
        begun = begun || rest % 10;
        if (begun)
            *--p = (char)('0' + rest % 10);
    }
    if (begun)
        *--p = '.';
    do {
        *--p = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole);
    json_raw(j, key, (struct str){p, (size_t)(text + sizeof(text) - p)});
}

// A class of tokens with a price of its own; nothing where there were none.
static void put_class(struct json *j, const char *count_key, int64_t count, const char *ratio_key,
                      int64_t ratio)
{
    if (!count)
        return;
    json_int(j, count_key, count);
    put_ratio(j, ratio_key, ratio);
}

void price_explain(struct json *j, const struct price *p, int64_t group_ratio,
                   const struct price_usage *u)
{
    put_ratio(j, "group_ratio", group_ratio);
    if (p->per_call) {
        put_ratio(j, "model_price", p->call_price);
        return;
    }
    put_ratio(j, "model_ratio", p->model_ratio);
    put_ratio(j, "completion_ratio", p->completion_ratio);
    json_int(j, "input_tokens", u->prompt);
    put_class(j, "cache_tokens", u->cache_read, "cache_ratio", p->cache_ratio);
    put_class(j, "cache_creation_tokens_5m", u->cache_write_5m, "cache_creation_ratio_5m",
              p->create_ratio);
    put_class(j, "cache_creation_tokens_1h", u->cache_write_1h, "cache_creation_ratio_1h",
              p->create_1h_ratio);
}
