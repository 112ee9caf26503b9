/* Counters and gauges with Prometheus' text form. Knows nothing of files or periods; runtime.c writes them
 * out.
 *
 * Values may be changed from any thread without a lock; the list is locked, for threads may make counters on
 * first use. Metrics are never removed, so a Metric pointer lives as long as its Metrics. */
#include "shell/metrics-private.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct Metric {
    Metric *next; /* in the order of printing: metrics of one name stand together */
    char *name, *help, *labels;
    bool is_gauge;
    _Atomic uint64_t count;
    _Atomic double level;
};

struct Metrics {
    pthread_mutex_t lock;
    char *common_labels;
    Metric *first;
};

static void *must(void *memory) {
    if (!memory) {
        fputs("out of memory for a counter\n", stderr);
        abort();
    }
    return memory;
}

int metrics_new(const char *common_labels, Metrics **ret) {
    Metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return -ENOMEM;
    metrics->common_labels = must(strdup(common_labels));
    pthread_mutex_init(&metrics->lock, NULL);
    *ret = metrics;
    return 0;
}

Metrics *metrics_free(Metrics *metrics) {
    if (!metrics)
        return NULL;
    while (metrics->first) {
        Metric *metric = metrics->first;
        metrics->first = metric->next;
        free(metric->name);
        free(metric->help);
        free(metric->labels);
        free(metric);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics->common_labels);
    free(metrics);
    return NULL;
}

/* The place of (name, labels): the metric itself, or where it has to be inserted so that its name's block
 * stays whole. */
static Metric **find_place(Metrics *metrics, const char *name, const char *labels, bool *ret_found) {
    Metric **at = &metrics->first;
    Metric **after_block = NULL;

    *ret_found = false;
    for (; *at; at = &(*at)->next) {
        if (strcmp((*at)->name, name) != 0)
            continue;
        if (strcmp((*at)->labels, labels) == 0) {
            *ret_found = true;
            return at;
        }
        after_block = &(*at)->next;
    }
    return after_block ? after_block : at;
}

static Metric *find_or_make(Metrics *metrics, const char *name, const char *help, const char *labels,
                            bool is_gauge) {
    bool found;
    pthread_mutex_lock(&metrics->lock);
    Metric **place = find_place(metrics, name, labels, &found);
    if (!found) {
        Metric *metric = must(calloc(1, sizeof *metric));
        metric->name = must(strdup(name));
        metric->help = must(strdup(help));
        metric->labels = must(strdup(labels));
        metric->is_gauge = is_gauge;
        metric->next = *place;
        *place = metric;
    }
    Metric *metric = *place;
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

Metric *metrics_counter(Metrics *metrics, const char *name, const char *help, const char *labels) {
    return find_or_make(metrics, name, help, labels, false);
}

Metric *metrics_gauge(Metrics *metrics, const char *name, const char *help, const char *labels) {
    return find_or_make(metrics, name, help, labels, true);
}

void metric_add(Metric *metric, uint64_t n) {
    atomic_fetch_add_explicit(&metric->count, n, memory_order_relaxed);
}

void metric_set(Metric *metric, double value) {
    atomic_store_explicit(&metric->level, value, memory_order_relaxed);
}

double metric_value(const Metric *metric) {
    return metric->is_gauge ? atomic_load_explicit(&metric->level, memory_order_relaxed)
                            : (double)atomic_load_explicit(&metric->count, memory_order_relaxed);
}

static void print_help(FILE *out, const Metric *metric) {
    fprintf(out, "# HELP %s ", metric->name);
    for (const char *c = metric->help; *c; c++) {
        if (*c == '\\')
            fputs("\\\\", out);
        else if (*c == '\n')
            fputs("\\n", out);
        else
            fputc(*c, out);
    }
    fprintf(out, "\n# TYPE %s %s\n", metric->name, metric->is_gauge ? "gauge" : "counter");
}

static void print_sample(FILE *out, const Metrics *metrics, const Metric *metric) {
    const char *common = metrics->common_labels, *own = metric->labels;

    fputs(metric->name, out);
    if (*common || *own)
        fprintf(out, "{%s%s%s}", common, *common && *own ? "," : "", own);
    if (metric->is_gauge)
        fprintf(out, " %.17g\n", metric_value(metric));
    else
        fprintf(out, " %" PRIu64 "\n", atomic_load_explicit(&metric->count, memory_order_relaxed));
}

void metrics_print(FILE *out, const Metrics *metrics) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&metrics->lock;
    const char *name = "";

    pthread_mutex_lock(lock);
    for (const Metric *metric = metrics->first; metric; metric = metric->next) {
        if (strcmp(metric->name, name) != 0)
            print_help(out, metric);
        name = metric->name;
        print_sample(out, metrics, metric);
    }
    pthread_mutex_unlock(lock);
}
