// Figures: cells, their text, and the ceiling on how many there may be.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "service/metrics.h"

#define T(f) cmocka_unit_test(f)

static bool written(const char *line)
{
    BUF_HERE(out, 16 << 20);
    metrics_write(&out);
    return strstr(out.p, line) != NULL;
}

static void counts(void **state)
{
    (void)state;
    struct metric_cell *cell = metric_cell(METRIC_REQUESTS, "openai", "chat", "200", NULL);
    metric_add(cell, 2);
    metric_add(metric_cell(METRIC_REQUESTS, "openai", "chat", "200", NULL), 1);
    metric_add(metric_cell(METRIC_REQUESTS, "openai", "chat", "404", NULL), 5);
    assert_int_equal(metric_value(cell), 3);
    assert_true(written("# TYPE tf_requests_total counter\n"));
    assert_true(
        written("\ntf_requests_total{dialect=\"openai\",mode=\"chat\",status=\"200\"} 3\n"));
}

static void shows_families_without_labels_from_the_start(void **state)
{
    (void)state;
    assert_true(written("\ntf_open_streams 0\n"));
    metric_add(metric_cell(METRIC_OPEN_STREAMS, NULL), 2);
    metric_add(metric_cell(METRIC_OPEN_STREAMS, NULL), -1);
    assert_true(written("\ntf_open_streams 1\n"));
}

static void sums_up_buckets(void **state)
{
    (void)state;
    struct metric_cell *cell = metric_cell(METRIC_DURATION, "claude", "chat", NULL);
    static const int64_t took[] = {1, 5, 6, 999, 400000};
    for (size_t i = 0; i < 5; i++)
        metric_observe_ms(cell, took[i]);
    const char *name = "\ntf_request_duration_seconds_bucket{dialect=\"claude\",mode=\"chat\",le=";
    static const char *const lines[] = {"\"0.005\"} 2\n", "\"0.01\"} 3\n", "\"0.5\"} 3\n",
                                        "\"1\"} 4\n",     "\"300\"} 4\n",  "\"+Inf\"} 5\n"};
    for (size_t i = 0; i < 6; i++) {
        char line[160];
        snprintf(line, sizeof(line), "%s%s", name, lines[i]);
        assert_true(written(line));
    }
    assert_true(written("_sum{dialect=\"claude\",mode=\"chat\"} 401.011\n"));
    assert_true(written("_count{dialect=\"claude\",mode=\"chat\"} 5\n"));
}

static void escapes_values(void **state)
{
    (void)state;
    metric_add(metric_cell(METRIC_UPSTREAM_ERRORS, "a\"b\\c\nd", "x", NULL), 1);
    assert_true(written("{channel=\"a\\\"b\\\\c d\",code=\"x\"} 1\n"));
}

static int64_t seven(void)
{
    return 7;
}

static void asks_who_knows(void **state)
{
    (void)state;
    metric_read_with(METRIC_WORKER_QUEUE, seven);
    assert_true(written("\ntf_worker_queue 7\n"));
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 10000; i++)
        metric_add(metric_cell(METRIC_TOKENS, i % 2 ? "odd" : "even", NULL), 1);
    return arg;
}

static void loses_nothing_between_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, add_many, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_value(metric_cell(METRIC_TOKENS, "odd", NULL)), 20000);
    assert_int_equal(metric_value(metric_cell(METRIC_TOKENS, "even", NULL)), 20000);
}

static void does_not_grow_for_ever(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        metric_add(metric_cell(METRIC_UPSTREAM_ERRORS, text, "flood", NULL), 1);
    }
    assert_true(written("{channel=\"other\",code=\"other\"} 3"));
    assert_false(written("{channel=\"4999\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(counts),
        T(shows_families_without_labels_from_the_start),
        T(sums_up_buckets),
        T(escapes_values),
        T(asks_who_knows),
        T(loses_nothing_between_threads),
        T(does_not_grow_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
