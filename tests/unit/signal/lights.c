/* Many plans on one heap of deadlines, and in whose words each change is told. */
#include "lights.h"
#include "eight-phases.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

enum { MANY = 10000 };

typedef struct Heard {
    size_t n_changes;
    size_t intersection;
    LightsView view;
    char reason[256];
} Heard;

static void hear(size_t intersection, const LightsView *view, void *userdata) {
    Heard *heard = userdata;
    heard->n_changes++;
    heard->intersection = intersection;
    heard->view = *view;
    (void)snprintf(heard->reason, sizeof heard->reason, "%s", view->reason);
}

static Mono at(uint64_t seconds) {
    return (Mono){1000 * SEC + seconds * SEC};
}

static Settings usual_settings(void) {
    return (Settings){.signal_green_sec = 15,
                      .signal_min_green_sec = 5,
                      .signal_all_red_sec = 2,
                      .signal_max_red_sec = 90,
                      .signal_extension_sec = 10,
                      .signal_cross_reduction_sec = 5,
                      .signal_commander_lease_sec = 5,
                      .wave_duration_sec = 30};
}

static CityLights *lights_of(size_t n, Heard *heard) {
    Settings settings = usual_settings();
    CityLights *lights = NULL;
    Problem problem = {{0}};
    if (lights_new(&settings, NULL, n, at(0), hear, heard, &lights, &problem) < 0)
        fail_msg("%s", problem.text);
    return lights;
}

static void run_to(CityLights *lights, uint64_t seconds) {
    while (mono_reached(at(seconds), lights_deadline(lights)))
        lights_step(lights, lights_deadline(lights), SIZE_MAX);
}

static SignalAnswer ask(CityLights *lights, size_t i, SignalAction action, Direction direction,
                        const char *reason, uint64_t seconds) {
    run_to(lights, seconds);
    SignalRequest request = {.action = action, .has_direction = true, .direction = direction};
    return lights_request(lights, i, &request, reason, at(seconds));
}

static void settings_that_leave_no_room_are_refused_as_configuration(void **state) {
    (void)state;
    Settings settings = usual_settings();
    CityLights *lights = NULL;
    Problem problem = {{0}};
    settings.signal_max_red_sec = 28;
    assert_int_equal(lights_new(&settings, NULL, 1, at(0), hear, NULL, &lights, &problem), -EINVAL);
    assert_non_null(strstr(problem.text, "maximum red"));
    settings = usual_settings();
    settings.signal_all_red_sec = 0.5;
    assert_int_equal(lights_new(&settings, NULL, 1, at(0), hear, NULL, &lights, &problem), -EINVAL);
    assert_non_null(strstr(problem.text, "all-red"));
    assert_null(lights);
}

static void a_whole_city_changes_by_one_deadline(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(MANY, &heard);
    assert_int_equal(lights_deadline(lights).usec, at(2).usec);
    lights_step(lights, at(2), 300);
    assert_int_equal(heard.n_changes, 300);
    assert_int_equal(heard.intersection, 299);
    assert_int_equal(lights_deadline(lights).usec, at(2).usec);
    lights_step(lights, at(2), SIZE_MAX);
    assert_int_equal(heard.n_changes, MANY);
    assert_int_equal(lights_deadline(lights).usec, at(17).usec);
}

static void the_plan_speaks_for_itself(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(1, &heard);
    run_to(lights, 2);
    assert_string_equal(heard.reason, "start");
    run_to(lights, 19);
    assert_string_equal(heard.reason, "plan");
    assert_int_equal(heard.view.green_usec, 15 * SEC);
    assert_int_equal(heard.view.last_green.colour[DIRECTION_EW], SIGNAL_GREEN);
    assert_int_equal(heard.view.lights.colour[DIRECTION_NS], SIGNAL_GREEN);
    assert_int_equal(heard.view.changed_at.usec, at(19).usec);
    assert_int_equal(heard.view.next_change_at.usec, at(34).usec);
}

static void a_forced_change_is_told_in_the_words_of_its_request(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(2, &heard);
    assert_int_equal(ask(lights, 1, SIGNAL_FORCE, DIRECTION_NS, "ambulance", 10).outcome, SIGNAL_GRANTED);
    assert_int_equal(heard.intersection, 1);
    assert_string_equal(heard.reason, "ambulance");
    assert_int_equal(lights_count(lights, SIGNAL_MODE_FORCED), 1);
    assert_int_equal(lights_count(lights, SIGNAL_MODE_FIXED), 1);
    /* Asked again in other words it is still the first request. */
    assert_int_equal(ask(lights, 1, SIGNAL_FORCE, DIRECTION_NS, "again", 11).outcome, SIGNAL_ALREADY);
    run_to(lights, 12);
    assert_string_equal(heard.reason, "ambulance");
    run_to(lights, 28);
    assert_string_equal(lights_view(lights, 1).reason, "plan");
    assert_int_equal(lights_count(lights, SIGNAL_MODE_FIXED), 2);
}

static void a_request_without_a_reason_gets_its_kind(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(1, &heard);
    ask(lights, 0, SIGNAL_FORCE, DIRECTION_NS, "ambulance", 10);
    ask(lights, 0, SIGNAL_WAVE, DIRECTION_NS, NULL, 11);
    run_to(lights, 12);
    assert_string_equal(heard.reason, "green wave");
    assert_int_equal(heard.view.green_usec, 30 * SEC);
}

static void an_extension_that_waited_is_told_when_its_green_begins(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(1, &heard);
    ask(lights, 0, SIGNAL_EXTEND, DIRECTION_NS, "congestion detected", 10);
    run_to(lights, 17);
    assert_string_equal(heard.reason, "plan");
    run_to(lights, 19);
    assert_string_equal(heard.reason, "congestion detected");
    assert_int_equal(heard.view.green_usec, 25 * SEC);
}

static void what_was_due_at_the_time_of_a_request_happens_in_its_own_words(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(1, &heard);
    run_to(lights, 16);
    SignalRequest request = {.action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_NS};
    lights_request(lights, 0, &request, "ambulance", at(17));
    assert_string_equal(heard.reason, "plan");
    run_to(lights, 19);
    assert_string_equal(heard.reason, "ambulance");
}

static void a_reason_too_long_for_the_wire_is_cut(void **state) {
    (void)state;
    Heard heard = {0};
    char reason[400];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    scoped(lights_freep) CityLights *lights = lights_of(1, &heard);
    ask(lights, 0, SIGNAL_FORCE, DIRECTION_NS, reason, 10);
    assert_int_equal(strlen(heard.reason), LIGHTS_REASON_MAX_BYTES);
}

static void what_is_left_of_a_wave_counts_from_its_green(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(2, &heard);
    ask(lights, 0, SIGNAL_FORCE, DIRECTION_NS, NULL, 10);
    ask(lights, 1, SIGNAL_WAVE, DIRECTION_NS, NULL, 10);
    run_to(lights, 11);
    assert_int_equal(lights_wave_usec(lights, 0, at(11)), 0);
    assert_int_equal(lights_wave_usec(lights, 1, at(11)), 30 * SEC);
    run_to(lights, 20);
    assert_int_equal(lights_wave_usec(lights, 1, at(20)), 22 * SEC);
    run_to(lights, 42);
    assert_int_equal(lights_wave_usec(lights, 1, at(42)), 0);
}

/* --- a city of two streets and of eight phases --- */

static CityLights *mixed_lights(const SignalModel *eight, Heard *heard) {
    const Settings settings = usual_settings();
    const SignalModel *models[] = {NULL, eight};
    CityLights *lights = NULL;
    Problem problem = {{0}};
    if (lights_new(&settings, models, 2, at(0), hear, heard, &lights, &problem) < 0)
        fail_msg("%s", problem.text);
    return lights;
}

static Colour shown_of(const LightsView *view, Direction direction) {
    return lights_of_direction(view, &view->lights, direction);
}

static void each_intersection_follows_its_own_model(void **state) {
    (void)state;
    const SignalModel eight = eight_phases();
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = mixed_lights(&eight, &heard);
    run_to(lights, 2);
    LightsView streets = lights_view(lights, 0), general = lights_view(lights, 1);
    assert_string_equal(lights_text(&streets).text, "rG");
    assert_string_equal(lights_text(&general).text, "GrrrGrrr");
    assert_true(general.has_phase);
    assert_int_equal(general.phase, 0);
    run_to(lights, 8); /* 6 s from when the others begin */
    general = lights_view(lights, 1);
    assert_string_equal(lights_text(&general).text, "yrrryrrr");
    assert_false(general.has_phase);
}

static void a_direction_is_green_when_any_group_of_it_is(void **state) {
    (void)state;
    const SignalModel eight = eight_phases();
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = mixed_lights(&eight, &heard);
    run_to(lights, 2);
    LightsView view = lights_view(lights, 1);
    assert_int_equal(shown_of(&view, DIRECTION_NS), COLOUR_GREEN);
    assert_int_equal(shown_of(&view, DIRECTION_EW), COLOUR_RED);
    run_to(lights, 9); /* yellow is not green */
    view = lights_view(lights, 1);
    assert_int_equal(shown_of(&view, DIRECTION_NS), COLOUR_RED);
}

static void a_commanded_phase_is_told_in_the_words_of_its_command(void **state) {
    (void)state;
    const SignalModel eight = eight_phases();
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = mixed_lights(&eight, &heard);
    const SignalRequest command = {.action = SIGNAL_PHASE, .has_phase = true, .phase = 7};
    for (uint64_t second = 3; second < 15; second++) {
        run_to(lights, second);
        lights_request(lights, 1, &command, "planner", at(second));
    }
    assert_int_equal(heard.intersection, 1);
    assert_string_equal(heard.reason, "planner");
    assert_string_equal(lights_text(&heard.view).text, "rrrGrrrG");
    assert_int_equal(heard.view.mode, SIGNAL_MODE_COMMANDED);
    assert_int_equal(lights_count(lights, SIGNAL_MODE_COMMANDED), 1);
    run_to(lights, 19);
    assert_int_equal(lights_count(lights, SIGNAL_MODE_COMMANDED), 0);
}

static void of_two_waves_each_is_told_in_its_own_words(void **state) {
    (void)state;
    Heard heard = {0};
    scoped(lights_freep) CityLights *lights = lights_of(1, &heard);
    assert_int_equal(ask(lights, 0, SIGNAL_WAVE, DIRECTION_EW, "ambulance", 10).outcome, SIGNAL_GRANTED);
    SignalAnswer answer = ask(lights, 0, SIGNAL_WAVE, DIRECTION_NS, "fire", 11);
    assert_int_equal(answer.outcome, SIGNAL_QUEUED);
    assert_int_equal(lights_wave_priority(lights, 0, answer.rival), 0);
    run_to(lights, 42);
    assert_string_equal(heard.reason, "fire");
    assert_int_equal(heard.view.lights.colour[DIRECTION_NS], SIGNAL_GREEN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_leave_no_room_are_refused_as_configuration),
        cmocka_unit_test(a_whole_city_changes_by_one_deadline),
        cmocka_unit_test(the_plan_speaks_for_itself),
        cmocka_unit_test(a_forced_change_is_told_in_the_words_of_its_request),
        cmocka_unit_test(a_request_without_a_reason_gets_its_kind),
        cmocka_unit_test(an_extension_that_waited_is_told_when_its_green_begins),
        cmocka_unit_test(what_was_due_at_the_time_of_a_request_happens_in_its_own_words),
        cmocka_unit_test(a_reason_too_long_for_the_wire_is_cut),
        cmocka_unit_test(what_is_left_of_a_wave_counts_from_its_green),
        cmocka_unit_test(each_intersection_follows_its_own_model),
        cmocka_unit_test(a_direction_is_green_when_any_group_of_it_is),
        cmocka_unit_test(a_commanded_phase_is_told_in_the_words_of_its_command),
        cmocka_unit_test(of_two_waves_each_is_told_in_its_own_words),
    };
    return cmocka_run_group_tests_name("signal-lights", tests, NULL, NULL);
}
