/* Green comes in the order of travel, early enough, and is given back. */
#include "core/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* Group 0 ahead, 1 its left; 2 across. Phase 0: ahead, the left yields; 1: both, unhindered; 2: across; 3: the left alone. */
static const SignalModel crossing = {
    .n_groups = 3,
    .conflicts = {4, 4, 3},
    .min_green_usec = {5 * SEC, 6 * SEC, 8 * SEC},
    .all_red_usec = 2 * SEC,
    .yellow_usec = 1 * SEC,
    .n_phases = 4,
    .phases = {3, 3, 4, 2},
    .permitted = {2, 0, 0, 0},
};

/* 200 m at 10 m/s, nobody in front. */
static RouteStop free_stop(void) {
    return (RouteStop){.model = &crossing, .phase = 0, .metres = 200, .speed_mps = 10, .has_queue = true};
}

static double sec(uint64_t usec) {
    return (double)usec / (double)SEC;
}

static void assert_near(double got, double expected) {
    if (got < expected - 0.01 || got > expected + 0.01)
        fail_msg("expected %.3f, got %.3f", expected, got);
}

static void a_phase_lets_the_route_go_unhindered_rather_than_yielding(void **state) {
    (void)state;
    assert_int_equal(route_phase(&crossing, 2, 2), 1);
    assert_int_equal(route_phase(&crossing, 1, 1), 0);
    assert_int_equal(route_phase(&crossing, 4, 4), 2);
}

static void of_phases_that_serve_alike_the_one_that_empties_the_lane_is_taken(void **state) {
    (void)state;
    SignalModel model = crossing;
    model.phases[0] = 1; /* ahead alone: who turns left from the same lane stays in the way */
    assert_int_equal(route_phase(&model, 1, 3), 1);
    assert_int_equal(route_phase(&model, 1, 1), 0);
}

static void a_route_that_no_phase_serves_has_none(void **state) {
    (void)state;
    assert_int_equal(route_phase(&crossing, 8, 8), SIGNAL_PHASES_MAX);
    assert_int_equal(route_phase(&crossing, 0, 1), SIGNAL_PHASES_MAX);
}

static void a_change_takes_the_longest_minimum_of_what_conflicts_and_the_intergreen(void **state) {
    (void)state;
    assert_int_equal(route_change_usec(&crossing, 0), 11 * SEC);
    assert_int_equal(route_change_usec(&crossing, 2), 9 * SEC);
}

static void with_nobody_in_front_green_is_there_just_before_it_comes(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg leg;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.arrival_usec), 20);
    assert_near(sec(leg.ask_usec), 20 - 11 - 2);
    assert_near(sec(leg.passes_usec), 20);
    assert_near(sec(leg.until_usec), 20 + 3 + 2);
}

static void green_comes_so_much_earlier_as_those_in_front_need(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg leg;
    stop.metres = 300;
    stop.queue_vehicles = 2;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.ask_usec), 30 - 11 - 2 - 6 - 2.5);
    assert_near(sec(leg.passes_usec), 30);
}

/* Speeding up at 2 m/s2 takes them half of speed / 2 longer than who is at full speed already. */
static void who_leaves_the_queue_last_has_time_to_get_as_fast(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg slow, fast, free;
    stop.metres = 400;
    stop.queue_vehicles = 1;
    route_plan(&stop, 1, &slow);
    stop.metres = 800;
    stop.speed_mps = 20;
    route_plan(&stop, 1, &fast);
    stop.queue_vehicles = 0;
    route_plan(&stop, 1, &free);
    assert_near(sec(slow.ask_usec) - sec(fast.ask_usec), 2.5);
    assert_near(sec(free.ask_usec) - sec(fast.ask_usec), 4 + 5);
}

static void who_comes_too_late_for_the_queue_waits_behind_it(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg leg;
    stop.queue_vehicles = 10;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.ask_usec), 0);
    assert_near(sec(leg.passes_usec), 11 + 22);
    assert_true(leg.until_usec > leg.passes_usec);
}

static void greens_follow_each_other_at_the_speed_of_travel(void **state) {
    (void)state;
    RouteStop stops[4] = {free_stop(), free_stop(), free_stop(), free_stop()};
    RouteLeg legs[4];
    stops[2].metres = 300;
    route_plan(stops, 4, legs);
    assert_near(sec(legs[1].passes_usec) - sec(legs[0].passes_usec), 20);
    assert_near(sec(legs[2].ask_usec) - sec(legs[1].ask_usec), 30);
    assert_near(sec(legs[3].ask_usec) - sec(legs[2].ask_usec), 20);
}

static void who_left_one_intersection_in_front_is_in_front_at_the_next(void **state) {
    (void)state;
    RouteStop stops[2] = {free_stop(), free_stop()};
    RouteLeg legs[2];
    stops[0].queue_vehicles = 1;
    stops[1].metres = 400;
    route_plan(stops, 2, legs);
    double alone = 60 - 11 - 2;
    assert_true(sec(legs[1].ask_usec) < alone - 2);
}

static void where_nobody_sees_a_few_are_assumed(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg seen, unseen;
    stop.metres = 400;
    route_plan(&stop, 1, &seen);
    stop.has_queue = false;
    stop.queue_vehicles = 1000; /* means nothing */
    route_plan(&stop, 1, &unseen);
    assert_true(unseen.ask_usec < seen.ask_usec);
    assert_true(unseen.ask_usec + 15 * SEC > seen.ask_usec);
}

static void nothing_is_asked_before_who_goes_first_is_through(void **state) {
    (void)state;
    RouteStop stops[2] = {free_stop(), free_stop()};
    RouteLeg legs[2];
    stops[0].held_usec = 30 * SEC;
    route_plan(stops, 2, legs);
    assert_near(sec(legs[0].ask_usec), 30);
    assert_near(sec(legs[0].passes_usec), 41);
    assert_near(sec(legs[1].arrival_usec), 61); /* and all that follows is later */
}

/* Planned again every second while it stands in the queue, the end comes no later. */
static void a_queue_that_leaves_while_green_brings_it_through(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg leg;
    stop.metres = 0;
    stop.is_asked = true;
    stop.asked_usec = 4 * SEC;
    stop.queue_vehicles = 3;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.passes_usec), 7 + 8); /* green in 7 s at the latest */
    stop.asked_usec = 11 * SEC;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.passes_usec), 6); /* it is green: two seconds each */
    stop.queue_vehicles = 0;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.passes_usec), 0);
    assert_int_equal(leg.ask_usec, 0);
}

static void a_queue_that_nobody_sees_leaves_as_time_passes(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg leg;
    stop.metres = 0;
    stop.has_queue = false;
    stop.is_asked = true;
    stop.asked_usec = 11 * SEC;
    route_plan(&stop, 1, &leg);
    double first = sec(leg.passes_usec);
    assert_true(first > 0);
    stop.asked_usec += usec_from_sec(first);
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.passes_usec), 0);
}

static void a_long_way_may_take_longer_than_foreseen_but_not_without_end(void **state) {
    (void)state;
    RouteStop stop = free_stop();
    RouteLeg leg;
    stop.metres = 100000;
    route_plan(&stop, 1, &leg);
    assert_near(sec(leg.until_usec) - sec(leg.passes_usec), 3 + 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_phase_lets_the_route_go_unhindered_rather_than_yielding),
        cmocka_unit_test(of_phases_that_serve_alike_the_one_that_empties_the_lane_is_taken),
        cmocka_unit_test(a_route_that_no_phase_serves_has_none),
        cmocka_unit_test(a_change_takes_the_longest_minimum_of_what_conflicts_and_the_intergreen),
        cmocka_unit_test(with_nobody_in_front_green_is_there_just_before_it_comes),
        cmocka_unit_test(green_comes_so_much_earlier_as_those_in_front_need),
        cmocka_unit_test(who_leaves_the_queue_last_has_time_to_get_as_fast),
        cmocka_unit_test(who_comes_too_late_for_the_queue_waits_behind_it),
        cmocka_unit_test(greens_follow_each_other_at_the_speed_of_travel),
        cmocka_unit_test(who_left_one_intersection_in_front_is_in_front_at_the_next),
        cmocka_unit_test(where_nobody_sees_a_few_are_assumed),
        cmocka_unit_test(nothing_is_asked_before_who_goes_first_is_through),
        cmocka_unit_test(a_queue_that_leaves_while_green_brings_it_through),
        cmocka_unit_test(a_queue_that_nobody_sees_leaves_as_time_passes),
        cmocka_unit_test(a_long_way_may_take_longer_than_foreseen_but_not_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
