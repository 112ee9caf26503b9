/* A sample counts when the slower store has it, and a quantile is never below what was measured. */
#include "durable-latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static DurableLatency latency;

static int fresh(void **state) {
    (void)state;
    durable_latency_init(&latency);
    return 0;
}

static Wall at(uint64_t usec) {
    return (Wall){UINT64_C(1767254400000000) + usec};
}

static void both_acknowledge(uint64_t position, uint64_t usec) {
    durable_latency_acknowledge(&latency, STORE_ROLE_PRIMARY, position, at(usec));
    durable_latency_acknowledge(&latency, STORE_ROLE_REPLICA, position, at(usec));
}

static void assert_about(uint64_t usec, uint64_t exact_usec) {
    assert_in_range(usec, exact_usec, exact_usec + (exact_usec >> DURABLE_STEP_BITS) + 1);
}

static void a_sample_counts_when_the_slower_store_has_it(void **state) {
    (void)state;
    durable_latency_put(&latency, 10, at(0));
    durable_latency_acknowledge(&latency, STORE_ROLE_PRIMARY, 10, at(3000));
    durable_latency_acknowledge(&latency, STORE_ROLE_REPLICA, 9, at(4000));
    assert_int_equal(durable_latency_count(&latency), 0);
    durable_latency_acknowledge(&latency, STORE_ROLE_REPLICA, 10, at(7000));
    assert_int_equal(durable_latency_count(&latency), 1);
    assert_about(durable_latency_quantile(&latency, 0.5), 7000);
}

static void quantiles_split_the_samples_where_they_say(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        durable_latency_put(&latency, i, at(0));
        both_acknowledge(i, i * 1000);
    }
    assert_about(durable_latency_quantile(&latency, 0.5), 50 * 1000);
    assert_about(durable_latency_quantile(&latency, 0.99), 99 * 1000);
    assert_about(durable_latency_quantile(&latency, 1), 100 * 1000);
}

static void every_length_is_told_to_a_sixteenth_and_never_shorter(void **state) {
    (void)state;
    uint64_t position = 0;
    for (uint64_t usec = 0; usec < UINT64_C(1) << 40; usec += 1 + usec / 37) {
        durable_latency_init(&latency);
        durable_latency_put(&latency, ++position, at(0));
        both_acknowledge(position, usec);
        assert_about(durable_latency_quantile(&latency, 0.5), usec);
    }
}

static void a_reading_from_the_future_or_of_last_year_harms_nothing(void **state) {
    (void)state;
    durable_latency_put(&latency, 1, at(5000));
    both_acknowledge(1, 1000);
    assert_int_equal(durable_latency_quantile(&latency, 0.5), 0);
    durable_latency_put(&latency, 2, (Wall){0});
    both_acknowledge(2, 2000);
    assert_true(durable_latency_quantile(&latency, 1) > UINT64_C(1) << 39);
}

static void a_window_forgets_after_two_turns(void **state) {
    (void)state;
    durable_latency_put(&latency, 1, at(0));
    both_acknowledge(1, 1000);
    durable_latency_turn(&latency);
    assert_int_equal(durable_latency_count(&latency), 1);
    durable_latency_turn(&latency);
    assert_int_equal(durable_latency_count(&latency), 0);
    assert_int_equal(durable_latency_quantile(&latency, 0.5), 0);
}

static void samples_that_do_not_fit_are_left_out_and_the_ring_goes_on(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= CAPTURES_MAX + 5; i++)
        durable_latency_put(&latency, i, at(0));
    both_acknowledge(CAPTURES_MAX / 2, 10);
    durable_latency_put(&latency, CAPTURES_MAX + 10, at(0));
    both_acknowledge(CAPTURES_MAX + 10, 20);
    assert_int_equal(durable_latency_count(&latency), CAPTURES_MAX + 1);
}

static void a_store_that_begins_again_from_behind_measures_nothing_twice(void **state) {
    (void)state;
    durable_latency_put(&latency, 5, at(0));
    both_acknowledge(5, 100);
    durable_latency_acknowledge(&latency, STORE_ROLE_REPLICA, 2, at(200));
    durable_latency_put(&latency, 6, at(150));
    durable_latency_acknowledge(&latency, STORE_ROLE_PRIMARY, 6, at(300));
    assert_int_equal(durable_latency_count(&latency), 1);
    durable_latency_acknowledge(&latency, STORE_ROLE_REPLICA, 6, at(400));
    assert_int_equal(durable_latency_count(&latency), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_sample_counts_when_the_slower_store_has_it, fresh),
        cmocka_unit_test_setup(quantiles_split_the_samples_where_they_say, fresh),
        cmocka_unit_test_setup(every_length_is_told_to_a_sixteenth_and_never_shorter, fresh),
        cmocka_unit_test_setup(a_reading_from_the_future_or_of_last_year_harms_nothing, fresh),
        cmocka_unit_test_setup(a_window_forgets_after_two_turns, fresh),
        cmocka_unit_test_setup(samples_that_do_not_fit_are_left_out_and_the_ring_goes_on, fresh),
        cmocka_unit_test_setup(a_store_that_begins_again_from_behind_measures_nothing_twice, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
