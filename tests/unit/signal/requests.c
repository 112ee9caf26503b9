/* What a command means, to whom, and when it is too old. */
#include "requests.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static SignalCommand command_of(Colour new_state) {
    SignalCommand command = {.intersection = "INT-B3", .new_state = new_state};
    message_mark(&command, SignalCommand, intersection);
    message_mark(&command, SignalCommand, new_state);
    return command;
}

static SignalCommand with_action(SignalCommand command, SignalAction action) {
    command.action = action;
    message_mark(&command, SignalCommand, action);
    return command;
}

static SignalCommand with_direction(SignalCommand command, Direction direction) {
    command.direction = direction;
    message_mark(&command, SignalCommand, direction);
    return command;
}

static SignalCommand created_at(double seconds) {
    SignalCommand command = command_of(COLOUR_GREEN);
    command.created_at_sec = seconds;
    message_mark(&command, SignalCommand, created_at_sec);
    return command;
}

static void green_forces_ns_and_red_forces_ew(void **state) {
    (void)state;
    SignalCommand green = command_of(COLOUR_GREEN), red = command_of(COLOUR_RED);
    SignalRequest request = request_from_command(&green);
    assert_int_equal(request.action, SIGNAL_FORCE);
    assert_true(request.has_direction);
    assert_int_equal(request.direction, DIRECTION_NS);
    assert_int_equal(request.duration_usec, 0);
    request = request_from_command(&red);
    assert_int_equal(request.action, SIGNAL_FORCE);
    assert_int_equal(request.direction, DIRECTION_EW);
}

static void a_direction_says_it_plainly(void **state) {
    (void)state;
    SignalCommand command = with_direction(command_of(COLOUR_GREEN), DIRECTION_EW);
    assert_int_equal(request_from_command(&command).direction, DIRECTION_EW);
    command = with_direction(command_of(COLOUR_RED), DIRECTION_NS);
    assert_int_equal(request_from_command(&command).direction, DIRECTION_NS);
}

static void an_extension_has_a_direction_only_when_it_says_one(void **state) {
    (void)state;
    SignalCommand command = with_action(command_of(COLOUR_GREEN), SIGNAL_EXTEND);
    assert_int_equal(request_from_command(&command).action, SIGNAL_EXTEND);
    assert_false(request_from_command(&command).has_direction);
    command = with_direction(command, DIRECTION_EW);
    assert_true(request_from_command(&command).has_direction);
    assert_int_equal(request_from_command(&command).direction, DIRECTION_EW);
}

static void a_wave_keeps_its_direction_and_duration(void **state) {
    (void)state;
    SignalCommand command = with_action(command_of(COLOUR_RED), SIGNAL_WAVE);
    command.duration_sec = 12.5;
    message_mark(&command, SignalCommand, duration_sec);
    SignalRequest request = request_from_command(&command);
    assert_int_equal(request.action, SIGNAL_WAVE);
    assert_true(request.has_direction);
    assert_int_equal(request.direction, DIRECTION_EW);
    assert_int_equal(request.duration_usec, 12500000);
}

static void a_phase_is_named_beside_the_direction_of_older_peers(void **state) {
    (void)state;
    SignalCommand command = with_action(command_of(COLOUR_RED), SIGNAL_PHASE);
    assert_false(request_from_command(&command).has_phase);
    assert_int_equal(request_from_command(&command).direction, DIRECTION_EW);
    message_set(&command, SignalCommand, phase, 7);
    SignalRequest request = request_from_command(&command);
    assert_int_equal(request.action, SIGNAL_PHASE);
    assert_true(request.has_phase);
    assert_int_equal(request.phase, 7);
}

static void a_wave_has_a_priority_and_may_start_later(void **state) {
    (void)state;
    SignalCommand command = with_action(command_of(COLOUR_RED), SIGNAL_WAVE);
    assert_int_equal(request_from_command(&command).priority, SIGNAL_PRIORITY_USUAL);
    assert_int_equal(request_from_command(&command).delay_usec, 0);
    message_set(&command, SignalCommand, priority, 9);
    message_set(&command, SignalCommand, delay_sec, 2.5);
    assert_int_equal(request_from_command(&command).priority, 9);
    assert_int_equal(request_from_command(&command).delay_usec, 2500000);
}

static void age_is_the_time_since_creation_and_never_negative(void **state) {
    (void)state;
    const Wall now = {1700000000 * SEC};
    uint64_t age_usec = 77;
    SignalCommand old = created_at(1700000000 - 2), ahead = created_at(1700000001),
                  unknown = command_of(COLOUR_GREEN);
    assert_true(request_age(&old, now, &age_usec));
    assert_int_equal(age_usec, 2 * SEC);
    assert_true(request_age(&ahead, now, &age_usec));
    assert_int_equal(age_usec, 0);
    age_usec = 77;
    assert_false(request_age(&unknown, now, &age_usec));
    assert_int_equal(age_usec, 77);
}

static int check(double created_sec, Problem *problem) {
    const Wall now = {1700000000 * SEC};
    SignalCommand command = created_at(created_sec);
    Refusal refusal = REFUSAL_NOT_JSON;
    int r = request_check_age(&command, now, 5 * SEC, &refusal, problem);
    assert_int_equal(refusal, r < 0 ? REFUSAL_STALE : REFUSAL_NOT_JSON);
    return r;
}

static void a_request_is_stale_after_the_time_allowed_and_not_at_it(void **state) {
    (void)state;
    Problem problem = {{0}};
    assert_int_equal(check(1700000000 - 5, &problem), 0);
    assert_int_equal(check(1700000000 - 5.001, &problem), -EBADMSG);
    assert_non_null(strstr(problem.text, "of an age of 5.0 s"));
}

static void a_request_from_a_clock_far_ahead_is_refused_as_well(void **state) {
    (void)state;
    Problem problem = {{0}};
    assert_int_equal(check(1700000000 + 5, &problem), 0);
    assert_int_equal(check(1700000000 + 3600, &problem), -EBADMSG);
    assert_non_null(strstr(problem.text, "ahead by 3600.0 s"));
}

static void a_request_without_creation_is_never_stale(void **state) {
    (void)state;
    SignalCommand command = command_of(COLOUR_GREEN);
    Refusal refusal;
    assert_int_equal(request_check_age(&command, (Wall){1}, 0, &refusal, NULL), 0);
}

static City *city_of_two(void) {
    static const char text[] = "{\"name\": \"Two\", \"grid\": {\"rows\": [\"B\"], \"columns\": [3, 4]}, "
                               "\"sensors\": {\"cameras\": [], \"inductive_loops\": [], \"gps\": []}}";
    City *city = NULL;
    Problem problem = {{0}};
    if (city_parse("two.json", text, sizeof text - 1, NULL, &city, &problem) < 0)
        fail_msg("%s", problem.text);
    return city;
}

static void a_known_intersection_is_found(void **state) {
    (void)state;
    scoped(city_freep) City *city = city_of_two();
    SignalCommand command = command_of(COLOUR_GREEN);
    Refusal refusal;
    assert_int_equal(request_intersection(&command, city, true, &refusal, NULL), 0);
}

static void an_unknown_intersection_is_refused_with_the_nearest_name(void **state) {
    (void)state;
    scoped(city_freep) City *city = city_of_two();
    SignalCommand command = command_of(COLOUR_GREEN);
    Refusal refusal = REFUSAL_NOT_JSON;
    Problem problem = {{0}};
    (void)snprintf(command.intersection, sizeof command.intersection, "INT-B44");
    assert_true(request_intersection(&command, city, true, &refusal, &problem) == CITY_NO_INDEX);
    assert_int_equal(refusal, REFUSAL_UNKNOWN_INTERSECTION);
    assert_non_null(strstr(problem.text, "got \"INT-B44\" (did you mean \"INT-B4\"?)"));
    assert_true(request_intersection(&command, city, false, &refusal, &problem) == CITY_NO_INDEX);
    assert_null(strstr(problem.text, "did you mean"));
    (void)snprintf(command.intersection, sizeof command.intersection, "elsewhere");
    assert_true(request_intersection(&command, city, true, &refusal, &problem) == CITY_NO_INDEX);
    assert_null(strstr(problem.text, "did you mean"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(green_forces_ns_and_red_forces_ew),
        cmocka_unit_test(a_direction_says_it_plainly),
        cmocka_unit_test(an_extension_has_a_direction_only_when_it_says_one),
        cmocka_unit_test(a_wave_keeps_its_direction_and_duration),
        cmocka_unit_test(a_phase_is_named_beside_the_direction_of_older_peers),
        cmocka_unit_test(a_wave_has_a_priority_and_may_start_later),
        cmocka_unit_test(age_is_the_time_since_creation_and_never_negative),
        cmocka_unit_test(a_request_is_stale_after_the_time_allowed_and_not_at_it),
        cmocka_unit_test(a_request_from_a_clock_far_ahead_is_refused_as_well),
        cmocka_unit_test(a_request_without_creation_is_never_stale),
        cmocka_unit_test(a_known_intersection_is_found),
        cmocka_unit_test(an_unknown_intersection_is_refused_with_the_nearest_name),
    };
    return cmocka_run_group_tests_name("signal-requests", tests, NULL, NULL);
}
