/* A plan over phases of several groups: stages with yellow and groups in common, offsets and getting back in step,
 * and whoever commands phases. */
#include "signal-test.h"

enum { NS_STRAIGHT, NS_LEFT, EW_STRAIGHT, EW_LEFT, N_ALL, S_ALL }; /* the phases of four_arms() */

static SignalModel model, streets;

static int make_models(void **state) {
    (void)state;
    model = four_arms();
    streets = two_streets();
    return 0;
}

static SignalPlan started(const SignalModel *of) {
    SignalPlan plan;
    signal_plan_init(&plan, of, &usual_times, at(2), at(0));
    return plan;
}

static void assert_shown(const SignalPlan *plan, const char *expected) {
    assert_shows(&plan->interlock, expected);
}

/* --- stages --- */

static void the_stages_are_green_in_turn_with_their_intergreens(void **state) {
    (void)state;
    SignalPlan plan = started(&model); /* N-T S-T E-T W-T N-L S-L E-L W-L; yellow 3 s, all-red 2 s */
    SignalChange change = run_to(&plan, 2);
    assert_shown(&plan, "ggrrrrrr");
    assert_int_equal(change.green_usec, 15 * SEC);
    change = run_to(&plan, 17);
    assert_shown(&plan, "yyrrrrrr");
    assert_int_equal(change.green_usec, 0);
    assert_int_equal(change.cause, SIGNAL_CAUSE_PLAN);
    change = run_to(&plan, 20);
    assert_shown(&plan, "rrrrrrrr");
    assert_int_equal(change.cause, SIGNAL_CAUSE_PLAN);
    change = run_to(&plan, 22);
    assert_shown(&plan, "rrrrggrr");
    assert_int_equal(change.green_usec, 8 * SEC);
    run_to(&plan, 35);
    assert_shown(&plan, "rrggrrrr");
    run_to(&plan, 55);
    assert_shown(&plan, "rrrrrrgg");
    run_to(&plan, 68);
    assert_shown(&plan, "ggrrrrrr");
}

static void a_group_of_two_stages_in_a_row_stays_green_between_them(void **state) {
    (void)state;
    SignalModel overlap = model;
    overlap.n_stages = 3;
    overlap.stages[1] = (SignalStage){N_ALL, 8 * SEC};
    SignalPlan plan = started(&overlap);
    run_to(&plan, 17);
    assert_shown(&plan, "gyrrrrrr");
    run_to(&plan, 20);
    assert_shown(&plan, "grrrrrrr");
    SignalChange change = run_to(&plan, 22);
    assert_shown(&plan, "grrrgrrr");
    assert_int_equal(change.green_usec, 8 * SEC);
    run_to(&plan, 30);
    assert_shown(&plan, "yrrryrrr");
}

static void an_extension_lengthens_one_stage_and_shortens_the_next(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    SignalRequest request = {.action = SIGNAL_EXTEND, .has_phase = true, .phase = EW_STRAIGHT};
    SignalAnswer answer = request_at(&plan, request, 10);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 25 * SEC);
    SignalChange change = run_to(&plan, 35);
    assert_int_equal(change.cause, SIGNAL_CAUSE_EXTENSION);
    assert_int_equal(change.green_usec, 25 * SEC);
    change = run_to(&plan, 65);
    assert_shown(&plan, "rrrrrrgg");
    assert_int_equal(change.green_usec, 5 * SEC); /* 8 s less 5 s is below the minimum */
}

static void a_phase_that_the_plan_does_not_have_is_not_extended(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    SignalRequest request = {.action = SIGNAL_EXTEND, .has_phase = true, .phase = N_ALL};
    assert_int_equal(request_at(&plan, request, 10).outcome, SIGNAL_NO_SUCH_PHASE);
    request.phase = model.n_phases;
    for (request.action = 0; request.action < (SignalAction)SIGNAL_RELEASE; request.action++)
        assert_int_equal(request_at(&plan, request, 10).outcome, SIGNAL_NO_SUCH_PHASE);
}

/* --- in step --- */

static void an_offset_begins_the_plan_in_the_middle_of_its_cycle(void **state) {
    (void)state;
    SignalModel later =
        streets; /* EW from 10 s to 25 s after the zero, NS from 27 s to 42 s, that is to 8 s */
    later.offset_usec = 10 * SEC;
    SignalPlan plan = started(&later);
    SignalChange change = run_to(&plan, 2);
    assert_greens(change.lights, NS);
    assert_int_equal(change.green_usec, 8 * SEC);
    run_to(&plan, 10);
    assert_greens(signal_plan_lights(&plan), 0);
    run_to(&plan, 12);
    assert_greens(signal_plan_lights(&plan), EW);
}

/* What the plan shows at each second must be what an undisturbed one does. */
static void assert_in_step(SignalPlan *plan, const SignalModel *of, uint64_t from, uint64_t to) {
    SignalPlan undisturbed = started(of);
    run_to(&undisturbed, from);
    for (uint64_t second = from; second < to; second++) {
        run_to(plan, second);
        run_to(&undisturbed, second);
        const Lights shown = signal_plan_lights(plan), expected = signal_plan_lights(&undisturbed);
        assert_int_equal(lights_green(&shown), lights_green(&expected));
    }
}

static void after_a_wave_every_stage_is_green_once_in_full_and_then_the_plan_gets_in_step(void **state) {
    (void)state;
    for (uint64_t begin = 3; begin < 36; begin++)
        for (Direction direction = DIRECTION_NS; direction <= DIRECTION_EW; direction++) {
            SignalPlan plan = started(&streets);
            SignalRequest wave = {.action = SIGNAL_WAVE, .has_direction = true, .direction = direction};
            request_at(&plan, wave, begin);
            assert_in_step(&plan, &streets, begin + 200, begin + 300);
        }
}

static void late_by_little_the_plan_catches_up_with_shorter_greens(void **state) {
    (void)state;
    SignalPlan plan = started(&streets);
    SignalRequest force = {
        .action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_EW, .duration_usec = 9 * SEC};
    request_at(&plan, force, 16); /* to at(25), 8 s late */
    run_to(&plan, 27);
    assert_int_equal(plan.green_ends.usec, at(42).usec); /* full */
    run_to(&plan, 44);
    assert_int_equal(plan.green_ends.usec, at(59).usec); /* full */
    SignalChange change = run_to(&plan, 61);
    assert_int_equal(change.green_usec, 7500 * USEC_PER_MSEC); /* no less than half of it */
    change = run_to(&plan, 71);
    assert_int_equal(change.green_usec, 14500 * USEC_PER_MSEC);
    assert_in_step(&plan, &streets, 90, 200);
}

static void early_by_little_the_plan_waits_with_longer_greens(void **state) {
    (void)state;
    SignalPlan plan = started(&streets);
    SignalRequest force = {
        .action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_EW, .duration_usec = 5 * SEC};
    request_at(&plan, force, 6); /* to at(11), 6 s early */
    run_to(&plan, 13);
    assert_int_equal(plan.green_ends.usec, at(28).usec);
    run_to(&plan, 30);
    SignalChange change = run_to(&plan, 47);
    assert_int_equal(change.green_usec, 21 * SEC);
    assert_in_step(&plan, &streets, 68, 200);
}

static void a_step_that_is_late_by_little_does_not_move_the_plan(void **state) {
    (void)state;
    SignalPlan plan = started(&streets);
    run_to(&plan, 16);
    signal_plan_step(&plan, at_usec(17 * SEC + 30 * USEC_PER_MSEC));
    SignalChange change = signal_plan_step(&plan, at_usec(19 * SEC + 60 * USEC_PER_MSEC));
    assert_greens(change.lights, NS);
    assert_int_equal(change.green_usec, 15 * SEC);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(34).usec);
}

/* --- commanded --- */

static void a_commanded_phase_is_green_as_soon_as_safety_lets_it(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    SignalAnswer answer = command_phase_at(&plan, N_ALL, 10);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.phase, N_ALL);
    assert_int_equal(answer.wait_usec, 5 * SEC);
    assert_int_equal(plan.mode, SIGNAL_MODE_COMMANDED);
    assert_shown(&plan, "gyrrrrrr");
    assert_int_equal(command_phase_at(&plan, N_ALL, 14).wait_usec, 1 * SEC);
    SignalChange change = run_to(&plan, 15);
    assert_shown(&plan, "grrrgrrr");
    assert_int_equal(change.cause, SIGNAL_CAUSE_COMMAND);
}

static void a_command_stands_while_it_is_renewed(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    command_phase_at(&plan, NS_STRAIGHT, 10);
    for (uint64_t second = 11; second <= 60; second++)
        assert_int_equal(command_phase_at(&plan, NS_STRAIGHT, second).outcome, SIGNAL_ALREADY);
    assert_shown(&plan, "ggrrrrrr");
    assert_int_equal(signal_plan_deadline(&plan).usec, at(65).usec);
}

static void without_renewal_the_plan_goes_on_when_the_lease_is_over(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    command_phase_at(&plan, EW_STRAIGHT, 10);
    run_to(&plan, 14);
    assert_int_equal(plan.mode, SIGNAL_MODE_COMMANDED);
    run_to(&plan, 15);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    /* Green since at(15), for as long as its stage is, and then the next one. */
    assert_shown(&plan, "rrggrrrr");
    run_to(&plan, 29);
    assert_shown(&plan, "rrggrrrr");
    run_to(&plan, 30);
    assert_shown(&plan, "rryyrrrr");
    run_to(&plan, 35);
    assert_shown(&plan, "rrrrrrgg");
}

static void a_phase_without_a_stage_gives_way_to_the_stage_before_the_command(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    run_to(&plan, 23);
    assert_shown(&plan, "rrrrggrr"); /* the second stage */
    for (uint64_t second = 29; second < 40; second++)
        command_phase_at(&plan, N_ALL, second);
    assert_shown(&plan, "grrrgrrr");
    run_to(&plan, 44);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    assert_shown(&plan, "yrrrgrrr");
    run_to(&plan, 49);
    assert_shown(&plan, "rrrrggrr");
}

static void a_commander_gets_no_green_below_its_minimum(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    run_to(&plan, 2);
    for (uint64_t second = 3; second < 7; second++) {
        command_phase_at(&plan, second % 2 ? EW_STRAIGHT : NS_LEFT, second);
        assert_shown(&plan, "ggrrrrrr");
    }
    command_phase_at(&plan, EW_STRAIGHT, 7);
    assert_shown(&plan, "yyrrrrrr");
}

static void no_command_keeps_anyone_red_beyond_the_maximum(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    uint64_t red_sec[FOUR_ARMS_GROUPS] = {0};
    for (uint64_t second = 1; second < 1000; second++) {
        command_phase_at(&plan, NS_STRAIGHT, second);
        for (unsigned g = 0; g < model.n_groups; g++) {
            red_sec[g] = plan.interlock.colour[g] == SIGNAL_RED ? red_sec[g] + 1 : 0;
            /* Each of the three other phases may have to wait for two of them. */
            assert_true(red_sec[g] <= 90 + 2 * 10);
        }
    }
    assert_int_equal(plan.mode, SIGNAL_MODE_COMMANDED);
}

static void a_forced_phase_goes_before_the_commander_who_is_back_afterwards(void **state) {
    (void)state;
    SignalPlan plan = started(&streets);
    command_phase_at(&plan, DIRECTION_EW, 3);
    SignalRequest force = {.action = SIGNAL_FORCE, .has_phase = true, .phase = DIRECTION_NS};
    assert_int_equal(request_at(&plan, force, 7).outcome, SIGNAL_GRANTED); /* green from at(9) to at(24) */
    for (uint64_t second = 8; second < 24; second++)
        assert_int_equal(command_phase_at(&plan, DIRECTION_EW, second).outcome, SIGNAL_OUTRANKED);
    assert_int_equal(plan.mode, SIGNAL_MODE_FORCED);
    run_to(&plan, 24);
    assert_int_equal(plan.mode, SIGNAL_MODE_COMMANDED);
    run_to(&plan, 26);
    assert_greens(signal_plan_lights(&plan), EW);
}

static void a_wave_goes_before_the_commander_and_an_extension_is_not_for_him(void **state) {
    (void)state;
    SignalPlan plan = started(&streets);
    command_phase_at(&plan, DIRECTION_EW, 10);
    SignalRequest request = {.action = SIGNAL_EXTEND, .has_phase = true, .phase = DIRECTION_EW};
    assert_int_equal(request_at(&plan, request, 11).outcome, SIGNAL_OUTRANKED);
    request = (SignalRequest){.action = SIGNAL_WAVE, .has_phase = true, .phase = DIRECTION_NS};
    assert_int_equal(request_at(&plan, request, 12).outcome, SIGNAL_GRANTED);
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
    run_to(&plan, 20); /* the lease is over meanwhile, and that is nothing */
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
    run_to(&plan, 44);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
}

/* --- waves that are given back --- */

static SignalRequest wave_of(unsigned phase, uint64_t delay_sec) {
    return (SignalRequest){.action = SIGNAL_WAVE,
                           .has_phase = true,
                           .phase = phase,
                           .priority = SIGNAL_PRIORITY_USUAL,
                           .duration_usec = 60 * SEC,
                           .delay_usec = delay_sec * SEC};
}

static SignalRequest release_of(unsigned phase) {
    return (SignalRequest){.action = SIGNAL_RELEASE, .has_phase = true, .phase = phase};
}

static void a_wave_that_is_given_back_ends_at_once(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    request_at(&plan, wave_of(EW_STRAIGHT, 0), 10);
    run_to(&plan, 20);
    assert_shown(&plan, "rrggrrrr");
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
    assert_int_equal(request_at(&plan, release_of(EW_STRAIGHT), 25).outcome, SIGNAL_GRANTED);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    assert_in_step(&plan, &model, 300, 400);
}

static void a_wave_is_given_back_before_it_starts(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    request_at(&plan, wave_of(EW_STRAIGHT, 5), 3);
    assert_int_equal(request_at(&plan, release_of(EW_STRAIGHT), 4).outcome, SIGNAL_GRANTED);
    assert_in_step(&plan, &model, 5, 100);
}

static void only_the_waves_of_the_phase_are_given_back(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    request_at(&plan, wave_of(EW_STRAIGHT, 0), 10);
    assert_int_equal(request_at(&plan, release_of(NS_STRAIGHT), 11).outcome, SIGNAL_ALREADY);
    run_to(&plan, 30);
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
    SignalRequest latch = {.action = SIGNAL_RELEASE};
    assert_int_equal(request_at(&plan, latch, 31).outcome, SIGNAL_NOT_LATCHED);
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
}

static void a_commanded_phase_goes_on_when_the_wave_over_it_is_given_back(void **state) {
    (void)state;
    SignalPlan plan = started(&model);
    request_at(&plan, wave_of(EW_STRAIGHT, 0), 10);
    run_to(&plan, 20);
    SignalRequest command = {.action = SIGNAL_PHASE, .has_phase = true, .phase = NS_LEFT};
    assert_int_equal(request_at(&plan, command, 24).outcome, SIGNAL_OUTRANKED);
    request_at(&plan, release_of(EW_STRAIGHT), 26);
    assert_int_equal(plan.mode, SIGNAL_MODE_COMMANDED);
    run_to(&plan, 31);
    assert_shown(&plan, "rrrrggrr");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stages_are_green_in_turn_with_their_intergreens),
        cmocka_unit_test(a_group_of_two_stages_in_a_row_stays_green_between_them),
        cmocka_unit_test(an_extension_lengthens_one_stage_and_shortens_the_next),
        cmocka_unit_test(a_phase_that_the_plan_does_not_have_is_not_extended),
        cmocka_unit_test(an_offset_begins_the_plan_in_the_middle_of_its_cycle),
        cmocka_unit_test(after_a_wave_every_stage_is_green_once_in_full_and_then_the_plan_gets_in_step),
        cmocka_unit_test(late_by_little_the_plan_catches_up_with_shorter_greens),
        cmocka_unit_test(early_by_little_the_plan_waits_with_longer_greens),
        cmocka_unit_test(a_step_that_is_late_by_little_does_not_move_the_plan),
        cmocka_unit_test(a_commanded_phase_is_green_as_soon_as_safety_lets_it),
        cmocka_unit_test(a_command_stands_while_it_is_renewed),
        cmocka_unit_test(without_renewal_the_plan_goes_on_when_the_lease_is_over),
        cmocka_unit_test(a_phase_without_a_stage_gives_way_to_the_stage_before_the_command),
        cmocka_unit_test(a_commander_gets_no_green_below_its_minimum),
        cmocka_unit_test(no_command_keeps_anyone_red_beyond_the_maximum),
        cmocka_unit_test(a_forced_phase_goes_before_the_commander_who_is_back_afterwards),
        cmocka_unit_test(a_wave_goes_before_the_commander_and_an_extension_is_not_for_him),
        cmocka_unit_test(a_wave_that_is_given_back_ends_at_once),
        cmocka_unit_test(a_wave_is_given_back_before_it_starts),
        cmocka_unit_test(only_the_waves_of_the_phase_are_given_back),
        cmocka_unit_test(a_commanded_phase_goes_on_when_the_wave_over_it_is_given_back),
    };
    return cmocka_run_group_tests_name("signal-phases", tests, make_models, NULL);
}
