/* Readings grow stale, states have edges, each congested green is helped once. */
#include "core/intersection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FRESH_SEC = 30, WAVE_SEC = 30 };

static const RuleThresholds limits = {
    .congestion_queue_min = 10,
    .congestion_speed_max_kmh = 20,
    .congestion_count_min = 40,
    .normal_queue_below = 5,
    .normal_speed_above_kmh = 35,
    .normal_count_below = 20,
};

static Intersection crossing;

static int fresh(void **state) {
    (void)state;
    intersection_init(&crossing);
    return 0;
}

static Mono at(double sec) {
    return (Mono){usec_from_sec(100 + sec)};
}

static IntersectionActions step(const IntersectionEvent *event, double sec) {
    return intersection_step(&crossing, &limits, event, at(sec));
}

static IntersectionActions read(Approach approach, Readings readings, double sec) {
    IntersectionEvent event = {.kind = INTERSECTION_READ,
                               .approach = approach,
                               .readings = readings,
                               .fresh_usec = FRESH_SEC * USEC_PER_SEC};
    return step(&event, sec);
}

static IntersectionActions read_queue(Approach approach, double vehicles, double sec) {
    return read(approach, (Readings){.has_queue = true, .queue_vehicles = vehicles}, sec);
}

static IntersectionActions read_speed(Approach approach, double kmh, double sec) {
    return read(approach, (Readings){.has_speed = true, .speed_kmh = kmh}, sec);
}

static IntersectionActions show(Colour ns, Colour ew, double sec) {
    IntersectionEvent event = {.kind = INTERSECTION_LIGHTS};
    event.lights[DIRECTION_NS] = ns;
    event.lights[DIRECTION_EW] = ew;
    return step(&event, sec);
}

static IntersectionActions wave(double sec) {
    IntersectionEvent event = {.kind = INTERSECTION_WAVE, .wave_usec = WAVE_SEC * USEC_PER_SEC};
    return step(&event, sec);
}

static IntersectionActions pass(double sec) {
    IntersectionEvent event = {.kind = INTERSECTION_TIME};
    return step(&event, sec);
}

static void assert_edge(IntersectionActions actions, TrafficState before, TrafficState after) {
    assert_true(actions.has_changed);
    assert_int_equal(actions.before, before);
    assert_int_equal(actions.after, after);
}

static void assert_extends(IntersectionActions actions, Direction direction) {
    assert_true(actions.must_extend);
    assert_true(actions.has_direction);
    assert_int_equal(actions.direction, direction);
}

/* --- states --- */

static void congestion_is_told_once_and_normality_once(void **state) {
    (void)state;
    assert_edge(read_queue(APPROACH_NS, 10, 0), TRAFFIC_NORMAL, TRAFFIC_CONGESTION);
    assert_false(read_queue(APPROACH_NS, 15, 1).has_changed);
    assert_edge(read_queue(APPROACH_NS, 4, 2), TRAFFIC_CONGESTION, TRAFFIC_NORMAL);
    assert_false(read_queue(APPROACH_NS, 4, 3).has_changed);
}

static void between_the_thresholds_the_state_holds(void **state) {
    (void)state;
    assert_false(read_queue(APPROACH_NS, 7, 0).has_changed);
    (void)read_queue(APPROACH_NS, 10, 1);
    assert_false(read_queue(APPROACH_NS, 5, 2).has_changed);
    assert_int_equal(crossing.state, TRAFFIC_CONGESTION);
}

static void a_jam_on_one_street_is_not_hidden_by_the_other(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    assert_false(read_queue(APPROACH_EW, 0, 1).has_changed);
    assert_int_equal(crossing.state, TRAFFIC_CONGESTION);
    assert_edge(read_queue(APPROACH_NS, 0, 2), TRAFFIC_CONGESTION, TRAFFIC_NORMAL);
}

static void two_readings_of_one_approach_are_judged_together(void **state) {
    (void)state;
    (void)read_speed(APPROACH_EW, 15, 0);
    assert_false(read_queue(APPROACH_EW, 0, 1).has_changed); /* the speed is still congested */
    assert_edge(read_speed(APPROACH_EW, 40, 2), TRAFFIC_CONGESTION, TRAFFIC_NORMAL);
}

/* --- staleness --- */

static void a_reading_counts_until_its_last_moment_and_not_longer(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 3, 0);
    assert_true(intersection_readings(&crossing, at(FRESH_SEC)).has_queue);
    assert_false(intersection_readings(&crossing, at(FRESH_SEC + 0.000001)).has_queue);
}

static void a_stale_jam_no_longer_holds_when_another_reading_is_normal(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    assert_false(read_speed(APPROACH_NS, 50, FRESH_SEC).has_changed);
    assert_edge(pass(FRESH_SEC + 0.1), TRAFFIC_CONGESTION, TRAFFIC_NORMAL);
}

static void a_blind_approach_is_forgotten_while_another_sees(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    (void)read_queue(APPROACH_EW, 0, 20);
    assert_int_equal(crossing.state, TRAFFIC_CONGESTION);
    assert_edge(pass(FRESH_SEC + 0.1), TRAFFIC_CONGESTION, TRAFFIC_NORMAL);
    assert_false(read_queue(APPROACH_NS, 7, FRESH_SEC + 1).has_changed); /* nothing to hold */
}

static void when_no_approach_sees_the_state_holds(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    assert_false(pass(10 * FRESH_SEC).has_changed);
    assert_int_equal(crossing.state, TRAFFIC_CONGESTION);
    assert_false(read_queue(APPROACH_NS, 7, 10 * FRESH_SEC + 1).has_changed); /* holds on */
    assert_int_equal(crossing.state, TRAFFIC_CONGESTION);
}

static void the_newest_reading_of_all_approaches_is_the_current_one(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 3, 0);
    (void)read_speed(APPROACH_ANY, 45, 5);
    (void)read_queue(APPROACH_EW, 6, 10);
    (void)read(APPROACH_EW, (Readings){.has_count = true, .count_per_30sec = 9}, 11);
    Readings readings = intersection_readings(&crossing, at(12));
    assert_true(readings.has_queue && readings.queue_vehicles == 6);
    assert_true(readings.has_speed && readings.speed_kmh == 45);
    assert_true(readings.has_count && readings.count_per_30sec == 9);
    ReadingTimes times = intersection_reading_times(&crossing, at(12));
    assert_int_equal(times.queue.usec, at(10).usec);
    assert_int_equal(times.speed.usec, at(5).usec);
    assert_int_equal(times.count.usec, at(11).usec);
}

static void what_is_absent_has_no_time(void **state) {
    (void)state;
    ReadingTimes times = intersection_reading_times(&crossing, at(0));
    assert_true(mono_is_never(times.queue) && mono_is_never(times.speed) && mono_is_never(times.count));
}

/* --- asking for green --- */

static void on_the_edge_the_congested_direction_is_helped(void **state) {
    (void)state;
    assert_extends(read_queue(APPROACH_EW, 12, 0), DIRECTION_EW);
    assert_extends(read_queue(APPROACH_NS, 12, 1), DIRECTION_NS);
}

static void congestion_of_the_whole_intersection_helps_no_direction_by_name(void **state) {
    (void)state;
    IntersectionActions actions = read_queue(APPROACH_ANY, 12, 0);
    assert_true(actions.must_extend);
    assert_false(actions.has_direction);
}

static void further_events_ask_for_nothing(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    assert_false(read_queue(APPROACH_NS, 13, 1).must_extend);
    assert_false(pass(2).must_extend);
}

static void each_new_green_of_a_congested_direction_is_helped_once(void **state) {
    (void)state;
    (void)show(COLOUR_GREEN, COLOUR_RED, 0);
    (void)read_queue(APPROACH_NS, 12, 1); /* asks for the green that is on */
    assert_false(show(COLOUR_GREEN, COLOUR_RED, 2).must_extend);
    assert_false(show(COLOUR_RED, COLOUR_RED, 3).must_extend);
    assert_false(show(COLOUR_RED, COLOUR_GREEN, 4).must_extend); /* the other street is not congested */
    assert_false(show(COLOUR_RED, COLOUR_RED, 5).must_extend);
    assert_extends(show(COLOUR_GREEN, COLOUR_RED, 6), DIRECTION_NS);
    assert_false(show(COLOUR_GREEN, COLOUR_RED, 7).must_extend);
}

static void a_green_is_asked_for_once_even_when_congestion_comes_back_within_it(void **state) {
    (void)state;
    (void)show(COLOUR_GREEN, COLOUR_RED, 0);
    assert_true(read_queue(APPROACH_NS, 12, 1).must_extend);
    (void)read_queue(APPROACH_NS, 0, 2);
    IntersectionActions again = read_queue(APPROACH_NS, 12, 3);
    assert_edge(again, TRAFFIC_NORMAL, TRAFFIC_CONGESTION);
    assert_false(again.must_extend);
}

static void a_request_made_at_red_is_not_repeated_at_the_green_it_was_for(void **state) {
    (void)state;
    (void)show(COLOUR_RED, COLOUR_GREEN, 0);
    assert_extends(read_queue(APPROACH_NS, 12, 1), DIRECTION_NS);
    assert_false(show(COLOUR_GREEN, COLOUR_RED, 2).must_extend);
    (void)show(COLOUR_RED, COLOUR_RED, 3);
    assert_extends(show(COLOUR_GREEN, COLOUR_RED, 4), DIRECTION_NS);
}

static void congestion_of_the_whole_intersection_helps_every_new_green(void **state) {
    (void)state;
    (void)show(COLOUR_GREEN, COLOUR_RED, 0);
    assert_true(read_queue(APPROACH_ANY, 12, 1).must_extend);
    assert_extends(show(COLOUR_RED, COLOUR_GREEN, 2), DIRECTION_EW);
    assert_extends(show(COLOUR_GREEN, COLOUR_RED, 3), DIRECTION_NS);
}

static void the_green_that_the_whole_intersection_asked_for_is_not_asked_for_by_its_street(void **state) {
    (void)state;
    (void)show(COLOUR_GREEN, COLOUR_RED, 0);
    assert_true(read_queue(APPROACH_ANY, 12, 1).must_extend);
    assert_false(read_queue(APPROACH_NS, 12, 2).must_extend);
    assert_extends(read_queue(APPROACH_EW, 12, 3), DIRECTION_EW); /* its next one */
}

static void what_was_asked_at_all_red_is_for_the_green_that_comes_next(void **state) {
    (void)state;
    (void)show(COLOUR_RED, COLOUR_RED, 0);
    assert_true(read_queue(APPROACH_ANY, 12, 1).must_extend);
    (void)read_queue(APPROACH_ANY, 0, 1);
    assert_false(
        read_queue(APPROACH_ANY, 12, 1).must_extend); /* congestion comes and goes: still one request */
    assert_false(show(COLOUR_GREEN, COLOUR_RED, 2).must_extend);
    assert_extends(show(COLOUR_RED, COLOUR_GREEN, 3), DIRECTION_EW);
}

static void the_first_report_of_a_green_counts_as_a_new_green(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    assert_extends(show(COLOUR_GREEN, COLOUR_RED, 1), DIRECTION_NS);
}

static void the_blind_ask_for_nothing(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 0);
    assert_true(show(COLOUR_GREEN, COLOUR_RED, FRESH_SEC).must_extend);
    (void)show(COLOUR_RED, COLOUR_GREEN, FRESH_SEC + 1);
    IntersectionActions actions = show(COLOUR_GREEN, COLOUR_RED, FRESH_SEC + 2);
    assert_int_equal(crossing.state, TRAFFIC_CONGESTION);
    assert_false(actions.must_extend);
}

/* --- the cause --- */

static void congestion_is_told_of_the_approach_that_sees_it(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 0, 0);
    IntersectionActions actions = read_queue(APPROACH_EW, 12, 1);
    assert_true(actions.has_cause);
    assert_int_equal(actions.cause, APPROACH_EW);
    assert_true(intersection_approach_readings(&crossing, APPROACH_EW, at(1)).queue_vehicles == 12);
    assert_false(read_queue(APPROACH_EW, 0, 2).has_cause);
}

static void the_newly_congested_approach_is_told_before_one_that_was(void **state) {
    (void)state;
    (void)read_queue(APPROACH_EW, 12, 0);
    assert_int_equal(read_queue(APPROACH_NS, 12, 1).cause, APPROACH_NS);
    (void)read_queue(APPROACH_NS, 0, 2);
    (void)read_queue(APPROACH_ANY, 12, 3);
    assert_int_equal(read_queue(APPROACH_NS, 12, 4).cause, APPROACH_NS);
}

static void a_new_green_is_asked_for_because_of_its_own_street_first(void **state) {
    (void)state;
    (void)read_queue(APPROACH_ANY, 12, 0);
    (void)read_queue(APPROACH_EW, 12, 0);
    assert_int_equal(show(COLOUR_RED, COLOUR_GREEN, 1).cause, APPROACH_EW);
    assert_int_equal(show(COLOUR_GREEN, COLOUR_RED, 2).cause, APPROACH_ANY);
}

/* --- green wave --- */

static void a_wave_lasts_as_long_as_it_says(void **state) {
    (void)state;
    assert_edge(wave(0), TRAFFIC_NORMAL, TRAFFIC_GREEN_WAVE);
    assert_false(pass(WAVE_SEC - 0.000001).has_changed);
    assert_edge(pass(WAVE_SEC), TRAFFIC_GREEN_WAVE, TRAFFIC_NORMAL);
}

static void a_second_wave_makes_it_longer_and_a_shorter_one_does_not_end_it(void **state) {
    (void)state;
    (void)wave(0);
    assert_false(wave(10).has_changed);
    IntersectionEvent shorter = {.kind = INTERSECTION_WAVE, .wave_usec = 1};
    (void)step(&shorter, 11);
    assert_false(pass(10 + WAVE_SEC - 0.1).has_changed);
    assert_edge(pass(10 + WAVE_SEC), TRAFFIC_GREEN_WAVE, TRAFFIC_NORMAL);
}

static void beneath_a_wave_congestion_is_seen_but_nothing_is_asked(void **state) {
    (void)state;
    (void)wave(0);
    IntersectionActions actions = read_queue(APPROACH_NS, 12, WAVE_SEC - 5);
    assert_false(actions.has_changed);
    assert_false(actions.must_extend);
    assert_false(show(COLOUR_GREEN, COLOUR_RED, WAVE_SEC - 4).must_extend);
    assert_edge(pass(WAVE_SEC), TRAFFIC_GREEN_WAVE, TRAFFIC_CONGESTION);
    (void)show(COLOUR_RED, COLOUR_GREEN, WAVE_SEC + 1);
    assert_extends(show(COLOUR_GREEN, COLOUR_RED, WAVE_SEC + 2), DIRECTION_NS);
}

static void a_wave_takes_a_congested_intersection_and_gives_it_back_congested(void **state) {
    (void)state;
    (void)read_queue(APPROACH_NS, 12, 10);
    assert_edge(wave(10), TRAFFIC_CONGESTION, TRAFFIC_GREEN_WAVE);
    assert_edge(pass(10 + WAVE_SEC), TRAFFIC_GREEN_WAVE, TRAFFIC_CONGESTION);
}

static IntersectionActions end_wave(double sec) {
    IntersectionEvent event = {.kind = INTERSECTION_WAVE_OVER};
    return step(&event, sec);
}

static void a_wave_may_end_before_its_time(void **state) {
    (void)state;
    read_queue(APPROACH_ANY, 12, 0);
    wave(1);
    assert_edge(end_wave(5), TRAFFIC_GREEN_WAVE, TRAFFIC_CONGESTION);
    assert_false(end_wave(6).has_changed);
    assert_edge(wave(7), TRAFFIC_CONGESTION, TRAFFIC_GREEN_WAVE);
    assert_false(pass(7 + WAVE_SEC - 0.1).has_changed); /* another one has all of its time */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(congestion_is_told_once_and_normality_once, fresh),
        cmocka_unit_test_setup(between_the_thresholds_the_state_holds, fresh),
        cmocka_unit_test_setup(a_jam_on_one_street_is_not_hidden_by_the_other, fresh),
        cmocka_unit_test_setup(two_readings_of_one_approach_are_judged_together, fresh),
        cmocka_unit_test_setup(a_reading_counts_until_its_last_moment_and_not_longer, fresh),
        cmocka_unit_test_setup(a_stale_jam_no_longer_holds_when_another_reading_is_normal, fresh),
        cmocka_unit_test_setup(a_blind_approach_is_forgotten_while_another_sees, fresh),
        cmocka_unit_test_setup(when_no_approach_sees_the_state_holds, fresh),
        cmocka_unit_test_setup(the_newest_reading_of_all_approaches_is_the_current_one, fresh),
        cmocka_unit_test_setup(what_is_absent_has_no_time, fresh),
        cmocka_unit_test_setup(on_the_edge_the_congested_direction_is_helped, fresh),
        cmocka_unit_test_setup(congestion_of_the_whole_intersection_helps_no_direction_by_name, fresh),
        cmocka_unit_test_setup(further_events_ask_for_nothing, fresh),
        cmocka_unit_test_setup(each_new_green_of_a_congested_direction_is_helped_once, fresh),
        cmocka_unit_test_setup(a_green_is_asked_for_once_even_when_congestion_comes_back_within_it, fresh),
        cmocka_unit_test_setup(a_request_made_at_red_is_not_repeated_at_the_green_it_was_for, fresh),
        cmocka_unit_test_setup(congestion_of_the_whole_intersection_helps_every_new_green, fresh),
        cmocka_unit_test_setup(the_green_that_the_whole_intersection_asked_for_is_not_asked_for_by_its_street,
                               fresh),
        cmocka_unit_test_setup(what_was_asked_at_all_red_is_for_the_green_that_comes_next, fresh),
        cmocka_unit_test_setup(the_first_report_of_a_green_counts_as_a_new_green, fresh),
        cmocka_unit_test_setup(the_blind_ask_for_nothing, fresh),
        cmocka_unit_test_setup(congestion_is_told_of_the_approach_that_sees_it, fresh),
        cmocka_unit_test_setup(the_newly_congested_approach_is_told_before_one_that_was, fresh),
        cmocka_unit_test_setup(a_new_green_is_asked_for_because_of_its_own_street_first, fresh),
        cmocka_unit_test_setup(a_wave_lasts_as_long_as_it_says, fresh),
        cmocka_unit_test_setup(a_second_wave_makes_it_longer_and_a_shorter_one_does_not_end_it, fresh),
        cmocka_unit_test_setup(beneath_a_wave_congestion_is_seen_but_nothing_is_asked, fresh),
        cmocka_unit_test_setup(a_wave_takes_a_congested_intersection_and_gives_it_back_congested, fresh),
        cmocka_unit_test_setup(a_wave_may_end_before_its_time, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
