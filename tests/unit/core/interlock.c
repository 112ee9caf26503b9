/* The interlock at two streets that cross: every decision, both sides of every time. More groups: interlock-groups.c. */
#include "lights-test.h"

static SignalModel model;

static int make_model(void **state) {
    (void)state;
    model = two_streets();
    return 0;
}

static Interlock started(void) {
    Interlock interlock;
    interlock_init(&interlock, &model, at(0));
    return interlock;
}

/* An interlock whose EW green begins at at(2). */
static Interlock ew_green(void) {
    Interlock interlock = started();
    assert_true(interlock_step(&interlock, EW, at(2)));
    assert_shows(&interlock, "rg");
    return interlock;
}

static void starts_in_all_red_that_lasts_its_time(void **state) {
    (void)state;
    Interlock interlock = started();
    assert_int_equal(interlock.state, INTERLOCK_START);
    assert_shows(&interlock, "rr");
    assert_false(interlock_step(&interlock, EW, at(0)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(2).usec);
    assert_false(interlock_step(&interlock, EW, at_usec(2 * SEC - 1)));
    assert_shows(&interlock, "rr");
    assert_true(interlock_step(&interlock, EW, at(2)));
    assert_shows(&interlock, "rg");
    assert_int_equal(interlock.state, INTERLOCK_RUNNING);
}

static void a_request_during_start_up_decides_the_first_green(void **state) {
    (void)state;
    Interlock interlock = started();
    assert_false(interlock_step(&interlock, EW, at(0)));
    assert_false(interlock_step(&interlock, NS, at(1)));
    assert_true(interlock_step(&interlock, NS, at(2)));
    assert_shows(&interlock, "gr");
}

static void a_green_lasts_its_minimum_whatever_is_asked(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, NS, at(2)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(7).usec);
    assert_false(interlock_step(&interlock, NS, at_usec(7 * SEC - 1)));
    assert_shows(&interlock, "rg");
    assert_true(interlock_step(&interlock, NS, at(7)));
    assert_shows(&interlock, "rr");
}

static void all_red_separates_the_greens(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, at(10)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(12).usec);
    assert_false(interlock_step(&interlock, NS, at_usec(12 * SEC - 1)));
    assert_true(interlock_step(&interlock, NS, at(12)));
    assert_shows(&interlock, "gr");
}

static void asking_for_what_is_green_changes_nothing(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, EW, at(8)));
    assert_false(interlock_step(&interlock, EW, at(20)));
    assert_shows(&interlock, "rg");
}

static void a_request_withdrawn_before_the_minimum_leaves_the_green(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, NS, at(3)));
    assert_false(interlock_step(&interlock, EW, at(4)));
    assert_false(interlock_step(&interlock, EW, at(8)));
    assert_shows(&interlock, "rg");
}

static void a_change_of_mind_during_all_red_is_granted_after_it(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, at(10)));
    assert_false(interlock_step(&interlock, EW, at_usec(12 * SEC - 1)));
    assert_true(interlock_step(&interlock, EW, at(12)));
    assert_shows(&interlock, "rg");
    assert_int_equal(interlock.guarded, 0);
}

static void a_request_for_nobody_ends_the_green_and_begins_none(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, 0, at(7)));
    assert_false(interlock_step(&interlock, 0, at(60)));
    assert_shows(&interlock, "rr");
}

static void of_two_streets_asked_for_at_once_one_is_green(void **state) {
    (void)state;
    Interlock interlock = started();
    assert_true(interlock_step(&interlock, NS | EW, at(2)));
    assert_shows(&interlock, "gr");
    assert_false(interlock_step(&interlock, NS | EW, at(60)));
    assert_shows(&interlock, "gr");
}

/* --- the guard --- */

static void the_guard_ends_a_green_so_that_no_red_exceeds_the_maximum(void **state) {
    (void)state;
    Interlock interlock = ew_green(); /* NS is red since at(0) */
    assert_int_equal(interlock_deadline(&interlock).usec, at(88).usec);
    assert_false(interlock_step(&interlock, EW, at_usec(88 * SEC - 1)));
    assert_true(interlock_step(&interlock, EW, at(88)));
    assert_int_equal(interlock.guarded, EW);
    assert_int_equal(interlock_deadline(&interlock).usec, at(90).usec);
    assert_true(interlock_step(&interlock, EW, at(90)));
    assert_shows(&interlock, "gr");
    assert_int_equal(interlock.guarded, NS);
}

static void after_the_guard_the_request_is_granted_again(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, EW, at(88)));
    assert_true(interlock_step(&interlock, EW, at(90)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(95).usec);
    assert_true(interlock_step(&interlock, EW, at(95)));
    assert_int_equal(interlock.guarded, 0);
    assert_true(interlock_step(&interlock, EW, at(97)));
    assert_shows(&interlock, "rg");
}

static void what_the_guard_does_as_asked_is_not_its_doing(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, at(88)));
    assert_int_equal(interlock.guarded, 0);
    assert_true(interlock_step(&interlock, NS, at(90)));
    assert_int_equal(interlock.guarded, 0);
}

/* EW ends at `end`, then is asked for again: does it get its green back at end + 2 s, with NS red since at(0)? */
static bool gets_its_green_back(uint64_t end_usec) {
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, at_usec(end_usec)));
    assert_false(interlock_step(&interlock, EW, at_usec(end_usec + 1)));
    assert_true(interlock_step(&interlock, EW, at_usec(end_usec + 2 * SEC)));
    return interlock.colour[DIRECTION_EW] == SIGNAL_GREEN;
}

static void all_red_gives_way_to_the_direction_that_could_not_wait_for_one_more_green(void **state) {
    (void)state;
    /* 90 s less a minimum green and an all-red is 83 s: NS may still wait when the all-red ends then. */
    assert_true(gets_its_green_back(81 * SEC));
    assert_false(gets_its_green_back(81 * SEC + 1));
}

static void who_could_not_wait_for_one_more_green_is_owed_one(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_is_owed(&interlock, DIRECTION_NS, at(83)));
    assert_true(interlock_is_owed(&interlock, DIRECTION_NS, at_usec(83 * SEC + 1)));
    assert_false(interlock_is_owed(&interlock, DIRECTION_EW, at(500)));
}

static void a_red_that_nobody_ends_is_ended_by_the_guard(void **state) {
    (void)state;
    Interlock interlock = started();
    assert_false(interlock_step(&interlock, 0, at(0)));
    assert_int_equal(interlock_deadline(&interlock).usec, at_usec(83 * SEC + 1).usec);
    assert_false(interlock_step(&interlock, 0, at(83)));
    assert_true(interlock_step(&interlock, 0, at_usec(83 * SEC + 1)));
    assert_shows(&interlock, "gr");
    assert_int_equal(interlock.guarded, NS);
}

static void after_a_long_stall_the_longer_red_goes_first(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, at(10)));
    /* Both are overdue at at(500); NS has waited since at(0), EW since at(10). */
    assert_true(interlock_step(&interlock, EW, at(500)));
    assert_shows(&interlock, "gr");
    assert_true(interlock_step(&interlock, NS, at(505)));
    assert_true(interlock_step(&interlock, NS, at(507)));
    assert_shows(&interlock, "rg");
}

static void a_stall_in_start_up_still_gives_the_first_green_as_asked(void **state) {
    (void)state;
    Interlock interlock = started();
    assert_true(interlock_step(&interlock, EW, at(500)));
    assert_shows(&interlock, "rg");
}

/* --- time --- */

static void a_late_step_shows_one_change_and_counts_from_there(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, at(300)));
    assert_shows(&interlock, "rr");
    assert_false(interlock_step(&interlock, NS, at_usec(302 * SEC - 1)));
    assert_true(interlock_step(&interlock, NS, at(302)));
    assert_shows(&interlock, "gr");
}

static void a_clock_that_goes_back_is_no_time_passed(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_false(interlock_step(&interlock, NS, (Mono){1}));
    assert_shows(&interlock, "rg");
    assert_false(interlock_step(&interlock, EW, at(6)));
    assert_true(interlock_step(&interlock, NS, at(7)));
    /* The all-red counts from at(7), although the clock says less. */
    assert_false(interlock_step(&interlock, NS, at(1)));
    assert_false(interlock_step(&interlock, NS, at(8)));
    assert_true(interlock_step(&interlock, NS, at(9)));
}

static void the_end_of_time_is_a_time(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    assert_true(interlock_step(&interlock, NS, mono_never()));
    assert_shows(&interlock, "rr");
    assert_false(interlock_step(&interlock, NS, mono_never()));
    assert_true(mono_is_never(interlock_deadline(&interlock)));
}

/* --- the latch --- */

static void a_latch_shows_all_red_at_once(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    interlock_latch(&interlock, at(3));
    assert_shows(&interlock, "rr");
    assert_int_equal(interlock.state, INTERLOCK_LATCHED);
    assert_true(mono_is_never(interlock_deadline(&interlock)));
}

static void no_request_leaves_the_latch(void **state) {
    (void)state;
    for (GroupSet wanted = 0; wanted <= (NS | EW); wanted++) {
        Interlock interlock = ew_green();
        interlock_latch(&interlock, at(3));
        assert_false(interlock_step(&interlock, wanted, at(100)));
        assert_int_equal(interlock.state, INTERLOCK_LATCHED);
        assert_shows(&interlock, "rr");
    }
}

static void a_latch_that_is_released_goes_through_start_up(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    interlock_latch(&interlock, at(3));
    interlock_release(&interlock, at(200));
    assert_int_equal(interlock.state, INTERLOCK_START);
    assert_false(interlock_step(&interlock, EW, at(200)));
    assert_int_equal(interlock_deadline(&interlock).usec, at(202).usec);
    assert_false(interlock_step(&interlock, EW, at_usec(202 * SEC - 1)));
    assert_true(interlock_step(&interlock, EW, at(202)));
    assert_shows(&interlock, "rg");
}

static void a_release_without_a_latch_is_nothing(void **state) {
    (void)state;
    Interlock interlock = ew_green();
    interlock_release(&interlock, at(3));
    assert_shows(&interlock, "rg");
    assert_int_equal(interlock.state, INTERLOCK_RUNNING);
    assert_true(interlock_step(&interlock, NS, at(7)));
}

static void every_state_has_its_word(void **state) {
    (void)state;
    assert_string_equal(interlock_state_words[INTERLOCK_START], "START");
    assert_string_equal(interlock_state_words[INTERLOCK_RUNNING], "RUNNING");
    assert_string_equal(interlock_state_words[INTERLOCK_LATCHED], "LATCHED");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_in_all_red_that_lasts_its_time),
        cmocka_unit_test(a_request_during_start_up_decides_the_first_green),
        cmocka_unit_test(a_green_lasts_its_minimum_whatever_is_asked),
        cmocka_unit_test(all_red_separates_the_greens),
        cmocka_unit_test(asking_for_what_is_green_changes_nothing),
        cmocka_unit_test(a_request_withdrawn_before_the_minimum_leaves_the_green),
        cmocka_unit_test(a_change_of_mind_during_all_red_is_granted_after_it),
        cmocka_unit_test(a_request_for_nobody_ends_the_green_and_begins_none),
        cmocka_unit_test(of_two_streets_asked_for_at_once_one_is_green),
        cmocka_unit_test(the_guard_ends_a_green_so_that_no_red_exceeds_the_maximum),
        cmocka_unit_test(after_the_guard_the_request_is_granted_again),
        cmocka_unit_test(what_the_guard_does_as_asked_is_not_its_doing),
        cmocka_unit_test(all_red_gives_way_to_the_direction_that_could_not_wait_for_one_more_green),
        cmocka_unit_test(who_could_not_wait_for_one_more_green_is_owed_one),
        cmocka_unit_test(a_red_that_nobody_ends_is_ended_by_the_guard),
        cmocka_unit_test(after_a_long_stall_the_longer_red_goes_first),
        cmocka_unit_test(a_stall_in_start_up_still_gives_the_first_green_as_asked),
        cmocka_unit_test(a_late_step_shows_one_change_and_counts_from_there),
        cmocka_unit_test(a_clock_that_goes_back_is_no_time_passed),
        cmocka_unit_test(the_end_of_time_is_a_time),
        cmocka_unit_test(a_latch_shows_all_red_at_once),
        cmocka_unit_test(no_request_leaves_the_latch),
        cmocka_unit_test(a_latch_that_is_released_goes_through_start_up),
        cmocka_unit_test(a_release_without_a_latch_is_nothing),
        cmocka_unit_test(every_state_has_its_word),
    };
    return cmocka_run_group_tests_name("interlock", tests, make_model, NULL);
}
