// Cells live in a list per family that only ever grows; readers walk it without a lock.

#include "service/metrics.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"

enum metric_type { COUNTER, GAUGE, HISTOGRAM };
enum { LABELS = 4, CELLS_MAX = 2000, BUCKETS = 14, CACHE_LINE = 64 };

// Upper ends of the buckets, and how they are written.
static const int64_t bucket_ms[BUCKETS] = {5,    10,   25,   50,    100,   250,   500,
                                           1000, 2500, 5000, 10000, 30000, 60000, 300000};
static const char *const bucket_text[BUCKETS] = {"0.005", "0.01", "0.025", "0.05", "0.1",
                                                 "0.25",  "0.5",  "1",     "2.5",  "5",
                                                 "10",    "30",   "60",    "300"};

static const struct {
    const char *name, *labels, *help;
    enum metric_type type;
} families[METRIC_COUNT] = {
#define METRIC(name_, type_, exported, labels_, help_) {exported, labels_, help_, type_},
#include "service/metrics.def"
#undef METRIC
};

struct metric_cell {
    alignas(CACHE_LINE) _Atomic int64_t value; // a histogram's sum, in ms
    _Atomic int64_t buckets[BUCKETS + 1];      // the last one has no end
    const char *values[LABELS];
    const char *labels; // `a="x",b="y"`
    enum metric_type type;
    struct metric_cell *next;
};

static _Atomic(struct metric_cell *) cells[METRIC_COUNT];
static int counts[METRIC_COUNT];
static int64_t (*readers[METRIC_COUNT])(void);
static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;

static void put_value(struct buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_add(out, "\\", 1);
        buf_add(out, *value == '\n' ? " " : value, 1);
    }
}

static void put_labels(struct buf *out, const char *names, const char *const *values)
{
    struct str rest = str_of(names), name;
    for (int i = 0; str_next(&rest, ',', &name); i++) {
        buf_printf(out, "%s%.*s=\"", i ? "," : "", STR_ARGS(name));
        put_value(out, values[i]);
        buf_puts(out, "\"");
    }
}

static bool same_values(const char *const *a, const char *const *b)
{
    for (int i = 0; i < LABELS; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

static struct metric_cell *find(enum metric family, const char *const *values)
{
    struct metric_cell *c = atomic_load_explicit(&cells[family], memory_order_acquire);
    while (c && !same_values(c->values, values))
        c = c->next;
    return c;
}

// Under the lock.
static struct metric_cell *add(enum metric family, const char *const *values)
{
    BUF_HERE(labels, 8192);
    struct metric_cell *c = aligned_alloc(CACHE_LINE, sizeof(*c));
    if (!c)
        abort();
    memset(c, 0, sizeof(*c));
    for (int i = 0; i < LABELS; i++)
        c->values[i] = mem_strdup(values[i]);
    put_labels(&labels, families[family].labels, values);
    c->labels = mem_strdup(labels.p);
    c->type = families[family].type;
    c->next = atomic_load(&cells[family]);
    counts[family]++;
    atomic_store_explicit(&cells[family], c, memory_order_release);
    return c;
}

static struct metric_cell *intern(enum metric family, const char *const *values)
{
    static const char *const others[LABELS] = {"other", "other", "other", "other"};
    pthread_mutex_lock(&growing);
    if (counts[family] >= CELLS_MAX)
        values = others;
    struct metric_cell *c = find(family, values);
    if (!c)
        c = add(family, values);
    pthread_mutex_unlock(&growing);
    return c;
}

struct metric_cell *metric_cell(enum metric family, ...)
{
    const char *values[LABELS] = {"", "", "", ""}, *value;
    va_list args;
    va_start(args, family);
    for (int i = 0; (value = va_arg(args, const char *)); i++)
        if (i < LABELS)
            values[i] = value;
    va_end(args);
    struct metric_cell *c = find(family, values);
    return c ? c : intern(family, values);
}

void metric_add(struct metric_cell *cell, int64_t n)
{
    atomic_fetch_add_explicit(&cell->value, n, memory_order_relaxed);
}

void metric_set(struct metric_cell *cell, int64_t n)
{
    atomic_store_explicit(&cell->value, n, memory_order_relaxed);
}

void metric_observe_ms(struct metric_cell *cell, int64_t ms)
{
    int i = 0;
    while (i < BUCKETS && ms > bucket_ms[i])
        i++;
    atomic_fetch_add_explicit(&cell->buckets[i], 1, memory_order_relaxed);
    metric_add(cell, ms);
}

int64_t metric_value(const struct metric_cell *cell)
{
    if (cell->type != HISTOGRAM)
        return atomic_load_explicit(&cell->value, memory_order_relaxed);
    int64_t sum = 0;
    for (int i = 0; i <= BUCKETS; i++)
        sum += atomic_load_explicit(&cell->buckets[i], memory_order_relaxed);
    return sum;
}

void metric_read_with(enum metric family, int64_t (*read)(void))
{
    readers[family] = read;
}

static void write_histogram(struct buf *out, const char *name, const struct metric_cell *c)
{
    const char *comma = *c->labels ? "," : "";
    int64_t sum = 0;
    for (int i = 0; i <= BUCKETS; i++) {
        sum += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", name, c->labels, comma,
                   i < BUCKETS ? bucket_text[i] : "+Inf", (long long)sum);
    }
    double seconds = (double)atomic_load_explicit(&c->value, memory_order_relaxed) / 1000;
    buf_printf(out, "%s_sum{%s} %.3f\n", name, c->labels, seconds);
    buf_printf(out, "%s_count{%s} %lld\n", name, c->labels, (long long)sum);
}

static void write_plain(struct buf *out, const char *name, const char *labels, int64_t value)
{
    if (*labels)
        buf_printf(out, "%s{%s} %lld\n", name, labels, (long long)value);
    else
        buf_printf(out, "%s %lld\n", name, (long long)value);
}

static void write_family(struct buf *out, enum metric family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const char *name = families[family].name;
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, families[family].help, name,
               types[families[family].type]);
    if (readers[family]) {
        write_plain(out, name, "", readers[family]());
        return;
    }
    if (!*families[family].labels)
        metric_cell(family, NULL); // so that it is there from the start
    for (struct metric_cell *c = atomic_load(&cells[family]); c; c = c->next) {
        if (c->type == HISTOGRAM)
            write_histogram(out, name, c);
        else
            write_plain(out, name, c->labels, metric_value(c));
    }
}

void metrics_write(struct buf *out)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        write_family(out, (enum metric)i);
}
