/* What the check of a model takes and what it refuses, with the sentence that says why. */
#include "lights-test.h"

#include <errno.h>

static SignalModel model;
static Problem problem;

static int make_model(void **state) {
    (void)state;
    model = four_arms();
    problem = (Problem){{0}};
    return 0;
}

static void assert_taken(void) {
    const int r = signal_model_check(&model, NULL, &problem);
    if (r != 0)
        print_error("refused: %s\n", problem.text);
    assert_int_equal(r, 0);
}

static void assert_refused(int error, const char *why) {
    assert_int_equal(signal_model_check(&model, NULL, &problem), error);
    assert_string_equal(problem.text, why);
    assert_int_equal(signal_model_check(&model, NULL, NULL), error);
}

static void ordinary_models_are_taken(void **state) {
    (void)state;
    assert_taken();
    model = two_streets();
    assert_taken();
}

static void two_streets_are_a_model_with_ew_first(void **state) {
    (void)state;
    model = signal_model_two_streets(&(SafetyTimes){.min_green_usec = 6 * SEC,
                                                    .yellow_usec = 3 * SEC,
                                                    .all_red_usec = 1 * SEC,
                                                    .max_red_usec = 60 * SEC},
                                     20 * SEC);
    assert_taken();
    assert_int_equal(model.n_groups, 2);
    assert_int_equal(model.yellow_usec, 3 * SEC);
    assert_int_equal(model.all_red_usec, 1 * SEC);
    assert_int_equal(model.n_stages, 2);
    assert_int_equal(model.stages[0].phase, DIRECTION_EW);
    assert_int_equal(model.stages[1].phase, DIRECTION_NS);
    for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
        assert_int_equal(model.conflicts[d], ONLY(1 - d));
        assert_int_equal(model.min_green_usec[d], 6 * SEC);
        assert_int_equal(model.max_red_usec[d], 60 * SEC);
        assert_int_equal(model.phases[d], ONLY(d));
        assert_int_equal(model.direction_groups[d], ONLY(d));
        assert_int_equal(model.direction_phase[d], d);
        assert_int_equal(model.stages[d].green_usec, 20 * SEC);
    }
}

static void a_model_as_large_as_can_be_is_taken(void **state) {
    (void)state;
    model = (SignalModel){.n_groups = SIGNAL_GROUPS_MAX,
                          .all_red_usec = 1 * SEC,
                          .n_phases = 1,
                          .phases = {UINT32_MAX},
                          .n_stages = SIGNAL_STAGES_MAX};
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++) {
        model.min_green_usec[g] = 5 * SEC;
        model.max_red_usec[g] = 600 * SEC;
    }
    for (unsigned s = 0; s < SIGNAL_STAGES_MAX; s++)
        model.stages[s].green_usec = 5 * SEC;
    assert_taken();
}

static void sizes_beyond_the_limits_are_refused(void **state) {
    (void)state;
    model.n_groups = 0;
    assert_refused(-EINVAL, "groups: expected 1 to 32, got 0");
    model.n_groups = 33;
    assert_refused(-EINVAL, "groups: expected 1 to 32, got 33");
    make_model(state);
    model.n_phases = 0;
    assert_refused(-EINVAL, "phases: expected 1 to 16, got 0");
    model.n_phases = 17;
    assert_refused(-EINVAL, "phases: expected 1 to 16, got 17");
    make_model(state);
    model.n_stages = 0;
    assert_refused(-EINVAL, "stages of the plan: expected 1 to 16, got 0");
    model.n_stages = 17;
    assert_refused(-EINVAL, "stages of the plan: expected 1 to 16, got 17");
}

/* --- conflicts and phases --- */

static void a_conflict_that_only_one_side_knows_is_refused(void **state) {
    (void)state;
    model.conflicts[ET] &= ~ONLY(NT);
    assert_refused(-EINVAL, "group 2: expected a conflict with group 0 as that one has with it, got none");
}

static void a_conflict_with_itself_is_refused(void **state) {
    (void)state;
    model.conflicts[ST] |= ONLY(ST);
    assert_refused(-EINVAL, "group 1: expected conflicts with others, got one with itself");
}

static void a_conflict_with_nobody_is_refused(void **state) {
    (void)state;
    model.conflicts[NT] |= ONLY(31);
    assert_refused(-EINVAL, "group 0: expected conflicts with groups 0 to 7, got one with 31");
}

static void a_phase_with_conflicting_groups_is_refused(void **state) {
    (void)state;
    model.phases[2] |= ONLY(ST);
    assert_refused(-EINVAL, "phase 2: expected groups that do not conflict, got group 1 and group 2");
}

static void names_are_told_where_there_are_some(void **state) {
    (void)state;
    static const char *const groups[] = {"N-T", "S-T", "E-T", "W-T", "N-L", "S-L", "E-L", "W-L"};
    static const char *const phases[] = {"main", "left", "cross", "cross left", "north", "south"};
    model.phases[2] |= ONLY(ST);
    assert_int_equal(signal_model_check(&model, &(SignalNames){groups, phases}, &problem), -EINVAL);
    assert_string_equal(problem.text,
                        "phase 2 (cross): expected groups that do not conflict, got group 1 (S-T) "
                        "and group 2 (E-T)");
    assert_int_equal(signal_model_check(&model, &(SignalNames){.groups = groups}, &problem), -EINVAL);
    assert_string_equal(problem.text, "phase 2: expected groups that do not conflict, got group 1 (S-T) and "
                                      "group 2 (E-T)");
}

static void a_phase_of_nobody_or_of_unknown_groups_is_refused(void **state) {
    (void)state;
    model.phases[1] = 0;
    assert_refused(-EINVAL, "phase 1: expected groups, got none");
    model.phases[1] = ONLY(NL) | ONLY(8);
    assert_refused(-EINVAL, "phase 1: expected groups 0 to 7, got group 8");
}

static void who_yields_in_a_phase_must_be_in_it(void **state) {
    (void)state;
    model.permitted[1] = ONLY(NL);
    assert_taken();
    model.permitted[1] = ONLY(NL) | ONLY(NT);
    assert_refused(-EINVAL, "phase 1: expected the yielding among its groups, got group 0");
}

static void a_group_in_no_phase_is_refused(void **state) {
    (void)state;
    model.phases[3] = ONLY(WL);
    assert_refused(-EINVAL, "group 6: expected it in a phase, got it in none");
}

static void a_direction_has_groups_and_a_phase_of_the_model(void **state) {
    (void)state;
    model.direction_phase[DIRECTION_EW] = 6;
    assert_refused(-EINVAL, "direction EW: expected phases 0 to 5, got phase 6");
    make_model(state);
    model.direction_groups[DIRECTION_NS] = ONLY(9);
    assert_refused(-EINVAL, "direction NS: expected groups 0 to 7, got group 9");
    model.direction_groups[DIRECTION_NS] = 0;
    assert_taken();
}

/* --- times --- */

static void times_at_their_floors_are_taken_and_times_below_refused(void **state) {
    (void)state;
    model.all_red_usec = 1 * SEC;
    assert_taken();
    model.all_red_usec = 1 * SEC - 1;
    assert_refused(-ERANGE, "all-red: expected at least 1 s, got 1.000 s");
    make_model(state);
    model.min_green_usec[WT] = 5 * SEC - 1000;
    assert_refused(-ERANGE, "group 3: minimum green: expected at least 5 s, got 4.999 s");
    make_model(state);
    model.yellow_usec = 10 * SEC;
    assert_taken();
    model.yellow_usec = 10 * SEC + 1000;
    assert_refused(-ERANGE, "yellow: expected at most 10 s, got 10.001 s");
    model.yellow_usec = 0;
    assert_taken();
}

static void a_maximum_red_leaves_room_for_who_conflicts_and_not_for_ever(void **state) {
    (void)state;
    model.min_green_usec[WT] = 8 * SEC; /* in the way of the eastern left turn, not of the western */
    model.max_red_usec[WL] = 15 * SEC;
    model.max_red_usec[EL] = 18 * SEC;
    assert_taken();
    model.max_red_usec[WL] = 15 * SEC - 1000;
    assert_refused(-ERANGE,
                   "group 7: maximum red: expected at least the minimum green of each conflicting group "
                   "(up to 5.000 s) and two intergreens of 5.000 s, got 14.999 s");
    model.max_red_usec[EL] = 17 * SEC;
    assert_refused(-ERANGE,
                   "group 6: maximum red: expected at least the minimum green of each conflicting group "
                   "(up to 8.000 s) and two intergreens of 5.000 s, got 17.000 s");
    model.max_red_usec[EL] = 600 * SEC + 1000;
    assert_refused(-ERANGE, "group 6: maximum red: expected at most 600 s, got 600.001 s");
}

static void no_time_is_so_long_that_it_looks_short(void **state) {
    (void)state;
    model.all_red_usec = UINT64_MAX;
    assert_int_equal(signal_model_check(&model, NULL, NULL), -ERANGE);
    model.all_red_usec = UINT64_MAX / 2 + 1;
    assert_int_equal(signal_model_check(&model, NULL, NULL), -ERANGE);
    make_model(state);
    model.min_green_usec[NT] = UINT64_MAX;
    assert_int_equal(signal_model_check(&model, NULL, NULL), -ERANGE);
    make_model(state);
    model.stages[0].green_usec = UINT64_MAX;
    assert_int_equal(signal_model_check(&model, NULL, NULL), -ERANGE);
}

/* --- the plan --- */

static void a_stage_has_a_phase_and_is_no_shorter_than_its_minimum_greens(void **state) {
    (void)state;
    model.stages[3].phase = 6;
    assert_refused(-EINVAL, "stage 3: expected phases 0 to 5, got phase 6");
    make_model(state);
    model.min_green_usec[SL] = 8 * SEC + 1000;
    assert_refused(-ERANGE,
                   "stage 1 (phase 1): green: expected at least the minimum green of group 5, 8.001 s, "
                   "got 8.000 s");
    model.min_green_usec[SL] = 8 * SEC;
    assert_taken();
    model.stages[1].green_usec = 24 * 3600 * SEC + 1000;
    assert_refused(-ERANGE, "stage 1 (phase 1): green: expected at most 86400 s, got 86400.001 s");
}

static void an_offset_is_at_most_a_day(void **state) {
    (void)state;
    model.offset_usec = 24 * 3600 * SEC;
    assert_taken();
    model.offset_usec++;
    assert_refused(-ERANGE, "offset: expected at most 86400 s, got 86400.000 s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ordinary_models_are_taken, make_model),
        cmocka_unit_test_setup(two_streets_are_a_model_with_ew_first, make_model),
        cmocka_unit_test_setup(a_model_as_large_as_can_be_is_taken, make_model),
        cmocka_unit_test_setup(sizes_beyond_the_limits_are_refused, make_model),
        cmocka_unit_test_setup(a_conflict_that_only_one_side_knows_is_refused, make_model),
        cmocka_unit_test_setup(a_conflict_with_itself_is_refused, make_model),
        cmocka_unit_test_setup(a_conflict_with_nobody_is_refused, make_model),
        cmocka_unit_test_setup(a_phase_with_conflicting_groups_is_refused, make_model),
        cmocka_unit_test_setup(names_are_told_where_there_are_some, make_model),
        cmocka_unit_test_setup(a_phase_of_nobody_or_of_unknown_groups_is_refused, make_model),
        cmocka_unit_test_setup(who_yields_in_a_phase_must_be_in_it, make_model),
        cmocka_unit_test_setup(a_group_in_no_phase_is_refused, make_model),
        cmocka_unit_test_setup(a_direction_has_groups_and_a_phase_of_the_model, make_model),
        cmocka_unit_test_setup(times_at_their_floors_are_taken_and_times_below_refused, make_model),
        cmocka_unit_test_setup(a_maximum_red_leaves_room_for_who_conflicts_and_not_for_ever, make_model),
        cmocka_unit_test_setup(no_time_is_so_long_that_it_looks_short, make_model),
        cmocka_unit_test_setup(a_stage_has_a_phase_and_is_no_shorter_than_its_minimum_greens, make_model),
        cmocka_unit_test_setup(an_offset_is_at_most_a_day, make_model),
    };
    return cmocka_run_group_tests_name("signal-model", tests, NULL, NULL);
}
