/* Counters, gauges and histograms with Prometheus' text form. Knows nothing of files or periods; runtime.c writes them
 * out.
 *
 * Values may be changed from any thread without a lock; the list is locked, for threads may make counters on
 * first use. Metrics are never removed, so a Metric pointer lives as long as its Metrics. */
#include "shell/metrics-private.h"

#include "base/log-buckets.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP_BITS = 2,
    FIRST_BUCKET = 19, /* of log_bucket_of(): up to 64 us */
    LAST_BUCKET = 91,  /* up to 2^24 us; what took longer is in the sum of all alone */
    BUCKETS = LAST_BUCKET - FIRST_BUCKET + 1
};

typedef enum MetricType { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_TYPE_COUNT } MetricType;
static const char *const type_words[METRIC_TYPE_COUNT] = {"counter", "gauge", "histogram"};

typedef struct Durations {
    _Atomic uint64_t sum_usec;
    _Atomic uint64_t n[BUCKETS];
} Durations;

struct Metric {
    Metric *next; /* in the order of printing: metrics of one name stand together */
    char *name, *help, *labels;
    MetricType type;
    _Atomic uint64_t count;
    _Atomic double level;
    Durations *durations; /* of a histogram */
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
        free(metric->durations);
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
                            MetricType type) {
    bool found;
    pthread_mutex_lock(&metrics->lock);
    Metric **place = find_place(metrics, name, labels, &found);
    if (!found) {
        Metric *metric = must(calloc(1, sizeof *metric));
        metric->name = must(strdup(name));
        metric->help = must(strdup(help));
        metric->labels = must(strdup(labels));
        metric->type = type;
        if (type == METRIC_HISTOGRAM)
            metric->durations = must(calloc(1, sizeof *metric->durations));
        metric->next = *place;
        *place = metric;
    }
    Metric *metric = *place;
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

Metric *metrics_counter(Metrics *metrics, const char *name, const char *help, const char *labels) {
    return find_or_make(metrics, name, help, labels, METRIC_COUNTER);
}

Metric *metrics_gauge(Metrics *metrics, const char *name, const char *help, const char *labels) {
    return find_or_make(metrics, name, help, labels, METRIC_GAUGE);
}

Metric *metrics_histogram(Metrics *metrics, const char *name, const char *help, const char *labels) {
    return find_or_make(metrics, name, help, labels, METRIC_HISTOGRAM);
}

void metric_add(Metric *metric, uint64_t n) {
    atomic_fetch_add_explicit(&metric->count, n, memory_order_relaxed);
}

void metric_set(Metric *metric, double value) {
    atomic_store_explicit(&metric->level, value, memory_order_relaxed);
}

void metric_observe(Metric *histogram, uint64_t usec) {
    Durations *durations = histogram->durations;
    size_t bucket = log_bucket_of(usec > 0 ? usec - 1 : 0, STEP_BITS); /* a bucket holds its upper bound */
    if (bucket <= LAST_BUCKET)
        atomic_fetch_add_explicit(&durations->n[bucket > FIRST_BUCKET ? bucket - FIRST_BUCKET : 0], 1,
                                  memory_order_relaxed);
    atomic_fetch_add_explicit(&durations->sum_usec, usec, memory_order_relaxed);
    metric_add(histogram, 1);
}

double metric_value(const Metric *metric) {
    return metric->type == METRIC_GAUGE ? atomic_load_explicit(&metric->level, memory_order_relaxed)
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
    fprintf(out, "\n# TYPE %s %s\n", metric->name, type_words[metric->type]);
}

/* The name and the labels of a sample; `own` are labels, too. */
static void print_name(FILE *out, const Metrics *metrics, const Metric *metric, const char *suffix,
                       const char *own) {
    const char *labels[] = {metrics->common_labels, metric->labels, own};
    char before = '{';
    fprintf(out, "%s%s", metric->name, suffix);
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        if (*labels[i]) {
            fprintf(out, "%c%s", before, labels[i]);
            before = ',';
        }
    if (before == ',')
        fputc('}', out);
}

static double sec_from_usec(uint64_t usec) {
    return (double)usec / (double)USEC_PER_SEC;
}

/* The count of all is read first and the buckets add up to no more, whatever other threads count meanwhile. */
static void print_histogram(FILE *out, const Metrics *metrics, const Metric *metric) {
    const Durations *durations = metric->durations;
    uint64_t n_all = atomic_load_explicit(&metric->count, memory_order_relaxed), n = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        char bound[48] = "le=\"+Inf\"";
        if (i < BUCKETS) {
            (void)snprintf(bound, sizeof bound, "le=\"%.9g\"",
                           sec_from_usec(log_bucket_end(FIRST_BUCKET + i, STEP_BITS) + 1));
            n += atomic_load_explicit(&durations->n[i], memory_order_relaxed);
        }
        print_name(out, metrics, metric, "_bucket", bound);
        fprintf(out, " %" PRIu64 "\n", i < BUCKETS && n < n_all ? n : n_all);
    }
    print_name(out, metrics, metric, "_sum", "");
    fprintf(out, " %.17g\n", sec_from_usec(atomic_load_explicit(&durations->sum_usec, memory_order_relaxed)));
    print_name(out, metrics, metric, "_count", "");
    fprintf(out, " %" PRIu64 "\n", n_all);
}

static void print_sample(FILE *out, const Metrics *metrics, const Metric *metric) {
    if (metric->type == METRIC_HISTOGRAM) {
        print_histogram(out, metrics, metric);
        return;
    }
    print_name(out, metrics, metric, "", "");
    if (metric->type == METRIC_GAUGE)
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
