/* Hours of city in milliseconds: conditions, and the limits that must hold. The seed is printed; give
 * another as SCENARIO_SEED. */
#include "city-model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const double hour = 3600, quiet = 0.08, rush = 0.32; /* arrivals a second; half a green serves 0.22 */
static Model model;

static uint64_t seed(void) {
    const char *given = getenv("SCENARIO_SEED");
    return given ? strtoull(given, NULL, 10) : 20260;
}

static int fresh_city(void **state) {
    (void)state;
    print_message("SCENARIO_SEED=%llu\n", (unsigned long long)seed());
    model_init(&model, seed());
    return 0;
}

static void set_all(double arrivals_per_sec) {
    for (int i = 0; i < MODEL_INTERSECTIONS; i++)
        for (int d = 0; d < DIRECTION_COUNT; d++)
            model_set_demand(&model, i, (Direction)d, arrivals_per_sec);
}

static void assert_safe(void) {
    assert_int_equal(model.counts.both_green, 0);
    assert_int_equal(model.counts.short_greens, 0);
    assert_int_equal(model.counts.short_clearances, 0);
    assert_int_equal(model.counts.long_reds, 0);
}

static void a_quiet_day_is_left_to_the_plan(void **state) {
    (void)state;
    set_all(0.01);
    model_run(&model, 8 * hour);
    assert_safe();
    assert_int_equal(model.counts.edges[TRAFFIC_CONGESTION], 0);
    assert_int_equal(model.counts.extensions_asked, 0);
    /* a cycle of 34 s with four changes */
    assert_in_range(model.counts.changes, 8 * 3600 * 4 / 34 * 15, 8 * 3600 * 4 / 34 * 17);
}

static void a_rush_on_one_street_is_found_helped_and_over(void **state) {
    (void)state;
    set_all(quiet);
    model_run(&model, hour);
    uint64_t congested_before = model_at(&model, 1, 2)->counts.edges[TRAFFIC_CONGESTION];
    model_set_demand(&model, 1 * MODEL_COLUMNS + 2, DIRECTION_NS, rush);
    model_run(&model, 2 * hour);
    ModelCrossing *crossing = model_at(&model, 1, 2);
    assert_true(crossing->counts.edges[TRAFFIC_CONGESTION] > congested_before);
    assert_int_equal(crossing->intersection.state, TRAFFIC_CONGESTION);
    assert_true(crossing->counts.extensions_granted > 50);
    model_set_demand(&model, 1 * MODEL_COLUMNS + 2, DIRECTION_NS, 0);
    model_set_demand(&model, 1 * MODEL_COLUMNS + 2, DIRECTION_EW, 0);
    model_run(&model, hour);
    assert_int_equal(crossing->intersection.state, TRAFFIC_NORMAL);
    assert_safe();
}

static void the_rules_serve_a_rush_better_than_the_plan_alone(void **state) {
    (void)state;
    double waited[2];
    for (int off = 0; off < 2; off++) {
        model_init(&model, seed());
        set_all(0.05);
        model.rules_are_off = off;
        model_set_demand(&model, 0, DIRECTION_NS, 0.26);
        model_run(&model, 2 * hour);
        waited[off] = model.crossings[0].counts.waited_vehicle_sec;
        assert_safe();
    }
    print_message("waited %.0f vehicle-s with the rules, %.0f without\n", waited[0], waited[1]);
    assert_true(waited[0] < waited[1]);
}

static void requests_stay_within_one_for_each_green(void **state) {
    (void)state;
    set_all(rush);
    model_run(&model, 4 * hour);
    assert_safe();
    assert_true(model.counts.extensions_granted > 0);
    /* four changes a cycle, two of which begin a green */
    assert_true(model.counts.extensions_asked <= model.counts.changes / 2 + MODEL_INTERSECTIONS);
    assert_true(model.counts.extensions_already * 20 <= model.counts.extensions_asked);
}

static void a_wave_turns_its_row_green_within_seven_seconds_and_gives_it_back(void **state) {
    (void)state;
    set_all(quiet);
    for (int round = 0; round < 100; round++) {
        model_run(&model, 61.7 + round); /* at every point of the cycle */
        model_wave(&model, 1, 30);
        model_run(&model, 7.1);
        for (int column = 0; column < MODEL_COLUMNS; column++) {
            assert_true(model_at(&model, 1, column)->approaches[DIRECTION_EW].is_green);
            assert_int_equal(model_at(&model, 1, column)->intersection.state, TRAFFIC_GREEN_WAVE);
        }
        model_run(&model, 20);
        for (int column = 0; column < MODEL_COLUMNS; column++)
            assert_true(model_at(&model, 1, column)->approaches[DIRECTION_EW].is_green);
        model_run(&model, 30);
        for (int column = 0; column < MODEL_COLUMNS; column++)
            assert_int_not_equal(model_at(&model, 1, column)->intersection.state, TRAFFIC_GREEN_WAVE);
    }
    assert_safe();
    assert_int_equal(model.counts.edges[TRAFFIC_GREEN_WAVE], 100 * MODEL_COLUMNS);
}

static void without_sensors_nothing_is_asked_and_the_lights_go_on(void **state) {
    (void)state;
    set_all(rush);
    model_run(&model, hour);
    model.sensors_are_silent = true;
    model_run(&model, 3 * MODEL_LOOP_SEC + 1); /* until the last reading is stale */
    uint64_t asked = model.counts.extensions_asked, changes = model.counts.changes;
    model_run(&model, 6 * hour);
    assert_int_equal(model.counts.extensions_asked, asked);
    assert_in_range(model.counts.changes - changes, 6 * 3600 * 4 / 34 * 15, 6 * 3600 * 4 / 34 * 17);
    assert_safe();
}

static void repeated_events_change_no_decision(void **state) {
    (void)state;
    uint64_t digest[2];
    for (int repeats = 0; repeats < 2; repeats++) {
        model_init(&model, seed());
        set_all(0.2);
        model.repetition = repeats ? 0.5 : 0;
        model_run(&model, 2 * hour);
        digest[repeats] = model.counts.digest;
        assert_int_equal(model.counts.missing, 0);
    }
    assert_true(model.counts.repeats > 1000);
    assert_true(digest[0] == digest[1]);
}

static void lost_events_are_counted_to_the_last_one(void **state) {
    (void)state;
    set_all(0.2);
    model_run(&model, MODEL_LOOP_SEC + 1); /* what a stranger sent before its first event nobody can count */
    model.loss = 0.2;
    model_run(&model, 4 * hour);
    model.loss = 0;
    model_run(&model, MODEL_LOOP_SEC + 1); /* a gap shows when the next event comes */
    assert_true(model.counts.missing > 1000);
    assert_int_equal(model.counts.decided + model.counts.missing, model.counts.events);
    assert_safe();
}

static void the_same_seed_gives_the_same_hours(void **state) {
    (void)state;
    uint64_t digest[3];
    for (uint64_t run = 0; run < 3; run++) {
        model_init(&model, run < 2 ? seed() : seed() + 1);
        set_all(0.2);
        model_run(&model, hour);
        digest[run] = model.counts.digest;
    }
    assert_true(digest[0] == digest[1]);
    assert_true(digest[0] != digest[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_quiet_day_is_left_to_the_plan, fresh_city),
        cmocka_unit_test_setup(a_rush_on_one_street_is_found_helped_and_over, fresh_city),
        cmocka_unit_test_setup(the_rules_serve_a_rush_better_than_the_plan_alone, fresh_city),
        cmocka_unit_test_setup(requests_stay_within_one_for_each_green, fresh_city),
        cmocka_unit_test_setup(a_wave_turns_its_row_green_within_seven_seconds_and_gives_it_back, fresh_city),
        cmocka_unit_test_setup(without_sensors_nothing_is_asked_and_the_lights_go_on, fresh_city),
        cmocka_unit_test_setup(repeated_events_change_no_decision, fresh_city),
        cmocka_unit_test_setup(lost_events_are_counted_to_the_last_one, fresh_city),
        cmocka_unit_test_setup(the_same_seed_gives_the_same_hours, fresh_city),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
