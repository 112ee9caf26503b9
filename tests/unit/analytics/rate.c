/* The last ten full seconds, no more and no less. */
#include "rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Mono at(double sec) {
    return (Mono){usec_from_sec(1000 + sec)};
}

static void count_times(Rate *rate, int n, double sec) {
    for (int i = 0; i < n; i++)
        rate_count(rate, at(sec));
}

static void assert_rate(const Rate *rate, double sec, double expected) {
    assert_true(rate_per_sec(rate, at(sec)) == expected);
}

static void the_second_that_goes_on_does_not_count_yet(void **state) {
    (void)state;
    Rate rate = {0};
    count_times(&rate, 20, 0.5);
    assert_rate(&rate, 0.9, 0);
    assert_rate(&rate, 1.0, 2);
}

static void a_second_counts_for_ten_seconds_and_then_no_longer(void **state) {
    (void)state;
    Rate rate = {0};
    count_times(&rate, 20, 0.5);
    assert_rate(&rate, 10.999, 2);
    assert_rate(&rate, 11.0, 0);
}

static void a_steady_stream_has_its_rate(void **state) {
    (void)state;
    Rate rate = {0};
    for (int second = 0; second < 60; second++)
        count_times(&rate, 30, second + 0.5);
    assert_rate(&rate, 60, 30);
}

static void after_a_pause_old_seconds_do_not_come_back(void **state) {
    (void)state;
    Rate rate = {0};
    count_times(&rate, 20, 0);
    count_times(&rate, 10, 11); /* the same place of the ring */
    assert_rate(&rate, 12, 1);
    count_times(&rate, 10, 1000);
    assert_rate(&rate, 1001, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_that_goes_on_does_not_count_yet),
        cmocka_unit_test(a_second_counts_for_ten_seconds_and_then_no_longer),
        cmocka_unit_test(a_steady_stream_has_its_rate),
        cmocka_unit_test(after_a_pause_old_seconds_do_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
