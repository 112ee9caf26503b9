/* Counters, gauges and histograms, and the text that node_exporter reads. */
#include "shell/metrics-private.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Metrics *make(const char *common_labels) {
    Metrics *metrics = NULL;
    assert_int_equal(metrics_new(common_labels, &metrics), 0);
    return metrics;
}

static void assert_prints(const Metrics *metrics, const char *expected) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    metrics_print(out, metrics);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void the_same_name_and_labels_are_the_same_counter(void **state) {
    (void)state;
    Metrics *metrics = make("");
    Metric *a = metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"a\"");
    assert_ptr_equal(metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"a\""), a);
    assert_ptr_not_equal(metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"b\""), a);
    metric_add(a, 2);
    metric_add(a, 3);
    assert_true(metric_value(a) == 5);
    metrics_free(metrics);
}

static void metrics_of_one_name_stand_together_under_one_help(void **state) {
    (void)state;
    Metrics *metrics = make("");
    metric_add(metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"a\""), 1);
    metric_set(metrics_gauge(metrics, "traffic_age_seconds", "Age.", ""), 0.5);
    metric_add(metrics_counter(metrics, "traffic_x_total", "another help", "kind=\"b\""), 2);
    assert_prints(metrics, "# HELP traffic_x_total X.\n"
                           "# TYPE traffic_x_total counter\n"
                           "traffic_x_total{kind=\"a\"} 1\n"
                           "traffic_x_total{kind=\"b\"} 2\n"
                           "# HELP traffic_age_seconds Age.\n"
                           "# TYPE traffic_age_seconds gauge\n"
                           "traffic_age_seconds 0.5\n");
    metrics_free(metrics);
}

static void the_service_label_stands_before_the_own_ones(void **state) {
    (void)state;
    Metrics *metrics = make("service=\"traffic-store@primary\"");
    metric_add(metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"a\""), 1);
    metric_add(metrics_counter(metrics, "traffic_y_total", "Y.", ""), 1);
    assert_prints(metrics, "# HELP traffic_x_total X.\n"
                           "# TYPE traffic_x_total counter\n"
                           "traffic_x_total{service=\"traffic-store@primary\",kind=\"a\"} 1\n"
                           "# HELP traffic_y_total Y.\n"
                           "# TYPE traffic_y_total counter\n"
                           "traffic_y_total{service=\"traffic-store@primary\"} 1\n");
    metrics_free(metrics);
}

static void help_is_escaped(void **state) {
    (void)state;
    Metrics *metrics = make("");
    metrics_counter(metrics, "traffic_x_total", "a\\b\nc", "");
    assert_prints(metrics,
                  "# HELP traffic_x_total a\\\\b\\nc\n# TYPE traffic_x_total counter\ntraffic_x_total 0\n");
    metrics_free(metrics);
}

static void large_counts_are_printed_exactly(void **state) {
    (void)state;
    Metrics *metrics = make("");
    metric_add(metrics_counter(metrics, "traffic_x_total", "X.", ""), UINT64_C(9007199254740993));
    assert_prints(
        metrics,
        "# HELP traffic_x_total X.\n# TYPE traffic_x_total counter\ntraffic_x_total 9007199254740993\n");
    metrics_free(metrics);
}

static void *count_100000(void *metrics) {
    for (unsigned i = 0; i < 100000; i++)
        metric_add(metrics_counter(metrics, "traffic_x_total", "X.", i % 2 ? "kind=\"a\"" : "kind=\"b\""), 1);
    return NULL;
}

static void threads_count_without_losing_any(void **state) {
    (void)state;
    Metrics *metrics = make("");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count_100000, metrics);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(metric_value(metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"a\"")) == 200000);
    assert_true(metric_value(metrics_counter(metrics, "traffic_x_total", "X.", "kind=\"b\"")) == 200000);
    metrics_free(metrics);
}

/* What the text says of a sample; -1 when it is not there. */
static double sample(const char *text, const char *name_and_labels) {
    const char *line = strstr(text, name_and_labels);
    return line ? strtod(line + strlen(name_and_labels), NULL) : -1;
}

static void histogram_counts_durations_up_to_each_bound(void **state) {
    (void)state;
    Metrics *metrics = make("service=\"x\"");
    Metric *wait = metrics_histogram(metrics, "traffic_wait_seconds", "Wait.", "stage=\"a\"");
    static const uint64_t durations_usec[] = {0, 64, 65, 80, 1000, 16777216, 16777217};
    for (size_t i = 0; i < sizeof durations_usec / sizeof *durations_usec; i++)
        metric_observe(wait, durations_usec[i]);
    assert_true(metric_value(wait) == 7);

    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    metrics_print(out, metrics);
    fclose(out);
    assert_non_null(strstr(text, "# TYPE traffic_wait_seconds histogram\n"));
#define BUCKET(le) "traffic_wait_seconds_bucket{service=\"x\",stage=\"a\",le=\"" le "\"} "
    assert_true(sample(text, BUCKET("6.4e-05")) == 2);
    assert_true(sample(text, BUCKET("8e-05")) == 4);
    assert_true(sample(text, BUCKET("0.000896")) == 4);
    assert_true(sample(text, BUCKET("0.001024")) == 5);
    assert_true(sample(text, BUCKET("16.777216")) == 6);
    assert_true(sample(text, BUCKET("+Inf")) == 7);
#undef BUCKET
    assert_true(sample(text, "traffic_wait_seconds_sum{service=\"x\",stage=\"a\"} ") == 33.555642);
    assert_true(sample(text, "traffic_wait_seconds_count{service=\"x\",stage=\"a\"} ") == 7);
    free(text);
    metrics_free(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_name_and_labels_are_the_same_counter),
        cmocka_unit_test(metrics_of_one_name_stand_together_under_one_help),
        cmocka_unit_test(the_service_label_stands_before_the_own_ones),
        cmocka_unit_test(help_is_escaped),
        cmocka_unit_test(large_counts_are_printed_exactly),
        cmocka_unit_test(histogram_counts_durations_up_to_each_bound),
        cmocka_unit_test(threads_count_without_losing_any),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
