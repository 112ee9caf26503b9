/* The second checker must see what a broken interlock shows: each invariant is broken here on purpose, on
 * both sides of its time. */
#include "signal-test.h"

static InterlockVerdict judge(InterlockCheck *check, const SignalModel *model, Lights lights, uint64_t usec) {
    return interlock_check(check, model, &lights, at_usec(usec));
}

static InterlockViolation show(InterlockCheck *check, Lights lights, uint64_t usec) {
    const SignalModel model = two_streets();
    return judge(check, &model, lights, usec).violation;
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

static void two_conflicting_greens_are_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, BOTH_SHOWN, 30 * SEC), VIOLATION_CONFLICT);
}

static void what_is_no_colour_is_seen(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    Lights lights = EW_SHOWN;
    lights.colour[DIRECTION_NS] = SIGNAL_COLOUR_COUNT;
    assert_int_equal(show(&check, lights, 30 * SEC), VIOLATION_NOT_A_COLOUR);
    lights.colour[DIRECTION_NS] = (SignalColour)77;
    assert_int_equal(show(&check, lights, 30 * SEC), VIOLATION_NOT_A_COLOUR);
}

static void a_group_that_there_is_not_is_red(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, lights_of_sets(EW | 4, 0), 30 * SEC), VIOLATION_NOT_A_COLOUR);
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

static void a_clock_that_goes_back_makes_nothing_older(void **state) {
    (void)state;
    InterlockCheck check = shown_ew();
    assert_int_equal(show(&check, ALL_RED_SHOWN, 10 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 1 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, NS_SHOWN, 2 * SEC), VIOLATION_NO_CLEARANCE);
    assert_int_equal(show(&check, NS_SHOWN, 12 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&check, ALL_RED_SHOWN, 12 * SEC - 1), VIOLATION_GREEN_TOO_SHORT);
}

/* --- groups, phases, yellow: four arms with left turns --- */

/* Straight on in NS, green at 2 s. */
static InterlockCheck shown_four_arms(const SignalModel *model) {
    InterlockCheck check = {0};
    assert_int_equal(judge(&check, model, ALL_RED_SHOWN, 0).violation, VIOLATION_NONE);
    assert_int_equal(judge(&check, model, lights_of_sets(ONLY(NT) | ONLY(ST), 0), 2 * SEC).violation,
                     VIOLATION_NONE);
    return check;
}

static void a_conflict_names_both_groups(void **state) {
    (void)state;
    const SignalModel model = four_arms();
    InterlockCheck check = shown_four_arms(&model);
    InterlockVerdict verdict =
        judge(&check, &model, lights_of_sets(ONLY(NT) | ONLY(ST) | ONLY(SL), 0), 30 * SEC);
    assert_int_equal(verdict.violation, VIOLATION_CONFLICT);
    assert_int_equal(verdict.group, NT);
    assert_int_equal(verdict.other, SL);
    /* Yellow is as good as green. */
    verdict = judge(&check, &model, lights_of_sets(ONLY(ST) | ONLY(SL), ONLY(NT)), 30 * SEC);
    assert_int_equal(verdict.violation, VIOLATION_CONFLICT);
}

static void groups_that_do_not_conflict_change_by_themselves(void **state) {
    (void)state;
    const SignalModel model = four_arms();
    InterlockCheck check = shown_four_arms(&model);
    /* From NT ST to NT NL: ST ends, NT goes on, NL begins when ST has cleared. */
    assert_int_equal(judge(&check, &model, lights_of_sets(ONLY(NT), ONLY(ST)), 20 * SEC).violation,
                     VIOLATION_NONE);
    assert_int_equal(judge(&check, &model, lights_of_sets(ONLY(NT), 0), 23 * SEC).violation, VIOLATION_NONE);
    const Lights next = lights_of_sets(ONLY(NT) | ONLY(NL), 0);
    InterlockVerdict verdict = judge(&check, &model, next, 25 * SEC - 1);
    assert_int_equal(verdict.violation, VIOLATION_NO_CLEARANCE);
    assert_int_equal(verdict.group, NL);
    assert_int_equal(verdict.other, ST);
    assert_int_equal(judge(&check, &model, next, 25 * SEC).violation, VIOLATION_NONE);
}

static void a_yellow_that_is_left_out_or_called_back_is_seen(void **state) {
    (void)state;
    const SignalModel model = four_arms();
    InterlockCheck check = shown_four_arms(&model);
    assert_int_equal(judge(&check, &model, lights_of_sets(ONLY(NT), 0), 20 * SEC).violation,
                     VIOLATION_WRONG_YELLOW);
    assert_int_equal(judge(&check, &model, lights_of_sets(ONLY(NT), ONLY(ST)), 20 * SEC).violation,
                     VIOLATION_NONE);
    InterlockVerdict verdict = judge(&check, &model, lights_of_sets(ONLY(NT) | ONLY(ST), 0), 23 * SEC);
    assert_int_not_equal(verdict.violation, VIOLATION_NONE);
    assert_int_equal(verdict.group, ST);
}

static void a_yellow_lasts_its_time_and_no_longer(void **state) {
    (void)state;
    const SignalModel model = four_arms();
    const Lights yellow = lights_of_sets(ONLY(NT), ONLY(ST)), red = lights_of_sets(ONLY(NT), 0);
    InterlockCheck check = shown_four_arms(&model);
    assert_int_equal(judge(&check, &model, yellow, 20 * SEC).violation, VIOLATION_NONE);
    assert_int_equal(judge(&check, &model, red, 23 * SEC - 1).violation, VIOLATION_WRONG_YELLOW);
    assert_int_equal(judge(&check, &model, yellow, 23 * SEC - 1).violation, VIOLATION_NONE);
    assert_int_equal(judge(&check, &model, yellow, 23 * SEC).violation, VIOLATION_WRONG_YELLOW);
    assert_int_equal(judge(&check, &model, red, 23 * SEC).violation, VIOLATION_NONE);
}

static void a_yellow_out_of_red_or_without_being_in_the_model_is_seen(void **state) {
    (void)state;
    const SignalModel model = four_arms();
    InterlockCheck check = shown_four_arms(&model), streets = shown_ew();
    assert_int_equal(judge(&check, &model, lights_of_sets(ONLY(NT) | ONLY(ST), ONLY(NL)), 20 * SEC).violation,
                     VIOLATION_CONFLICT);
    assert_int_equal(judge(&(InterlockCheck){0}, &model, lights_of_sets(0, ONLY(NL)), 0).violation,
                     VIOLATION_NOT_A_START);
    assert_int_equal(show(&streets, lights_of_sets(0, EW), 20 * SEC), VIOLATION_WRONG_YELLOW);
    assert_int_equal(show(&streets, ALL_RED_SHOWN, 20 * SEC), VIOLATION_NONE);
    assert_int_equal(show(&streets, lights_of_sets(0, NS), 30 * SEC), VIOLATION_WRONG_YELLOW);
}

static void a_green_goes_on_beside_one_who_starves_and_does_not_conflict(void **state) {
    (void)state;
    SignalModel model = four_arms();
    model.conflicts[NT] = model.conflicts[ST] = 0; /* as a right turn with a lane of its own */
    for (unsigned g = 0; g < model.n_groups; g++)
        model.conflicts[g] &= ~(ONLY(NT) | ONLY(ST));
    InterlockCheck check = shown_four_arms(&model);
    const Lights same = lights_of_sets(ONLY(NT) | ONLY(ST), 0);
    assert_int_equal(judge(&check, &model, same, 500 * SEC).violation, VIOLATION_NONE);
}

static void who_starves_is_not_passed_over_by_a_shorter_red(void **state) {
    (void)state;
    const SignalModel model = four_arms(); /* after a stall: NL red since 0 s, ET since 10 s */
    InterlockCheck check = {.has_started = true, .latest = at(500)};
    for (unsigned g = 0; g < model.n_groups; g++)
        check.changed[g] = at(10);
    check.changed[NL] = at(0);
    InterlockVerdict verdict = judge(&check, &model, lights_of_sets(ONLY(ET), 0), 500 * SEC);
    assert_int_equal(verdict.violation, VIOLATION_RED_TOO_LONG);
    assert_int_equal(verdict.group, NL);
    assert_int_equal(verdict.other, ET);
    assert_int_equal(judge(&check, &model, lights_of_sets(ONLY(NL), 0), 500 * SEC).violation, VIOLATION_NONE);
}

static void every_violation_has_its_words(void **state) {
    (void)state;
    for (int i = 0; i < INTERLOCK_VIOLATION_COUNT; i++)
        assert_non_null(interlock_violation_words[i]);
    assert_string_equal(interlock_violation_words[VIOLATION_CONFLICT],
                        "conflicting groups green or yellow together");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_cycle_passes),
        cmocka_unit_test(two_conflicting_greens_are_seen),
        cmocka_unit_test(what_is_no_colour_is_seen),
        cmocka_unit_test(a_group_that_there_is_not_is_red),
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
        cmocka_unit_test(a_clock_that_goes_back_makes_nothing_older),
        cmocka_unit_test(a_conflict_names_both_groups),
        cmocka_unit_test(groups_that_do_not_conflict_change_by_themselves),
        cmocka_unit_test(a_yellow_that_is_left_out_or_called_back_is_seen),
        cmocka_unit_test(a_yellow_lasts_its_time_and_no_longer),
        cmocka_unit_test(a_yellow_out_of_red_or_without_being_in_the_model_is_seen),
        cmocka_unit_test(a_green_goes_on_beside_one_who_starves_and_does_not_conflict),
        cmocka_unit_test(who_starves_is_not_passed_over_by_a_shorter_red),
        cmocka_unit_test(every_violation_has_its_words),
    };
    return cmocka_run_group_tests_name("interlock-check", tests, NULL, NULL);
}
