/* The interlock: every cell of its table, both sides of every time. */
#include "signal-test.h"

#include <errno.h>
#include <string.h>

static const InterlockTimes *const times = &usual_times.interlock;

/* An interlock whose EW green begins at at(2). */
static Interlock ew_green(void) {
    Interlock interlock;
    interlock_init(&interlock, times, at(0));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(2)));
    return interlock;
}

static void starts_in_all_red_and_then_shows_ew(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, times, at(0));
    assert_all_red(interlock_lights(&interlock));
    assert_int_equal(interlock_deadline(&interlock).usec, at(2).usec);
    assert_false(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at_usec(2 * SEC - 1)));
    assert_all_red(interlock_lights(&interlock));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(2)));
    assert_ew_green(interlock_lights(&interlock));
}

static void a_request_during_start_up_decides_the_first_green(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, times, at(0));
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(1)));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_EW, at(2)));
    assert_ns_green(interlock_lights(&interlock));
}

static void a_green_lasts_its_minimum_whatever_is_asked(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(2)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(7).usec);
    assert_false(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at_usec(7 * SEC - 1)));
    assert_ew_green(interlock_lights(&interlock));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(7)));
    assert_all_red(interlock_lights(&interlock));
}

static void all_red_separates_the_greens(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(10)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(12).usec);
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at_usec(12 * SEC - 1)));
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(12)));
    assert_ns_green(interlock_lights(&interlock));
}

static void asking_for_what_is_green_changes_nothing(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(8)));
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(20)));
    assert_ew_green(interlock_lights(&interlock));
}

static void a_request_withdrawn_before_the_minimum_leaves_the_green(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(3)));
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(4)));
    assert_false(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(8)));
    assert_ew_green(interlock_lights(&interlock));
}

static void a_change_of_mind_during_all_red_is_granted_after_it(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(10)));
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(11)));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(12)));
    assert_ew_green(interlock_lights(&interlock));
    assert_false(interlock.guard_acts);
}

static void the_guard_ends_a_green_so_that_no_red_exceeds_the_maximum(void **state) {
    (void)state;
    Interlock interlock = ew_green(); /* NS is red since at(0) */
    assert_int_equal(interlock_deadline(&interlock).usec, at(88).usec);
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at_usec(88 * SEC - 1)));
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(88)));
    assert_true(interlock.guard_acts);
    assert_int_equal(interlock_next_green(&interlock, at(90)), DIRECTION_NS);
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(90)));
    assert_ns_green(interlock_lights(&interlock));
    assert_true(interlock.guard_acts);
}

static void after_the_guard_the_standing_request_is_granted_again(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at(88)));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_EW, at(90)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(95).usec);
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_EW, at(95)));
    assert_false(interlock.guard_acts);
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_EW, at(97)));
    assert_ew_green(interlock_lights(&interlock));
}

/* EW ends at `end`, then is asked for again: does it get its green back at end + 2 s, with NS red since
 * at(0)? */
static bool gets_its_green_back(uint64_t end_usec) {
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at_usec(end_usec)));
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_EW, at_usec(end_usec + 1)));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_EW, at_usec(end_usec + 2 * SEC)));
    return interlock.green == DIRECTION_EW;
}

static void all_red_gives_way_to_the_direction_that_could_not_wait_for_one_more_green(void **state) {
    (void)state;
    /* 90 s less a minimum green and an all-red is 83 s: NS may still wait when the all-red ends then. */
    assert_true(gets_its_green_back(81 * SEC));
    assert_false(gets_its_green_back(81 * SEC + 1));
}

static void after_a_long_stall_the_longer_red_goes_first(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(10)));
    /* Both are overdue at at(500); NS has waited since at(0), EW since at(10). */
    assert_int_equal(interlock_next_green(&interlock, at(500)), DIRECTION_NS);
    interlock.wanted = DIRECTION_EW;
    assert_int_equal(interlock_next_green(&interlock, at(500)), DIRECTION_NS);
}

static void a_stall_in_start_up_still_gives_the_first_green_as_asked(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, times, at(0));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(500)));
    assert_ew_green(interlock_lights(&interlock));
}

static void a_late_step_shows_one_change_and_counts_from_there(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, at(300)));
    assert_all_red(interlock_lights(&interlock));
    assert_false(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at_usec(302 * SEC - 1)));
    assert_true(interlock_step(&interlock, INTERLOCK_TICK, DIRECTION_NS, at(302)));
    assert_ns_green(interlock_lights(&interlock));
}

static void a_clock_that_goes_back_changes_nothing(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, INTERLOCK_REQUEST, DIRECTION_NS, (Mono){1}));
    assert_ew_green(interlock_lights(&interlock));
}

static void a_violation_latches_all_red_from_green(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, INTERLOCK_VIOLATION, DIRECTION_EW, at(3)));
    assert_all_red(interlock_lights(&interlock));
    assert_int_equal(interlock.state, INTERLOCK_LATCHED);
    assert_true(mono_is_never(interlock_deadline(&interlock)));
}

static void a_violation_latches_all_red_from_all_red(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, times, at(0));
    assert_false(interlock_step(&interlock, INTERLOCK_VIOLATION, DIRECTION_EW, at(1)));
    assert_int_equal(interlock.state, INTERLOCK_LATCHED);
}

static void nothing_leaves_the_latch(void **state) {
    (void)state;
    for (InterlockEvent event = INTERLOCK_TICK; event < INTERLOCK_EVENT_COUNT; event++) {
        Interlock interlock = ew_green();
        assert_true(interlock_step(&interlock, INTERLOCK_VIOLATION, DIRECTION_EW, at(3)));
        assert_false(interlock_step(&interlock, event, DIRECTION_NS, at(100)));
        assert_int_equal(interlock.state, INTERLOCK_LATCHED);
        assert_all_red(interlock_lights(&interlock));
    }
}

static void every_state_has_its_word(void **state) {
    (void)state;
    assert_string_equal(interlock_state_words[INTERLOCK_ALL_RED], "ALL_RED");
    assert_string_equal(interlock_state_words[INTERLOCK_GREEN], "GREEN");
    assert_string_equal(interlock_state_words[INTERLOCK_LATCHED], "LATCHED");
}

static int check_with(uint64_t min_green_usec, uint64_t all_red_usec, uint64_t max_red_usec,
                      Problem *problem) {
    InterlockTimes given = {min_green_usec, all_red_usec, max_red_usec};
    return interlock_times_check(&given, problem);
}

static void times_at_their_floors_are_taken_and_times_below_refused(void **state) {
    (void)state;
    Problem problem = {{0}};
    assert_int_equal(check_with(5 * SEC, 1 * SEC, 90 * SEC, &problem), 0);
    assert_int_equal(check_with(5 * SEC - 1, 1 * SEC, 90 * SEC, &problem), -ERANGE);
    assert_non_null(strstr(problem.text, "minimum green: expected at least 5 s"));
    assert_int_equal(check_with(5 * SEC, 1 * SEC - 1, 90 * SEC, &problem), -ERANGE);
    assert_non_null(strstr(problem.text, "all-red: expected at least 1 s"));
}

static void a_maximum_red_leaves_room_for_the_cross_street_and_not_for_ever(void **state) {
    (void)state;
    Problem problem = {{0}};
    assert_int_equal(check_with(5 * SEC, 2 * SEC, 9 * SEC, &problem), 0);
    assert_int_equal(check_with(5 * SEC, 2 * SEC, 9 * SEC - 1, &problem), -ERANGE);
    assert_non_null(strstr(problem.text, "maximum red"));
    assert_int_equal(check_with(5 * SEC, 2 * SEC, 3 * SEC, &problem), -ERANGE);
    assert_int_equal(check_with(5 * SEC, 2 * SEC, 600 * SEC, &problem), 0);
    assert_int_equal(check_with(5 * SEC, 2 * SEC, 600 * SEC + 1, &problem), -ERANGE);
    assert_int_equal(check_with(UINT64_MAX, 2 * SEC, 90 * SEC, &problem), -ERANGE);
    assert_int_equal(check_with(5 * SEC, UINT64_MAX, 90 * SEC, NULL), -ERANGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_in_all_red_and_then_shows_ew),
        cmocka_unit_test(a_request_during_start_up_decides_the_first_green),
        cmocka_unit_test(a_green_lasts_its_minimum_whatever_is_asked),
        cmocka_unit_test(all_red_separates_the_greens),
        cmocka_unit_test(asking_for_what_is_green_changes_nothing),
        cmocka_unit_test(a_request_withdrawn_before_the_minimum_leaves_the_green),
        cmocka_unit_test(a_change_of_mind_during_all_red_is_granted_after_it),
        cmocka_unit_test(the_guard_ends_a_green_so_that_no_red_exceeds_the_maximum),
        cmocka_unit_test(after_the_guard_the_standing_request_is_granted_again),
        cmocka_unit_test(all_red_gives_way_to_the_direction_that_could_not_wait_for_one_more_green),
        cmocka_unit_test(after_a_long_stall_the_longer_red_goes_first),
        cmocka_unit_test(a_stall_in_start_up_still_gives_the_first_green_as_asked),
        cmocka_unit_test(a_late_step_shows_one_change_and_counts_from_there),
        cmocka_unit_test(a_clock_that_goes_back_changes_nothing),
        cmocka_unit_test(a_violation_latches_all_red_from_green),
        cmocka_unit_test(a_violation_latches_all_red_from_all_red),
        cmocka_unit_test(nothing_leaves_the_latch),
        cmocka_unit_test(every_state_has_its_word),
        cmocka_unit_test(times_at_their_floors_are_taken_and_times_below_refused),
        cmocka_unit_test(a_maximum_red_leaves_room_for_the_cross_street_and_not_for_ever),
    };
    return cmocka_run_group_tests_name("interlock", tests, NULL, NULL);
}
