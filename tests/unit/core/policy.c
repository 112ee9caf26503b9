/* What each policy asks for, in situations where there is no doubt. */
#include "control-test.h"

static Asked asked;

static int two(void **state) {
    (void)state;
    ask_about(&asked, two_streets);
    return 0;
}

static int four(void **state) {
    (void)state;
    ask_about(&asked, four_arms);
    return 0;
}

/* --- all of them --- */

static void each_name_has_its_row(void **state) {
    (void)state;
    for (int i = 0; i < POLICY_COUNT; i++) {
        const Policy *policy = policy_of((PolicyName)i);
        assert_int_equal(policy->name, i);
        assert_int_equal(policy->choose != NULL, policy->acts == POLICY_ACTS_BY_PHASE);
    }
}

static void fixed_and_rules_leave_the_phase_to_the_plan(void **state) {
    (void)state;
    assert_false(choose(&asked, POLICY_FIXED, at(0)).has_phase);
    assert_false(choose(&asked, POLICY_RULES, at(0)).has_phase);
}

static void a_blind_intersection_is_left_to_the_plan(void **state) {
    (void)state;
    for (int i = 0; i < POLICY_COUNT; i++) {
        PolicyChoice choice = choose(&asked, (PolicyName)i, at(100));
        assert_false(choice.has_phase);
        assert_int_equal(choice.rung, PICTURE_BLIND);
    }
}

static void a_choice_tells_the_worst_rung_it_stands_on(void **state) {
    (void)state;
    assert_int_equal(choose(&asked, POLICY_PLANNER, at(0)).rung, PICTURE_VIEW);
    see_queue(&asked.picture, 0, 0, at(10));
    picture_passage(&asked.picture, 1, 0, at(10));
    assert_int_equal(choose(&asked, POLICY_PLANNER, at(10)).rung, PICTURE_LOOPS);
    see_queue(&asked.picture, 0, 0, at(300));
    picture_queue(&asked.picture, 1, 0, at(300));
    assert_int_equal(choose(&asked, POLICY_PLANNER, at(300)).rung, PICTURE_QUEUE);
}

static void nothing_is_asked_while_a_phase_is_on_its_way(void **state) {
    (void)state;
    see_queue(&asked.picture, 0, 9, at(0));
    asked.input.phase = 1; /* asked for, both red still */
    asked.input.lights.colour[0] = SIGNAL_RED;
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 1);
}

/* --- the phase shown --- */

static void the_phase_asked_for_is_the_phase_until_the_lights_contradict_it(void **state) {
    (void)state;
    assert_int_equal(policy_phase_shown(&asked.input), 0);
    asked.input.phase = 1;
    assert_int_equal(policy_phase_shown(&asked.input), 0); /* the guard holds the other street */
    asked.input.lights.colour[0] = SIGNAL_RED;
    assert_int_equal(policy_phase_shown(&asked.input), 1);
}

static void without_one_it_is_read_off_the_lights(void **state) {
    (void)state;
    asked.input.has_phase = false;
    show_phase(&asked, 2, 10, at(0));
    asked.input.has_phase = false;
    assert_int_equal(policy_phase_shown(&asked.input), 2);
}

/* --- planner --- */

static void the_planner_keeps_an_empty_intersection_as_it_is(void **state) {
    (void)state;
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
    show_phase(&asked, 1, 10, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
}

static void the_planner_turns_to_who_waits(void **state) {
    (void)state;
    see_queue(&asked.picture, 1, 1, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
}

static void the_planner_lets_a_queue_go_first(void **state) {
    (void)state;
    see_queue(&asked.picture, 0, 6, at(0));
    see_queue(&asked.picture, 1, 1, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
}

static void the_planner_leaves_the_few_for_the_many(void **state) {
    (void)state;
    see_one(&asked.picture, 0, 90, 12.5, at(0));
    see_queue(&asked.picture, 1, 9, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
}

static void the_planner_waits_for_a_minimum_green(void **state) {
    (void)state;
    see_queue(&asked.picture, 1, 9, at(0));
    show_phase(&asked, 0, 4.9, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
    show_phase(&asked, 0, 5, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
}

static void the_planner_sees_a_platoon_that_still_moves(void **state) {
    (void)state;
    SeenVehicle platoon[6];
    for (unsigned i = 0; i < 6; i++)
        platoon[i] = (SeenVehicle){20 + 14.0 * i, 12.5};
    picture_view(&asked.picture, 0, 6, platoon, 6, at(0));
    see_queue(&asked.picture, 1, 1, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
}

static void the_planner_gives_the_owed_their_green_before_the_guard_must(void **state) {
    (void)state;
    see_queue(&asked.picture, 0, 9, at(0));
    asked.input.since[1] = (Mono){at(0).usec - 82 * SEC}; /* of 90, less 5 and 3 for the way there */
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
    asked.input.since[1] = (Mono){at(0).usec - 40 * SEC};
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
}

/* Group 2 conflicts with everybody; 3 and 0 with each other and with 2. 1 goes with 0 and with 3. */
static void shared_phases(SignalModel *model, Layout *layout) {
    *model = (SignalModel){.n_groups = 4,
                           .conflicts = {12, 4, 11, 5},
                           .all_red_usec = 3 * SEC,
                           .n_phases = 3,
                           .phases = {3, 4, 10}};
    *layout = (Layout){.n_lanes = 4};
    for (unsigned g = 0; g < 4; g++) {
        model->min_green_usec[g] = 5 * SEC;
        model->max_red_usec[g] = 90 * SEC;
        layout->lanes[g] = usual_lane((GroupSet)1 << g);
    }
}

/* Group 2 has waited longest, but 1 has just turned green. To give 3 its green meanwhile would make 2 wait for that. */
static void the_planner_begins_no_green_before_that_of_the_group_owed_longest(void **state) {
    (void)state;
    ask_about(&asked, shared_phases);
    asked.input.since[1] = (Mono){at(0).usec - 2 * SEC};
    asked.input.since[2] = (Mono){at(0).usec - 95 * SEC};
    asked.input.since[3] = (Mono){at(0).usec - 94 * SEC};
    see_queue(&asked.picture, 3, 9, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
    asked.input.since[1] = (Mono){at(0).usec - 5 * SEC};
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
}

static void lefts_yield_to_the_opposite_street_alone(void **state) {
    (void)state;
    const PlannerTable *table = &asked.memory.table;
    assert_int_equal(table->serves[0], 15);
    assert_int_equal(table->yields[0], 12);
    assert_int_equal(table->opposes[0][2], 1 << 1);
    assert_int_equal(table->opposes[0][3], 1 << 0);
    assert_int_equal(table->yields[1], 0);
}

static void the_planner_lets_lefts_finish_before_they_have_to_yield(void **state) {
    (void)state;
    show_phase(&asked, 1, 10, at(0));
    see_queue(&asked.picture, 2, 4, at(0));
    see_queue(&asked.picture, 1, 3, at(0));
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 1);
    asked.model.permitted[0] = 0; /* the same, but nobody yields */
    policy_init(&asked.memory, &asked.model, &asked.layout, &test_scratch);
    assert_phase(choose(&asked, POLICY_PLANNER, at(0)), 0);
}

static void the_planner_knows_that_a_group_of_both_phases_needs_no_clearance(void **state) {
    (void)state;
    const PlannerTable *table = &asked.memory.table;
    assert_false(table->has_clearance[0][1]);
    assert_false(table->has_clearance[1][0]);
    assert_true(table->has_clearance[0][2]);
    assert_int_equal(table->begins[1][0], 15); /* the lefts begin to yield */
    assert_int_equal(table->clears[1][0], 0);
    assert_int_equal(table->clears[0][2], 48);
    assert_int_equal(table->always, 0);
}

static void a_lane_of_which_nothing_is_known_is_served_now_and_then(void **state) {
    (void)state;
    for (unsigned l = 0; l < 4; l++)
        see_queue(&asked.picture, l, 0, at(40));
    see_queue(&asked.picture, 5, 0, at(40)); /* lane 4 has been silent for 40 s */
    show_phase(&asked, 0, 50, at(40));
    assert_phase(choose(&asked, POLICY_PLANNER, at(40)), 2);
}

/* --- actuated --- */

static void actuated_holds_a_green_that_is_used(void **state) {
    (void)state;
    see_queue(&asked.picture, 1, 9, at(0));
    see_one(&asked.picture, 0, 30, 12.5, at(0));
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 0);
}

static void actuated_gives_a_gap_to_who_waits(void **state) {
    (void)state;
    see_queue(&asked.picture, 1, 1, at(0));
    see_one(&asked.picture, 0, 60, 12.5, at(0));
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 1);
}

static void actuated_ends_the_longest_green(void **state) {
    (void)state;
    see_queue(&asked.picture, 0, 9, at(0));
    see_queue(&asked.picture, 1, 1, at(0));
    show_phase(&asked, 0, 49, at(0));
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 0);
    show_phase(&asked, 0, 50, at(0));
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 1);
}

static void actuated_passes_over_phases_that_nobody_waits_for(void **state) {
    (void)state;
    see_queue(&asked.picture, 4, 1, at(0));
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 2);
}

static void actuated_rests_where_it_is(void **state) {
    (void)state;
    assert_phase(choose(&asked, POLICY_ACTUATED, at(0)), 0);
}

/* --- max-pressure --- */

static void pressure_goes_to_the_longest_queue(void **state) {
    (void)state;
    see_queue(&asked.picture, 0, 3, at(0));
    see_queue(&asked.picture, 1, 4, at(0));
    assert_phase(choose(&asked, POLICY_MAX_PRESSURE, at(0)), 1);
}

static void pressure_counts_what_stands_beyond(void **state) {
    (void)state;
    const PolicyBeyond beyond[SIGNAL_GROUPS_MAX] = {[1] = {.is_known = true, .standing_vehicles = 2}};
    see_queue(&asked.picture, 0, 3, at(0));
    see_queue(&asked.picture, 1, 4, at(0));
    asked.input.beyond = beyond;
    assert_phase(choose(&asked, POLICY_MAX_PRESSURE, at(0)), 0);
}

static void pressure_is_weighed_every_ten_seconds(void **state) {
    (void)state;
    see_queue(&asked.picture, 0, 3, at(0));
    assert_phase(choose(&asked, POLICY_MAX_PRESSURE, at(0)), 0);
    for (double sec = 1; sec <= 10; sec++) {
        see_queue(&asked.picture, 0, 0, at(sec));
        see_queue(&asked.picture, 1, 4, at(sec));
        assert_phase(choose(&asked, POLICY_MAX_PRESSURE, at(sec)), sec < 10 ? 0 : 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_has_its_row),
        cmocka_unit_test_setup(fixed_and_rules_leave_the_phase_to_the_plan, two),
        cmocka_unit_test_setup(a_blind_intersection_is_left_to_the_plan, two),
        cmocka_unit_test_setup(a_choice_tells_the_worst_rung_it_stands_on, two),
        cmocka_unit_test_setup(nothing_is_asked_while_a_phase_is_on_its_way, two),
        cmocka_unit_test_setup(the_phase_asked_for_is_the_phase_until_the_lights_contradict_it, two),
        cmocka_unit_test_setup(without_one_it_is_read_off_the_lights, four),
        cmocka_unit_test_setup(the_planner_keeps_an_empty_intersection_as_it_is, two),
        cmocka_unit_test_setup(the_planner_turns_to_who_waits, two),
        cmocka_unit_test_setup(the_planner_lets_a_queue_go_first, two),
        cmocka_unit_test_setup(the_planner_leaves_the_few_for_the_many, two),
        cmocka_unit_test_setup(the_planner_waits_for_a_minimum_green, two),
        cmocka_unit_test_setup(the_planner_sees_a_platoon_that_still_moves, two),
        cmocka_unit_test_setup(the_planner_gives_the_owed_their_green_before_the_guard_must, two),
        cmocka_unit_test(the_planner_begins_no_green_before_that_of_the_group_owed_longest),
        cmocka_unit_test_setup(lefts_yield_to_the_opposite_street_alone, four),
        cmocka_unit_test_setup(the_planner_lets_lefts_finish_before_they_have_to_yield, four),
        cmocka_unit_test_setup(the_planner_knows_that_a_group_of_both_phases_needs_no_clearance, four),
        cmocka_unit_test_setup(a_lane_of_which_nothing_is_known_is_served_now_and_then, four),
        cmocka_unit_test_setup(actuated_holds_a_green_that_is_used, two),
        cmocka_unit_test_setup(actuated_gives_a_gap_to_who_waits, two),
        cmocka_unit_test_setup(actuated_ends_the_longest_green, two),
        cmocka_unit_test_setup(actuated_passes_over_phases_that_nobody_waits_for, four),
        cmocka_unit_test_setup(actuated_rests_where_it_is, two),
        cmocka_unit_test_setup(pressure_goes_to_the_longest_queue, two),
        cmocka_unit_test_setup(pressure_counts_what_stands_beyond, two),
        cmocka_unit_test_setup(pressure_is_weighed_every_ten_seconds, two),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
