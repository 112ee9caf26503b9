/* The plan and the requests that bend it: every cell of mode and request, both sides of every time. EW is
 * green from at(2) to at(17), NS from at(19) to at(34), and so on, unless something is asked. */
#include "signal-test.h"

#include <errno.h>
#include <string.h>

static SignalModel model;

static int make_model(void **state) {
    (void)state;
    model = two_streets();
    return 0;
}

/* Its cycle begins with the first green, at at(2). */
static SignalPlan started(void) {
    SignalPlan plan;
    signal_plan_init(&plan, &model, &usual_times, at(2), at(0));
    return plan;
}

static SignalAnswer ask_for(SignalPlan *plan, SignalAction action, Direction direction, uint64_t duration_sec,
                            uint64_t seconds) {
    return request_at(plan,
                      (SignalRequest){.action = action,
                                      .has_direction = true,
                                      .direction = direction,
                                      .duration_usec = duration_sec * SEC},
                      seconds);
}

static void assert_green_from_to(SignalPlan *plan, Direction direction, uint64_t from, uint64_t to) {
    const GroupSet green = (GroupSet)1 << direction;
    run_to(plan, from - 1);
    assert_all_red(signal_plan_lights(plan));
    run_to(plan, from);
    assert_greens(signal_plan_lights(plan), green);
    assert_false(signal_plan_step(plan, at_usec(to * SEC - 1)).is_change);
    assert_greens(signal_plan_lights(plan), green);
    run_to(plan, to);
    assert_all_red(signal_plan_lights(plan));
}

static void the_plan_gives_each_direction_its_green_in_turn(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_green_from_to(&plan, DIRECTION_EW, 2, 17);
    assert_green_from_to(&plan, DIRECTION_NS, 19, 34);
    assert_green_from_to(&plan, DIRECTION_EW, 36, 51);
}

static void the_first_green_says_start_and_the_others_plan(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalChange change = run_to(&plan, 2);
    assert_int_equal(change.cause, SIGNAL_CAUSE_START);
    assert_int_equal(change.green_usec, 15 * SEC);
    assert_ew_green(change.lights);
    change = run_to(&plan, 17);
    assert_int_equal(change.cause, SIGNAL_CAUSE_PLAN);
    assert_int_equal(change.green_usec, 0);
    assert_all_red(change.lights);
    change = run_to(&plan, 19);
    assert_int_equal(change.cause, SIGNAL_CAUSE_PLAN);
    assert_int_equal(change.green_usec, 15 * SEC);
    assert_ns_green(change.lights);
    assert_int_equal(change.verdict.violation, VIOLATION_NONE);
}

static void the_deadline_is_the_next_change(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_int_equal(signal_plan_deadline(&plan).usec, at(2).usec);
    run_to(&plan, 2);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(17).usec);
    run_to(&plan, 17);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(19).usec);
}

/* --- EXTEND --- */

static void an_extension_lengthens_the_green_and_shortens_the_cross_street_once(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 10);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 0);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(27).usec);
    run_to(&plan, 26);
    assert_ew_green(signal_plan_lights(&plan));
    run_to(&plan, 27);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_NS, 29, 39);
    assert_green_from_to(&plan, DIRECTION_EW, 41, 56);
    assert_green_from_to(&plan, DIRECTION_NS, 58, 73);
}

static void a_green_is_extended_at_most_once(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 10).outcome, SIGNAL_GRANTED);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 20).outcome, SIGNAL_ALREADY);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(27).usec);
    /* Nor does the second one wait for the next green. */
    assert_green_from_to(&plan, DIRECTION_NS, 29, 39);
    assert_green_from_to(&plan, DIRECTION_EW, 41, 56);
}

static void every_green_may_have_its_own_extension(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 10).outcome, SIGNAL_GRANTED);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 41).outcome, SIGNAL_GRANTED);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(66).usec);
}

static void an_extension_of_a_red_direction_waits_for_its_next_green(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_EXTEND, DIRECTION_NS, 0, 10);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 9 * SEC);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_NS, 0, 11).outcome, SIGNAL_ALREADY);
    SignalChange change = run_to(&plan, 19);
    assert_int_equal(change.cause, SIGNAL_CAUSE_EXTENSION);
    assert_int_equal(change.green_usec, 25 * SEC);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_NS, 0, 20).outcome, SIGNAL_ALREADY);
    run_to(&plan, 43);
    assert_ns_green(signal_plan_lights(&plan));
    run_to(&plan, 44);
    assert_green_from_to(&plan, DIRECTION_EW, 46, 56);
    assert_green_from_to(&plan, DIRECTION_NS, 58, 73);
}

static void both_directions_extended_are_each_longer_and_shorter(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 10);
    ask_for(&plan, SIGNAL_EXTEND, DIRECTION_NS, 0, 10);
    run_to(&plan, 27);
    assert_green_from_to(&plan, DIRECTION_NS, 29, 49);
    assert_green_from_to(&plan, DIRECTION_EW, 51, 61);
}

static void a_cross_street_is_never_shortened_below_the_minimum(void **state) {
    (void)state;
    SignalTimes times = usual_times;
    times.cross_reduction_usec = 14 * SEC;
    SignalPlan plan;
    signal_plan_init(&plan, &model, &times, at(2), at(0));
    ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 10);
    run_to(&plan, 27);
    assert_green_from_to(&plan, DIRECTION_NS, 29, 34);
}

static SignalAnswer extend_without_direction(SignalPlan *plan, uint64_t seconds) {
    run_to(plan, seconds);
    SignalRequest request = {.action = SIGNAL_EXTEND, .direction = DIRECTION_NS};
    SignalChange change;
    return signal_plan_request(plan, &request, at(seconds), &change);
}

static void an_extension_without_direction_goes_to_the_green_one(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_int_equal(extend_without_direction(&plan, 10).phase, DIRECTION_EW);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(27).usec);
}

static void an_extension_without_direction_in_all_red_goes_to_the_next_one(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = extend_without_direction(&plan, 18);
    assert_int_equal(answer.phase, DIRECTION_NS);
    assert_int_equal(answer.wait_usec, 1 * SEC);
    assert_green_from_to(&plan, DIRECTION_NS, 19, 44);
}

/* --- FORCE --- */

static void a_forced_change_waits_for_minimum_green_and_all_red(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 3);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 6 * SEC);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(7).usec);
    run_to(&plan, 7);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_NS, 9, 24);
    assert_green_from_to(&plan, DIRECTION_EW, 26, 41);
}

static void a_forced_change_after_the_minimum_happens_at_once(void **state) {
    (void)state;
    SignalPlan plan = started();
    run_to(&plan, 7);
    SignalRequest request = {.action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_NS};
    SignalChange change;
    SignalAnswer answer = signal_plan_request(&plan, &request, at(7), &change);
    assert_int_equal(answer.wait_usec, 2 * SEC);
    assert_true(change.is_change);
    assert_all_red(change.lights);
    assert_int_equal(change.cause, SIGNAL_CAUSE_FORCE);
    change = run_to(&plan, 9);
    assert_int_equal(change.cause, SIGNAL_CAUSE_FORCE);
    assert_int_equal(change.green_usec, 15 * SEC);
}

static void a_duration_counts_from_the_start_of_the_green(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 40, 3);
    run_to(&plan, 7);
    assert_green_from_to(&plan, DIRECTION_NS, 9, 49);
    assert_green_from_to(&plan, DIRECTION_EW, 51, 66);
}

static void a_duration_below_the_minimum_lasts_the_minimum(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 1, 3);
    run_to(&plan, 7);
    SignalChange change = run_to(&plan, 9);
    assert_int_equal(change.green_usec, 5 * SEC);
    run_to(&plan, 13);
    assert_ns_green(signal_plan_lights(&plan));
    run_to(&plan, 14);
    assert_all_red(signal_plan_lights(&plan));
}

static void asking_twice_asks_once(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 3).outcome, SIGNAL_GRANTED);
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 4).outcome, SIGNAL_ALREADY);
    run_to(&plan, 7);
    run_to(&plan, 9);
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 20).outcome, SIGNAL_ALREADY);
    run_to(&plan, 23);
    assert_ns_green(signal_plan_lights(&plan));
    run_to(&plan, 24);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_EW, 26, 41);
}

static void asking_again_for_longer_holds_longer_from_the_same_start(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 3);
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 40, 20).outcome, SIGNAL_ALREADY);
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 10, 21).outcome, SIGNAL_ALREADY);
    run_to(&plan, 48);
    assert_ns_green(signal_plan_lights(&plan));
    run_to(&plan, 49);
    assert_all_red(signal_plan_lights(&plan));
}

static void of_two_forced_changes_the_newer_wins(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 40, 3);
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 0, 20).outcome, SIGNAL_GRANTED);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_EW, 22, 37);
    assert_green_from_to(&plan, DIRECTION_NS, 39, 54);
}

static void forcing_what_is_green_holds_it_from_now_and_never_shortens_it(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 0, 10);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 0);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(25).usec);
    SignalPlan extended = started();
    ask_for(&extended, SIGNAL_EXTEND, DIRECTION_EW, 0, 3);
    ask_for(&extended, SIGNAL_FORCE, DIRECTION_EW, 0, 4);
    assert_int_equal(signal_plan_deadline(&extended).usec, at(27).usec);
}

static void forcing_what_is_green_for_less_ends_it_then(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 3, 8);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(11).usec);
    run_to(&plan, 11);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_NS, 13, 28);
}

static void a_hold_that_ends_before_the_minimum_waits_for_it(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 1, 3);
    run_to(&plan, 4);
    assert_ew_green(signal_plan_lights(&plan));
    assert_int_equal(signal_plan_deadline(&plan).usec, at(7).usec);
    run_to(&plan, 7);
    assert_all_red(signal_plan_lights(&plan));
}

static void a_forced_change_in_all_red_takes_the_green_after_it(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 0, 18);
    assert_int_equal(answer.wait_usec, 1 * SEC);
    assert_green_from_to(&plan, DIRECTION_EW, 19, 34);
    assert_green_from_to(&plan, DIRECTION_NS, 36, 51);
}

static void a_request_at_the_very_time_of_a_change_is_kept(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalRequest request = {.action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_NS};
    SignalChange change;
    SignalAnswer answer = signal_plan_request(&plan, &request, at(2), &change);
    assert_true(change.is_change);
    assert_ew_green(change.lights);
    assert_int_equal(answer.wait_usec, 7 * SEC);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(7).usec);
}

static void an_extension_waits_while_a_green_is_forced(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 7);
    run_to(&plan, 9);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_NS, 0, 10).outcome, SIGNAL_GRANTED);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(24).usec);
    run_to(&plan, 24);
    assert_green_from_to(&plan, DIRECTION_EW, 26, 41);
    assert_green_from_to(&plan, DIRECTION_NS, 43, 68);
}

static void a_forced_green_of_the_cross_street_is_not_shortened(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 5);
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 10);
    assert_green_from_to(&plan, DIRECTION_NS, 12, 27);
    assert_green_from_to(&plan, DIRECTION_EW, 29, 44);
    assert_green_from_to(&plan, DIRECTION_NS, 46, 61);
}

/* --- WAVE --- */

static void a_wave_holds_its_direction_and_gives_it_back(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_WAVE, DIRECTION_NS, 0, 3);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 6 * SEC);
    run_to(&plan, 7);
    SignalChange change = run_to(&plan, 9);
    assert_int_equal(change.cause, SIGNAL_CAUSE_WAVE);
    assert_int_equal(change.green_usec, 30 * SEC);
    run_to(&plan, 38);
    assert_ns_green(signal_plan_lights(&plan));
    change = run_to(&plan, 39);
    assert_all_red(signal_plan_lights(&plan));
    assert_int_equal(change.cause, SIGNAL_CAUSE_PLAN);
    assert_green_from_to(&plan, DIRECTION_EW, 41, 56);
}

static void a_wave_over_what_is_green_lasts_from_the_request(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 20, 16);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(36).usec);
    run_to(&plan, 36);
    assert_green_from_to(&plan, DIRECTION_NS, 38, 53);
}

static void no_forced_change_is_taken_while_a_wave_lasts(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 10);
    SignalAnswer answer = ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 20);
    assert_int_equal(answer.outcome, SIGNAL_OUTRANKED);
    assert_int_equal(answer.wait_usec, 0);
    assert_ew_green(signal_plan_lights(&plan));
    run_to(&plan, 39);
    assert_ew_green(signal_plan_lights(&plan));
    /* At its end the wave is over. */
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 0, 40).outcome, SIGNAL_GRANTED);
}

static void an_extension_waits_while_a_wave_lasts(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 10);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 11).outcome, SIGNAL_GRANTED);
    assert_int_equal(ask_for(&plan, SIGNAL_EXTEND, DIRECTION_EW, 0, 12).outcome, SIGNAL_ALREADY);
    run_to(&plan, 40);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_NS, 42, 57);
    assert_green_from_to(&plan, DIRECTION_EW, 59, 84);
}

static void a_wave_takes_over_from_a_forced_change(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_NS, 60, 3);
    assert_int_equal(ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 20).outcome, SIGNAL_GRANTED);
    assert_all_red(signal_plan_lights(&plan));
    assert_green_from_to(&plan, DIRECTION_EW, 22, 52);
    assert_green_from_to(&plan, DIRECTION_NS, 54, 69);
}

static void the_same_wave_again_is_one_wave(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 10);
    assert_int_equal(ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 20).outcome, SIGNAL_ALREADY);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(40).usec);
}

static void of_two_equal_waves_that_cross_the_earlier_goes_first(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 10);
    SignalAnswer answer = ask_for(&plan, SIGNAL_WAVE, DIRECTION_NS, 0, 20);
    assert_int_equal(answer.outcome, SIGNAL_QUEUED);
    assert_int_equal(answer.wait_usec, 22 * SEC);
    assert_false(answer.is_before_rival);
    run_to(&plan, 39);
    assert_ew_green(signal_plan_lights(&plan));
    run_to(&plan, 40);
    assert_green_from_to(&plan, DIRECTION_NS, 42, 72);
    assert_green_from_to(&plan, DIRECTION_EW, 74, 89);
}

static SignalAnswer wave_of_priority(SignalPlan *plan, Direction direction, unsigned priority,
                                     uint64_t seconds) {
    return request_at(
        plan,
        (SignalRequest){
            .action = SIGNAL_WAVE, .has_direction = true, .direction = direction, .priority = priority},
        seconds);
}

static void a_wave_of_higher_priority_goes_first_and_the_other_has_what_is_left(void **state) {
    (void)state;
    SignalPlan plan = started();
    wave_of_priority(&plan, DIRECTION_EW, 5, 10);
    SignalAnswer answer = wave_of_priority(&plan, DIRECTION_NS, 6, 15);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_true(answer.rival >= 0);
    assert_true(answer.is_before_rival);
    assert_int_equal(answer.wait_usec, 2 * SEC);
    assert_green_from_to(&plan, DIRECTION_NS, 17, 47); /* the other was over at at(40) */
    assert_green_from_to(&plan, DIRECTION_EW, 49, 64);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
}

static void a_wave_that_was_put_aside_goes_on_in_what_is_left_of_its_time(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 60, 10); /* to at(70) */
    wave_of_priority(&plan, DIRECTION_NS, 9, 15);
    run_to(&plan, 47);
    assert_all_red(signal_plan_lights(&plan));
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
    assert_green_from_to(&plan, DIRECTION_EW, 49, 70);
}

static void a_wave_with_a_delay_starts_then(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalRequest request = {.action = SIGNAL_WAVE,
                             .has_direction = true,
                             .direction = DIRECTION_EW,
                             .duration_usec = 20 * SEC,
                             .delay_usec = 15 * SEC};
    SignalAnswer answer = request_at(&plan, request, 10);
    assert_int_equal(answer.outcome, SIGNAL_GRANTED);
    assert_int_equal(answer.wait_usec, 15 * SEC);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    run_to(&plan, 17);
    assert_green_from_to(&plan, DIRECTION_NS, 19, 25);
    assert_int_equal(plan.mode, SIGNAL_MODE_WAVE);
    assert_green_from_to(&plan, DIRECTION_EW, 27, 47);
}

static void a_wave_without_a_place_in_the_table_is_refused(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalRequest request = {.action = SIGNAL_WAVE, .has_direction = true, .direction = DIRECTION_EW};
    for (unsigned i = 0; i < SIGNAL_WAVES_MAX; i++) {
        request.delay_usec = (100 + 100 * i) * SEC;
        assert_int_equal(request_at(&plan, request, 3).outcome, SIGNAL_GRANTED);
    }
    request.delay_usec = 1000 * SEC;
    assert_int_equal(request_at(&plan, request, 3).outcome, SIGNAL_NO_ROOM);
}

static void a_wave_from_start_up_is_the_first_green(void **state) {
    (void)state;
    SignalPlan plan = started();
    SignalAnswer answer = ask_for(&plan, SIGNAL_WAVE, DIRECTION_NS, 0, 1);
    assert_int_equal(answer.wait_usec, 1 * SEC);
    assert_green_from_to(&plan, DIRECTION_NS, 2, 32);
}

/* --- the guard, and the checker at work --- */

static void the_maximum_red_interrupts_a_hold_for_one_minimum_green(void **state) {
    (void)state;
    SignalPlan plan = started(); /* NS is red since at(0) */
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 120, 10);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(88).usec);
    SignalChange change = run_to(&plan, 88);
    assert_int_equal(change.cause, SIGNAL_CAUSE_MAX_RED);
    assert_all_red(change.lights);
    /* Asked during this all-red, the held direction must wait for the other one. */
    assert_int_equal(ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 120, 89).wait_usec, 8 * SEC);
    change = run_to(&plan, 90);
    assert_int_equal(change.cause, SIGNAL_CAUSE_MAX_RED);
    assert_int_equal(change.green_usec, 5 * SEC);
    assert_ns_green(change.lights);
    run_to(&plan, 95);
    change = run_to(&plan, 97);
    assert_int_equal(change.cause, SIGNAL_CAUSE_FORCE);
    assert_int_equal(change.green_usec, 33 * SEC);
    run_to(&plan, 129);
    assert_ew_green(signal_plan_lights(&plan));
    run_to(&plan, 130);
    assert_green_from_to(&plan, DIRECTION_NS, 132, 147);
}

static void a_hold_that_ends_during_the_interruption_leaves_the_plan_in_charge(void **state) {
    (void)state;
    SignalPlan plan = started();
    ask_for(&plan, SIGNAL_FORCE, DIRECTION_EW, 82, 10); /* to at(92) */
    run_to(&plan, 90);
    assert_ns_green(signal_plan_lights(&plan));
    assert_int_equal(signal_plan_deadline(&plan).usec, at(92).usec);
    run_to(&plan, 92);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    run_to(&plan, 104);
    assert_ns_green(signal_plan_lights(&plan));
    run_to(&plan, 105);
    assert_green_from_to(&plan, DIRECTION_EW, 107, 122);
}

static void a_violation_latches_all_red_and_says_which(void **state) {
    (void)state;
    SignalPlan plan = started();
    run_to(&plan, 10);
    break_lights(&plan, 11);
    SignalChange change = signal_plan_step(&plan, at(11));
    assert_true(change.is_change);
    assert_int_equal(change.cause, SIGNAL_CAUSE_VIOLATION);
    assert_int_equal(change.verdict.violation, VIOLATION_NO_CLEARANCE);
    assert_int_equal(change.green_usec, 0);
    assert_all_red(change.lights);
    assert_all_red(signal_plan_lights(&plan));
    assert_true(mono_is_never(signal_plan_deadline(&plan)));
    assert_false(signal_plan_step(&plan, at(1000)).is_change);
    assert_all_red(signal_plan_lights(&plan));
}

static void latched_lights_take_no_request_but_a_release(void **state) {
    (void)state;
    for (SignalAction action = 0; action < (SignalAction)SIGNAL_RELEASE; action++) {
        SignalPlan plan = started();
        run_to(&plan, 10);
        break_lights(&plan, 11);
        signal_plan_step(&plan, at(11));
        SignalRequest request = {.action = action, .has_direction = true, .direction = DIRECTION_EW};
        SignalChange change;
        assert_int_equal(signal_plan_request(&plan, &request, at(12), &change).outcome, SIGNAL_OUT_OF_ORDER);
        assert_false(change.is_change);
        assert_all_red(signal_plan_lights(&plan));
    }
}

static void a_request_may_be_the_one_that_finds_the_violation(void **state) {
    (void)state;
    SignalPlan plan = started();
    run_to(&plan, 10);
    break_lights(&plan, 11);
    SignalRequest request = {.action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_EW};
    SignalChange change;
    assert_int_equal(signal_plan_request(&plan, &request, at(11), &change).outcome, SIGNAL_OUT_OF_ORDER);
    assert_true(change.is_change);
    assert_int_equal(change.cause, SIGNAL_CAUSE_VIOLATION);
}

/* --- release --- */

static void a_release_sends_latched_lights_through_start_up(void **state) {
    (void)state;
    SignalPlan plan = started();
    run_to(&plan, 10);
    break_lights(&plan, 11);
    signal_plan_step(&plan, at(11));
    const SignalRequest request = {.action = SIGNAL_RELEASE},
                        of_a_wave = {.action = SIGNAL_RELEASE, .has_phase = true};
    SignalChange change;
    assert_int_equal(signal_plan_request(&plan, &of_a_wave, at(39), &change).outcome, SIGNAL_OUT_OF_ORDER);
    assert_int_equal(plan.mode, SIGNAL_MODE_LATCHED);
    assert_int_equal(signal_plan_request(&plan, &request, at(40), &change).outcome, SIGNAL_GRANTED);
    assert_true(change.is_change);
    assert_all_red(change.lights);
    assert_int_equal(change.cause, SIGNAL_CAUSE_RELEASE);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    assert_int_equal(signal_plan_deadline(&plan).usec, at(42).usec);
    /* In step with the plans that were not latched: EW from at(36) to at(51). */
    change = run_to(&plan, 42);
    assert_ew_green(change.lights);
    assert_int_equal(change.cause, SIGNAL_CAUSE_START);
    assert_int_equal(change.green_usec, 9 * SEC);
    run_to(&plan, 51);
    assert_green_from_to(&plan, DIRECTION_NS, 53, 68);
}

/* All-red would end that green below its minimum, if the checker still held it against the lights. */
static void a_release_soon_after_a_young_green_is_no_violation(void **state) {
    (void)state;
    SignalPlan plan = started();
    run_to(&plan, 2);
    break_lights(&plan, 3);
    signal_plan_step(&plan, at(3));
    assert_int_equal(plan.mode, SIGNAL_MODE_LATCHED);
    (void)ask_for(&plan, SIGNAL_RELEASE, DIRECTION_EW, 0, 4);
    run_to(&plan, 5);
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
}

static void a_release_of_what_is_not_latched_is_said_to_be_so(void **state) {
    (void)state;
    SignalPlan plan = started();
    assert_int_equal(ask_for(&plan, SIGNAL_RELEASE, DIRECTION_EW, 0, 10).outcome, SIGNAL_NOT_LATCHED);
    assert_ew_green(signal_plan_lights(&plan));
    ask_for(&plan, SIGNAL_WAVE, DIRECTION_EW, 0, 11);
    assert_int_equal(ask_for(&plan, SIGNAL_RELEASE, DIRECTION_EW, 0, 12).outcome, SIGNAL_NOT_LATCHED);
}

/* --- times --- */

static void times_that_leave_each_other_room_are_taken(void **state) {
    (void)state;
    SignalTimes times = usual_times;
    SafetyTimes safety = usual_safety;
    Problem problem = {{0}};
    assert_int_equal(signal_times_check(&times, &model, &problem), 0);
    safety.max_red_usec = 29 * SEC; /* 15 + 10 + 2 × 2 */
    SignalModel tight = signal_model_two_streets(&safety, 15 * SEC);
    assert_int_equal(signal_times_check(&times, &tight, &problem), 0);
    tight.max_red_usec[DIRECTION_EW]--;
    assert_int_equal(signal_times_check(&times, &tight, &problem), -ERANGE);
    assert_non_null(strstr(problem.text, "one of them extended"));
    times.extension_usec = UINT64_MAX - 5;
    assert_int_equal(signal_times_check(&times, &model, &problem), -ERANGE);
}

static void every_mode_cause_and_outcome_has_its_word(void **state) {
    (void)state;
    assert_string_equal(signal_mode_words[SIGNAL_MODE_WAVE], "WAVE");
    assert_string_equal(signal_cause_words[SIGNAL_CAUSE_PLAN], "plan");
    assert_string_equal(signal_outcome_words[SIGNAL_OUTRANKED], "outranked");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_gives_each_direction_its_green_in_turn),
        cmocka_unit_test(the_first_green_says_start_and_the_others_plan),
        cmocka_unit_test(the_deadline_is_the_next_change),
        cmocka_unit_test(an_extension_lengthens_the_green_and_shortens_the_cross_street_once),
        cmocka_unit_test(a_green_is_extended_at_most_once),
        cmocka_unit_test(every_green_may_have_its_own_extension),
        cmocka_unit_test(an_extension_of_a_red_direction_waits_for_its_next_green),
        cmocka_unit_test(both_directions_extended_are_each_longer_and_shorter),
        cmocka_unit_test(a_cross_street_is_never_shortened_below_the_minimum),
        cmocka_unit_test(an_extension_without_direction_goes_to_the_green_one),
        cmocka_unit_test(an_extension_without_direction_in_all_red_goes_to_the_next_one),
        cmocka_unit_test(a_forced_change_waits_for_minimum_green_and_all_red),
        cmocka_unit_test(a_forced_change_after_the_minimum_happens_at_once),
        cmocka_unit_test(a_duration_counts_from_the_start_of_the_green),
        cmocka_unit_test(a_duration_below_the_minimum_lasts_the_minimum),
        cmocka_unit_test(asking_twice_asks_once),
        cmocka_unit_test(asking_again_for_longer_holds_longer_from_the_same_start),
        cmocka_unit_test(of_two_forced_changes_the_newer_wins),
        cmocka_unit_test(forcing_what_is_green_holds_it_from_now_and_never_shortens_it),
        cmocka_unit_test(forcing_what_is_green_for_less_ends_it_then),
        cmocka_unit_test(a_hold_that_ends_before_the_minimum_waits_for_it),
        cmocka_unit_test(a_forced_change_in_all_red_takes_the_green_after_it),
        cmocka_unit_test(a_request_at_the_very_time_of_a_change_is_kept),
        cmocka_unit_test(an_extension_waits_while_a_green_is_forced),
        cmocka_unit_test(a_forced_green_of_the_cross_street_is_not_shortened),
        cmocka_unit_test(a_wave_holds_its_direction_and_gives_it_back),
        cmocka_unit_test(a_wave_over_what_is_green_lasts_from_the_request),
        cmocka_unit_test(no_forced_change_is_taken_while_a_wave_lasts),
        cmocka_unit_test(an_extension_waits_while_a_wave_lasts),
        cmocka_unit_test(a_wave_takes_over_from_a_forced_change),
        cmocka_unit_test(the_same_wave_again_is_one_wave),
        cmocka_unit_test(of_two_equal_waves_that_cross_the_earlier_goes_first),
        cmocka_unit_test(a_wave_of_higher_priority_goes_first_and_the_other_has_what_is_left),
        cmocka_unit_test(a_wave_that_was_put_aside_goes_on_in_what_is_left_of_its_time),
        cmocka_unit_test(a_wave_with_a_delay_starts_then),
        cmocka_unit_test(a_wave_without_a_place_in_the_table_is_refused),
        cmocka_unit_test(a_wave_from_start_up_is_the_first_green),
        cmocka_unit_test(the_maximum_red_interrupts_a_hold_for_one_minimum_green),
        cmocka_unit_test(a_hold_that_ends_during_the_interruption_leaves_the_plan_in_charge),
        cmocka_unit_test(a_violation_latches_all_red_and_says_which),
        cmocka_unit_test(latched_lights_take_no_request_but_a_release),
        cmocka_unit_test(a_request_may_be_the_one_that_finds_the_violation),
        cmocka_unit_test(a_release_sends_latched_lights_through_start_up),
        cmocka_unit_test(a_release_soon_after_a_young_green_is_no_violation),
        cmocka_unit_test(a_release_of_what_is_not_latched_is_said_to_be_so),
        cmocka_unit_test(times_that_leave_each_other_room_are_taken),
        cmocka_unit_test(every_mode_cause_and_outcome_has_its_word),
    };
    return cmocka_run_group_tests_name("signal-plan", tests, make_model, NULL);
}
