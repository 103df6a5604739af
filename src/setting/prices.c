// USD per million tokens into ratios: 1 is 2 USD per million input tokens.

#include "setting/prices.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/json.h"

static const struct {
    const char *name;
    double input, output, read, write_5m, write_1h;
} rows[] = {
#define MODEL(name, input, output, read, write_5m, write_1h)                                       \
    {name, input, output, read, write_5m, write_1h},
#include "setting/prices.def"
#undef MODEL
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

static struct {
    const char *model, *completion, *cache, *create, *create_1h;
} maps;

// Six digits behind the point at most, as price arithmetic keeps them.
static void put_ratio(struct json *j, const char *name, double ratio)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%.6f", ratio);
    while (text[n - 1] == '0')
        n--;
    n -= text[n - 1] == '.';
    json_raw(j, name, (struct str){text, (size_t)n});
}

// {"model": of / by}, without the models that have no such price.
static const char *map_of(size_t of, size_t by)
{
    BUF_HERE(out, 1 << 20);
    struct json j = {.out = &out};
    json_obj(&j, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        double price = *(const double *)((const char *)&rows[i] + of);
        double base = by ? *(const double *)((const char *)&rows[i] + by) : 2;
        if (price > 0)
            put_ratio(&j, rows[i].name, price / base);
    }
    json_end(&j);
    return mem_strdup(out.p);
}

static void make(void)
{
    enum {
        INPUT = offsetof(__typeof__(rows[0]), input),
        OUTPUT = offsetof(__typeof__(rows[0]), output),
        READ = offsetof(__typeof__(rows[0]), read),
        WRITE_5M = offsetof(__typeof__(rows[0]), write_5m),
        WRITE_1H = offsetof(__typeof__(rows[0]), write_1h),
    };
    maps.model = map_of(INPUT, 0);
    maps.completion = map_of(OUTPUT, INPUT);
    maps.cache = map_of(READ, INPUT);
    maps.create = map_of(WRITE_5M, INPUT);
    maps.create_1h = map_of(WRITE_1H, INPUT);
}

void prices_default(struct settings *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make);
    s->ratio.model_ratio = maps.model;
    s->ratio.completion_ratio = maps.completion;
    s->ratio.cache_ratio = maps.cache;
    s->ratio.create_cache_ratio = maps.create;
    s->ratio.create_cache_1h_ratio = maps.create_1h;
}
