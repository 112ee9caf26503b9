/* Counters, gauges and histograms of a process, by Prometheus rules (names end in _total, _seconds, _bytes; no ids as
 * labels), written every 5 s to RUNTIME_DIR/metrics/SERVICE.prom for node_exporter's textfile collector when
 * that directory exists. */
#pragma once

#include <stdint.h>
#include <stdio.h>

typedef struct Metrics Metrics;
typedef struct Metric Metric;

/* The counter of this name and labels (`labels` as Prometheus text, e.g. "link=\"broker\",reason=\"stale\"",
 * or ""), made on first use; the same pointer every time. `help` is kept from the first. Never NULL: out of
 * memory ends the process. */
Metric *metrics_counter(Metrics *metrics, const char *name, const char *help, const char *labels);
Metric *metrics_gauge(Metrics *metrics, const char *name, const char *help, const char *labels);

/* Of durations, whose name ends in _seconds: four buckets for each doubling from 64 us to 16.8 s, counted since the
 * process began. */
Metric *metrics_histogram(Metrics *metrics, const char *name, const char *help, const char *labels);

void metric_add(Metric *metric, uint64_t n);
void metric_set(Metric *metric, double value);
void metric_observe(Metric *histogram, uint64_t usec);

/* Of a histogram: how many durations. */
double metric_value(const Metric *metric);

/* The text exposition format. */
void metrics_print(FILE *out, const Metrics *metrics);
