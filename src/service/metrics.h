// Counters, gauges and histograms, written as Prometheus text.
//
// A family is a row of metrics.def; a cell is one set of label values of it. Whoever counts fetches
// its cell once and keeps it: counting is then one relaxed atomic addition, from any thread.
//
//     static _Thread_local struct metric_cell *cell;   // or a member of what lives long
//     cell = metric_cell(METRIC_REQUESTS, "openai", "chat", "200", NULL);
//     metric_add(cell, 1);

#pragma once
#include <stdint.h>

struct buf;
struct metric_cell;

enum metric {
#define METRIC(name, type, exported, labels, help) METRIC_##name,
#include "service/metrics.def"
#undef METRIC
    METRIC_COUNT
};

// Interns: takes a lock the first time, lives for ever. One value per label, in the order of the
// row; NULL ends the list. A family that has too many cells answers one whose values are "other".
struct metric_cell *metric_cell(enum metric family, ...) __attribute__((sentinel));

void metric_add(struct metric_cell *cell, int64_t n); // counters; gauges also with negative n
void metric_set(struct metric_cell *cell, int64_t n); // gauges
void metric_observe_ms(struct metric_cell *cell, int64_t ms); // histograms

int64_t metric_value(const struct metric_cell *cell); // of a counter or gauge; a histogram's count

// A gauge or counter without labels that is read when somebody asks.
void metric_read_with(enum metric family, int64_t (*read)(void));

void metrics_write(struct buf *out); // text/plain; version=0.0.4
