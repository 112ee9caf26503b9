/* The arithmetic of a cycle: places, reds, and the greens that get a plan back in step. EW is green from 0 s to 15 s
 * after the zero, NS from 17 s to 32 s, and the cycle is 34 s. */
#include "core/signal-cycle.h"
#include "eight-phases.h"
#include "lights-test.h"

static SignalModel streets;

static int make_model(void **state) {
    (void)state;
    streets = two_streets();
    return 0;
}

static void assert_place(CyclePlace place, unsigned stage, uint64_t left_usec) {
    assert_int_equal(place.stage, stage);
    assert_int_equal(place.left_usec, left_usec);
}

static void a_cycle_is_its_greens_and_intergreens(void **state) {
    (void)state;
    assert_int_equal(signal_cycle_usec(&streets), 34 * SEC);
    const SignalModel eight = eight_phases();
    assert_int_equal(signal_cycle_usec(&eight), (6 + 15 + 6 + 15 + 4 * 4) * SEC);
}

static void a_place_is_the_stage_and_what_is_left_of_it(void **state) {
    (void)state;
    assert_place(signal_cycle_place(&streets, 0), 0, 15 * SEC);
    assert_place(signal_cycle_place(&streets, 15 * SEC - 1), 0, 1);
    assert_place(signal_cycle_place(&streets, 15 * SEC), 1, 17 * SEC); /* NS comes next */
    assert_place(signal_cycle_place(&streets, 20 * SEC), 1, 12 * SEC);
    assert_place(signal_cycle_place(&streets, 32 * SEC), 0, 17 * SEC);
    assert_place(signal_cycle_place(&streets, 340 * SEC), 0, 15 * SEC);
}

static void an_offset_moves_the_cycle_back(void **state) {
    (void)state;
    SignalModel later = streets;
    later.offset_usec = 10 * SEC;
    assert_place(signal_cycle_place(&later, 10 * SEC), 0, 15 * SEC);
    assert_place(signal_cycle_place(&later, 0), 1, 8 * SEC);
    later.offset_usec = 44 * SEC;
    assert_place(signal_cycle_place(&later, 10 * SEC), 0, 15 * SEC);
}

static void who_begins_with_too_little_left_begins_with_the_next_stage(void **state) {
    (void)state;
    assert_place(signal_cycle_entry(&streets, 10 * SEC), 0, 5 * SEC);
    assert_place(signal_cycle_entry(&streets, 10 * SEC + 1), 1, 5 * SEC - 1 + 17 * SEC);
}

static void the_longest_red_is_from_the_end_of_a_green_to_the_next(void **state) {
    (void)state;
    assert_int_equal(signal_longest_red_usec(&streets, DIRECTION_NS), 19 * SEC);
    SignalModel eight = eight_phases();
    assert_int_equal(signal_longest_red_usec(&eight, 0), (3 * 4 + 15 + 6 + 15 + 4) * SEC);
    eight.stages[1].phase = 1; /* 1+5, then 1+6: movement 1 is green through both */
    assert_int_equal(signal_longest_red_usec(&eight, 0), (2 * 4 + 6 + 15 + 4) * SEC);
    assert_int_equal(signal_longest_red_usec(&eight, 1), 0); /* in no stage */
}

static void in_step_the_green_is_as_planned(void **state) {
    (void)state;
    assert_int_equal(signal_cycle_green_usec(&streets, 0, 0), 15 * SEC);
    assert_int_equal(signal_cycle_green_usec(&streets, 1, 17 * SEC), 15 * SEC);
    assert_int_equal(signal_cycle_green_usec(&streets, 1, (34 * 7 + 17) * SEC), 15 * SEC);
}

static void late_it_is_shorter_and_early_longer_by_up_to_half(void **state) {
    (void)state;
    assert_int_equal(signal_cycle_green_usec(&streets, 0, 3 * SEC), 12 * SEC);
    assert_int_equal(signal_cycle_green_usec(&streets, 0, 8 * SEC), 15 * SEC / 2);
    assert_int_equal(signal_cycle_green_usec(&streets, 0, 17 * SEC), 15 * SEC / 2); /* as far both ways */
    assert_int_equal(signal_cycle_green_usec(&streets, 0, 17 * SEC + 2000), 15 * SEC + 15 * SEC / 2);
    assert_int_equal(signal_cycle_green_usec(&streets, 0, 30 * SEC), 19 * SEC);
    assert_int_equal(signal_cycle_green_usec(&streets, 1, 14 * SEC), 18 * SEC);
}

static void a_green_is_never_shorter_than_the_minimum(void **state) {
    (void)state;
    SignalModel model = streets;
    model.min_green_usec[DIRECTION_EW] = 14 * SEC;
    assert_int_equal(signal_cycle_green_usec(&model, 0, 3 * SEC), 14 * SEC);
}

static void nor_so_long_that_the_maximum_red_ends_it(void **state) {
    (void)state;
    SignalModel model = streets;
    /* 19 s of red, 7 s for the guard, and 4 s for two longer greens. */
    model.max_red_usec[DIRECTION_NS] = 30 * SEC;
    assert_int_equal(signal_cycle_green_usec(&model, 0, 30 * SEC), 17 * SEC);
}

static void what_can_be_neither_shorter_nor_longer_stays_as_planned(void **state) {
    (void)state;
    SignalModel model = streets;
    for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
        model.min_green_usec[d] = 15 * SEC;
        model.max_red_usec[d] = 23 * SEC;
    }
    for (uint64_t second = 0; second < 34; second++)
        assert_int_equal(signal_cycle_green_usec(&model, 0, second * SEC), 15 * SEC);
}

/* Shorter ones being impossible, a plan does not fall back by a whole cycle for a moment. */
static void a_moment_late_is_in_step(void **state) {
    (void)state;
    SignalModel model = streets;
    for (unsigned d = 0; d < DIRECTION_COUNT; d++)
        model.min_green_usec[d] = 15 * SEC;
    assert_int_equal(signal_cycle_green_usec(&model, 0, SEC - 1), 15 * SEC);
    assert_true(signal_cycle_green_usec(&model, 0, SEC) > 15 * SEC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_is_its_greens_and_intergreens),
        cmocka_unit_test(a_place_is_the_stage_and_what_is_left_of_it),
        cmocka_unit_test(an_offset_moves_the_cycle_back),
        cmocka_unit_test(who_begins_with_too_little_left_begins_with_the_next_stage),
        cmocka_unit_test(the_longest_red_is_from_the_end_of_a_green_to_the_next),
        cmocka_unit_test(in_step_the_green_is_as_planned),
        cmocka_unit_test(late_it_is_shorter_and_early_longer_by_up_to_half),
        cmocka_unit_test(a_green_is_never_shorter_than_the_minimum),
        cmocka_unit_test(nor_so_long_that_the_maximum_red_ends_it),
        cmocka_unit_test(what_can_be_neither_shorter_nor_longer_stays_as_planned),
        cmocka_unit_test(a_moment_late_is_in_step),
    };
    return cmocka_run_group_tests_name("signal-cycle", tests, make_model, NULL);
}
