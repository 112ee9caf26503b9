/* The second checker must see what a broken interlock shows: each invariant is broken here on purpose, on
 * both sides of its time. */
#include "signal-test.h"

static const InterlockTimes *const times = &usual_times.interlock;

static InterlockViolation show(InterlockCheck *check, Lights lights, uint64_t usec) {
    return interlock_check(check, times, lights, at_usec(usec));
}

/* All-red at 0 s, EW green at 2 s. */
static InterlockCheck shown_ew(void) {
    InterlockCheck check = {0};
    assert_int_equal(show(&check, ALL_RED_SHOWN, 0), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 2 * SEC), VIOLATION_NONE);
    return check;
}

static void an_ordinary_cycle_passes(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, EW_SHOWN, 3 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 17 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, NS_SHOWN, 19 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 34 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 36 * SEC), VIOLATION_NONE);
}

static void both_green_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, BOTH_SHOWN, 30 * SEC), VIOLATION_BOTH_GREEN);
}

static void what_is_no_colour_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, (Lights){{COLOUR_RED, (Colour)COLOUR_COUNT}}, 30 * SEC),
                     VIOLATION_NOT_A_COLOUR);
    assert_int_equal(show(&check, (Lights){{(Colour)77, COLOUR_RED}}, 30 * SEC), VIOLATION_NOT_A_COLOUR);
}

static void a_start_in_green_is_seen(void **state) {
    (void)state;
    InterlockCheck check = {0};
    assert_int_equal(show(&check, EW_SHOWN, 0), VIOLATION_NOT_A_START);
    assert_int_equal(show(&check, NS_SHOWN, 0), VIOLATION_NOT_A_START);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 0), VIOLATION_NONE);
}

static void a_green_below_its_minimum_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, ALL_RED_SHOWN, 7 * SEC - 1), VIOLATION_GREEN_TOO_SHORT);
    assert_int_equal(show(&check, NS_SHOWN, 7 * SEC - 1), VIOLATION_GREEN_TOO_SHORT);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 7 * SEC), VIOLATION_NONE);
}

static void a_green_straight_after_the_other_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, NS_SHOWN, 30 * SEC), VIOLATION_NO_CLEARANCE);
}

static void a_clearance_that_is_too_short_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, ALL_RED_SHOWN, 10 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, NS_SHOWN, 12 * SEC - 1), VIOLATION_NO_CLEARANCE);
    assert_int_equal(show(&check, NS_SHOWN, 12 * SEC), VIOLATION_NONE);
}

static void a_green_too_soon_after_start_up_is_seen(void **state) {
    (void)state;
    InterlockCheck check = {0};
    assert_int_equal(show(&check, ALL_RED_SHOWN, 0), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 2 * SEC - 1), VIOLATION_NO_CLEARANCE);
    assert_int_equal(show(&check, EW_SHOWN, 2 * SEC), VIOLATION_NONE);
}

static void a_green_that_goes_on_while_the_other_starves_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew(); /* NS is red since 0 s */
    assert_int_equal(show(&check, EW_SHOWN, 90 * SEC - 1), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 90 * SEC), VIOLATION_RED_TOO_LONG);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 90 * SEC), VIOLATION_NONE);
}

static void all_red_that_never_ends_is_seen(void **state) {
    (void)state;
    InterlockCheck check = {0};
    assert_int_equal(show(&check, ALL_RED_SHOWN, 0), VIOLATION_NONE);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 90 * SEC - 1), VIOLATION_NONE);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 90 * SEC), VIOLATION_RED_TOO_LONG);
}

static void a_process_that_was_stopped_for_an_hour_is_no_violation(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, ALL_RED_SHOWN, 3600 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, NS_SHOWN, 3602 * SEC), VIOLATION_NONE);
}

static void a_starving_direction_waits_for_the_others_minimum(void **state) {
    (void)state;
    InterlockCheck check = {0};
    assert_int_equal(show(&check, ALL_RED_SHOWN, 0), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 3600 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 3605 * SEC - 1), VIOLATION_NONE);
    assert_int_equal(show(&check, EW_SHOWN, 3605 * SEC), VIOLATION_RED_TOO_LONG);
}

static void what_did_not_pass_leaves_no_trace(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    InterlockCheck before = check;
    assert_int_equal(show(&check, NS_SHOWN, 30 * SEC), VIOLATION_NO_CLEARANCE);
    assert_memory_equal(&check, &before, sizeof check);
}

static void every_violation_has_its_words(void **state) {
    (void)state;
    for (int i = 0; i < INTERLOCK_VIOLATION_COUNT; i++)
        assert_non_null(interlock_violation_words[i]);
    assert_string_equal(interlock_violation_words[VIOLATION_BOTH_GREEN], "both directions green");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_cycle_passes),
        cmocka_unit_test(both_green_is_seen),
        cmocka_unit_test(what_is_no_colour_is_seen),
        cmocka_unit_test(a_start_in_green_is_seen),
        cmocka_unit_test(a_green_below_its_minimum_is_seen),
        cmocka_unit_test(a_green_straight_after_the_other_is_seen),
        cmocka_unit_test(a_clearance_that_is_too_short_is_seen),
        cmocka_unit_test(a_green_too_soon_after_start_up_is_seen),
        cmocka_unit_test(a_green_that_goes_on_while_the_other_starves_is_seen),
        cmocka_unit_test(all_red_that_never_ends_is_seen),
        cmocka_unit_test(a_process_that_was_stopped_for_an_hour_is_no_violation),
        cmocka_unit_test(a_starving_direction_waits_for_the_others_minimum),
        cmocka_unit_test(what_did_not_pass_leaves_no_trace),
        cmocka_unit_test(every_violation_has_its_words),
    };
    return cmocka_run_group_tests_name("interlock-check", tests, NULL, NULL);
}
