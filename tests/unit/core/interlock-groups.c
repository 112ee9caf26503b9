/* The interlock with more than two groups: which may be green together, yellow, the guard among many, and models that
 * no check has seen. */
#include "lights-test.h"

enum { PHASE_NS = 0, PHASE_NS_LEFT, PHASE_EW, PHASE_EW_LEFT, PHASE_N, PHASE_S };

static SignalModel model;

static int make_model(void **state) {
    (void)state;
    model = four_arms();
    return 0;
}

/* A phase whose green begins at at(2). */
static Interlock green_phase(unsigned phase) {
    Interlock interlock;
    interlock_init(&interlock, &model, at(0));
    assert_true(interlock_step(&interlock, model.phases[phase], at(2)));
    return interlock;
}

static void groups_that_do_not_conflict_are_green_together(void **state) {
    (void)state;
    /*                                N S E W, and their left turns */
    Interlock interlock = green_phase(PHASE_NS);
    assert_shows(&interlock, "ggrrrrrr");
    interlock = green_phase(PHASE_N);
    assert_shows(&interlock, "grrrgrrr");
}

static void a_green_ends_in_yellow_and_the_all_red_counts_from_its_end(void **state) {
    (void)state;
    Interlock interlock = green_phase(PHASE_NS);
    const GroupSet next = model.phases[PHASE_EW];
    assert_true(interlock_step(&interlock, next, at(10)));
    assert_shows(&interlock, "yyrrrrrr");
    assert_int_equal(interlock_deadline(&interlock).usec, at(13).usec);
    assert_false(interlock_step(&interlock, next, at_usec(13 * SEC - 1)));
    assert_true(interlock_step(&interlock, next, at(13)));
    assert_shows(&interlock, "rrrrrrrr");
    assert_int_equal(interlock_deadline(&interlock).usec, at(15).usec);
    assert_false(interlock_step(&interlock, next, at_usec(15 * SEC - 1)));
    assert_true(interlock_step(&interlock, next, at(15)));
    assert_shows(&interlock, "rrggrrrr");
}

static void a_yellow_is_not_called_back(void **state) {
    (void)state;
    Interlock interlock = green_phase(PHASE_NS);
    const GroupSet same = model.phases[PHASE_NS];
    assert_true(interlock_step(&interlock, 0, at(10)));
    assert_false(interlock_step(&interlock, same, at_usec(13 * SEC - 1)));
    assert_true(interlock_step(&interlock, same, at(13)));
    assert_shows(&interlock, "rrrrrrrr");
    assert_false(interlock_step(&interlock, same, at_usec(15 * SEC - 1)));
    assert_true(interlock_step(&interlock, same, at(15)));
    assert_shows(&interlock, "ggrrrrrr");
}

static void a_group_of_both_phases_stays_green(void **state) {
    (void)state;
    Interlock interlock = green_phase(PHASE_NS);
    const GroupSet next = model.phases[PHASE_N];
    assert_true(interlock_step(&interlock, next, at(10)));
    assert_shows(&interlock, "gyrrrrrr");
    assert_true(interlock_step(&interlock, next, at(13)));
    assert_true(interlock_step(&interlock, next, at(15)));
    assert_shows(&interlock, "grrrgrrr");
    assert_int_equal(interlock.since[NT].usec, at(2).usec);
}

static void each_group_has_its_own_minimum(void **state) {
    (void)state;
    model.min_green_usec[ST] = 9 * SEC;
    Interlock interlock = green_phase(PHASE_NS);
    assert_true(interlock_step(&interlock, 0, at(7)));
    assert_shows(&interlock, "ygrrrrrr");
    assert_true(interlock_step(&interlock, 0, at_usec(11 * SEC - 1)));
    assert_shows(&interlock, "rgrrrrrr");
    assert_true(interlock_step(&interlock, 0, at(11)));
    assert_shows(&interlock, "ryrrrrrr");
}

static void a_request_full_of_conflicts_gets_what_fits_together(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, &model, at(0));
    assert_true(interlock_step(&interlock, UINT32_MAX, at(2)));
    assert_shows(&interlock, "ggrrrrrr");
}

static void groups_that_there_are_not_stay_red(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, &model, at(0));
    assert_false(interlock_step(&interlock, ~(ONLY(FOUR_ARMS_GROUPS) - 1), at(2)));
    assert_shows(&interlock, "rrrrrrrr");
}

static void a_conflict_that_only_one_side_knows_counts_for_both(void **state) {
    (void)state;
    for (unsigned knows = 0; knows < 2; knows++) {
        SignalModel half = two_streets();
        half.conflicts[1 - knows] = 0;
        Interlock interlock;
        interlock_init(&interlock, &half, at(0));
        assert_true(interlock_step(&interlock, NS | EW, at(2)));
        assert_shows(&interlock, "gr");
        assert_true(interlock_step(&interlock, EW, at(7)));
        assert_false(interlock_step(&interlock, EW, at_usec(9 * SEC - 1)));
        assert_true(interlock_step(&interlock, EW, at(9)));
        assert_shows(&interlock, "rg");
    }
}

static void a_conflict_with_itself_is_none(void **state) {
    (void)state;
    SignalModel odd = two_streets();
    odd.conflicts[DIRECTION_EW] |= EW;
    Interlock interlock;
    interlock_init(&interlock, &odd, at(0));
    assert_true(interlock_step(&interlock, EW, at(2)));
    assert_shows(&interlock, "rg");
}

/* --- the guard among many --- */

static void the_guard_ends_only_the_greens_in_the_way(void **state) {
    (void)state;
    /* All but the southern left turn may wait for ever. */
    for (unsigned g = 0; g < model.n_groups; g++)
        model.max_red_usec[g] = g == SL ? 60 * SEC : 600 * SEC;
    Interlock interlock = green_phase(PHASE_NS);
    /* 60 s less yellow and all-red. */
    assert_int_equal(interlock_deadline(&interlock).usec, at(55).usec);
    assert_true(interlock_step(&interlock, model.phases[PHASE_NS], at(55)));
    assert_shows(&interlock, "ygrrrrrr");
    assert_int_equal(interlock.guarded, ONLY(NT));
    assert_true(interlock_step(&interlock, model.phases[PHASE_NS], at(58)));
    assert_true(interlock_step(&interlock, model.phases[PHASE_NS], at(60)));
    assert_shows(&interlock, "rgrrrgrr");
    assert_int_equal(interlock.guarded, ONLY(SL));
}

static void of_many_that_are_owed_the_longest_red_goes_first(void **state) {
    (void)state;
    Interlock interlock = green_phase(PHASE_EW);
    assert_true(
        interlock_step(&interlock, ONLY(NL), at(10))); /* E and W yellow: their reds are the shortest */
    assert_true(interlock_step(&interlock, ONLY(NL), at(13)));
    assert_true(interlock_step(&interlock, ONLY(NL), at(15)));
    assert_shows(&interlock, "rrrrgrrr");
    assert_true(interlock_step(&interlock, 0, at(20)));
    assert_true(interlock_step(&interlock, 0, at(23)));
    /* All are overdue, N S and the other left turns since at(0), E and W since at(13), the northern left turn since
     * at(23); whoever asks, the first are first. */
    assert_true(interlock_step(&interlock, model.phases[PHASE_EW] | ONLY(NL), at(500)));
    assert_shows(&interlock, "ggrrrrrr");
}

static void who_is_owed_a_green_lets_others_begin_that_are_in_nobodys_way(void **state) {
    (void)state;
    for (unsigned g = 0; g < model.n_groups; g++)
        model.max_red_usec[g] = g == SL ? 60 * SEC : 600 * SEC;
    Interlock interlock;
    interlock_init(&interlock, &model, at(0));
    /* The southern left turn is owed its green from 50 s on: N must wait for it, S need not. */
    assert_true(interlock_step(&interlock, ONLY(NT) | ONLY(ST), at_usec(50 * SEC + 1)));
    assert_shows(&interlock, "rgrrrgrr");
}

static void equally_long_reds_go_as_asked(void **state) {
    (void)state;
    Interlock interlock;
    interlock_init(&interlock, &model, at(0));
    assert_true(interlock_step(&interlock, model.phases[PHASE_EW_LEFT], at(500)));
    assert_shows(&interlock, "rrrrrrgg");
}

/* --- latch --- */

static void a_latch_ends_yellows_too_and_keeps_the_reds(void **state) {
    (void)state;
    Interlock interlock = green_phase(PHASE_NS);
    assert_true(interlock_step(&interlock, ONLY(NT), at(10)));
    assert_shows(&interlock, "gyrrrrrr");
    interlock_latch(&interlock, at(11));
    assert_shows(&interlock, "rrrrrrrr");
    assert_int_equal(interlock.since[ST].usec, at(11).usec);
    assert_int_equal(interlock.since[ET].usec, at(0).usec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(groups_that_do_not_conflict_are_green_together, make_model),
        cmocka_unit_test_setup(a_green_ends_in_yellow_and_the_all_red_counts_from_its_end, make_model),
        cmocka_unit_test_setup(a_yellow_is_not_called_back, make_model),
        cmocka_unit_test_setup(a_group_of_both_phases_stays_green, make_model),
        cmocka_unit_test_setup(each_group_has_its_own_minimum, make_model),
        cmocka_unit_test_setup(a_request_full_of_conflicts_gets_what_fits_together, make_model),
        cmocka_unit_test_setup(groups_that_there_are_not_stay_red, make_model),
        cmocka_unit_test_setup(a_conflict_that_only_one_side_knows_counts_for_both, make_model),
        cmocka_unit_test_setup(a_conflict_with_itself_is_none, make_model),
        cmocka_unit_test_setup(the_guard_ends_only_the_greens_in_the_way, make_model),
        cmocka_unit_test_setup(of_many_that_are_owed_the_longest_red_goes_first, make_model),
        cmocka_unit_test_setup(who_is_owed_a_green_lets_others_begin_that_are_in_nobodys_way, make_model),
        cmocka_unit_test_setup(equally_long_reds_go_as_asked, make_model),
        cmocka_unit_test_setup(a_latch_ends_yellows_too_and_keeps_the_reds, make_model),
    };
    return cmocka_run_group_tests_name("interlock-groups", tests, NULL, NULL);
}
