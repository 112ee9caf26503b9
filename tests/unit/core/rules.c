/* The rules at both sides of each number, and what absent readings mean. */
#include "core/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const RuleThresholds limits = {
    .congestion_queue_min = 10,
    .congestion_speed_max_kmh = 20,
    .congestion_count_min = 40,
    .normal_queue_below = 5,
    .normal_speed_above_kmh = 35,
    .normal_count_below = 20,
};

static Readings queue(double value) {
    return (Readings){.has_queue = true, .queue_vehicles = value};
}

static Readings speed(double value) {
    return (Readings){.has_speed = true, .speed_kmh = value};
}

static Readings count(double value) {
    return (Readings){.has_count = true, .count_per_30sec = value};
}

static Readings all(double q, double vp, double d) {
    return (Readings){.has_queue = true,
                      .queue_vehicles = q,
                      .has_speed = true,
                      .speed_kmh = vp,
                      .has_count = true,
                      .count_per_30sec = d};
}

static void assert_verdict(Readings readings, RuleVerdict expected) {
    assert_int_equal(rules_judge(&limits, &readings), expected);
}

static void a_queue_is_congestion_from_ten_and_normal_below_five(void **state) {
    (void)state;
    assert_verdict(queue(10), VERDICT_CONGESTED);
    assert_verdict(queue(9.999), VERDICT_UNDECIDED);
    assert_verdict(queue(5), VERDICT_UNDECIDED);
    assert_verdict(queue(4.999), VERDICT_NORMAL);
}

static void a_speed_is_congestion_up_to_twenty_and_normal_above_thirty_five(void **state) {
    (void)state;
    assert_verdict(speed(20), VERDICT_CONGESTED);
    assert_verdict(speed(20.001), VERDICT_UNDECIDED);
    assert_verdict(speed(35), VERDICT_UNDECIDED);
    assert_verdict(speed(35.001), VERDICT_NORMAL);
}

static void a_count_is_congestion_from_forty_and_normal_below_twenty(void **state) {
    (void)state;
    assert_verdict(count(40), VERDICT_CONGESTED);
    assert_verdict(count(39.999), VERDICT_UNDECIDED);
    assert_verdict(count(20), VERDICT_UNDECIDED);
    assert_verdict(count(19.999), VERDICT_NORMAL);
}

static void one_congested_reading_outweighs_two_normal_ones(void **state) {
    (void)state;
    assert_verdict(all(10, 50, 0), VERDICT_CONGESTED);
    assert_verdict(all(0, 20, 0), VERDICT_CONGESTED);
    assert_verdict(all(0, 50, 40), VERDICT_CONGESTED);
}

static void one_reading_in_between_keeps_two_normal_ones_from_being_normal(void **state) {
    (void)state;
    assert_verdict(all(0, 50, 0), VERDICT_NORMAL);
    assert_verdict(all(7, 50, 0), VERDICT_UNDECIDED);
    assert_verdict(all(0, 30, 0), VERDICT_UNDECIDED);
    assert_verdict(all(0, 50, 30), VERDICT_UNDECIDED);
}

static void without_any_reading_nothing_is_known(void **state) {
    (void)state;
    assert_verdict((Readings){0}, VERDICT_UNDECIDED);
}

static void the_value_of_an_absent_reading_does_not_count(void **state) {
    (void)state;
    Readings readings = all(100, 50, 100);
    readings.has_queue = readings.has_count = false;
    assert_verdict(readings, VERDICT_NORMAL);
}

static void a_count_is_brought_to_thirty_seconds(void **state) {
    (void)state;
    assert_true(rules_count_per_30sec(9, 30) == 9);
    assert_true(rules_count_per_30sec(9, 10) == 27);
    assert_true(rules_count_per_30sec(4800, 3600) == 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_congestion_from_ten_and_normal_below_five),
        cmocka_unit_test(a_speed_is_congestion_up_to_twenty_and_normal_above_thirty_five),
        cmocka_unit_test(a_count_is_congestion_from_forty_and_normal_below_twenty),
        cmocka_unit_test(one_congested_reading_outweighs_two_normal_ones),
        cmocka_unit_test(one_reading_in_between_keeps_two_normal_ones_from_being_normal),
        cmocka_unit_test(without_any_reading_nothing_is_known),
        cmocka_unit_test(the_value_of_an_absent_reading_does_not_count),
        cmocka_unit_test(a_count_is_brought_to_thirty_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
