/* When the events of a timeline are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/pacing.h"

static Mono at(double sec) {
    return (Mono){usec_from_sec(sec)};
}

static void nothing_is_due_before_the_first_run(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(1);
    assert_true(mono_is_never(pacing_due(&pacing, 0)));
    assert_true(mono_is_never(pacing_due(&pacing, 5 * USEC_PER_SEC)));
}

static void real_time_keeps_recorded_distances(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(1);
    pacing_run(&pacing, at(100));
    assert_int_equal(pacing_due(&pacing, 0).usec, at(100).usec);
    assert_int_equal(pacing_due(&pacing, usec_from_sec(7.25)).usec, at(107.25).usec);
}

static void sixty_times_real_time_is_a_minute_a_second(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(60);
    pacing_run(&pacing, at(100));
    assert_int_equal(pacing_due(&pacing, usec_from_sec(60)).usec, at(101).usec);
    assert_int_equal(pacing_position(&pacing, at(102)), usec_from_sec(120));
}

static void half_speed_takes_twice_as_long(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(0.5);
    pacing_run(&pacing, at(0));
    assert_int_equal(pacing_due(&pacing, usec_from_sec(10)).usec, at(20).usec);
}

static void speed_zero_makes_everything_due_at_once(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(0);
    pacing_run(&pacing, at(3));
    assert_int_equal(pacing_due(&pacing, usec_from_sec(1e6)).usec, at(3).usec);
}

static void a_pause_moves_what_follows_and_skips_nothing(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(2);
    pacing_run(&pacing, at(10));
    pacing_hold(&pacing, at(11)); /* stands at 2 s of the timeline */
    assert_true(mono_is_never(pacing_due(&pacing, usec_from_sec(4))));
    assert_int_equal(pacing_position(&pacing, at(500)), usec_from_sec(2));
    pacing_run(&pacing, at(1000));
    assert_int_equal(pacing_due(&pacing, usec_from_sec(4)).usec, at(1001).usec);
}

static void what_was_overdue_at_the_pause_is_due_when_it_ends(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(1);
    pacing_run(&pacing, at(0));
    pacing_hold(&pacing, at(5));
    pacing_run(&pacing, at(50));
    assert_int_equal(pacing_due(&pacing, usec_from_sec(3)).usec, at(50).usec);
    assert_int_equal(pacing_due(&pacing, usec_from_sec(5)).usec, at(50).usec);
}

static void repeated_calls_change_nothing(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(1);
    pacing_run(&pacing, at(1));
    pacing_run(&pacing, at(2));
    assert_int_equal(pacing_due(&pacing, usec_from_sec(10)).usec, at(11).usec);
    pacing_hold(&pacing, at(4));
    pacing_hold(&pacing, at(9));
    assert_int_equal(pacing_position(&pacing, at(20)), usec_from_sec(3));
}

static void an_event_is_never_early(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(3);
    pacing_run(&pacing, at(0));
    assert_int_equal(pacing_due(&pacing, 1).usec, 1); /* a third of a microsecond, rounded up */
    assert_int_equal(pacing_due(&pacing, 3).usec, 1);
    assert_int_equal(pacing_due(&pacing, 4).usec, 2);
}

static void the_far_end_of_time_is_never(void **state) {
    (void)state;
    Pacing pacing = pacing_at_speed(1e-9);
    pacing_run(&pacing, at(0));
    assert_true(mono_is_never(pacing_due(&pacing, usec_from_sec(1e9))));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_before_the_first_run),
        cmocka_unit_test(real_time_keeps_recorded_distances),
        cmocka_unit_test(sixty_times_real_time_is_a_minute_a_second),
        cmocka_unit_test(half_speed_takes_twice_as_long),
        cmocka_unit_test(speed_zero_makes_everything_due_at_once),
        cmocka_unit_test(a_pause_moves_what_follows_and_skips_nothing),
        cmocka_unit_test(what_was_overdue_at_the_pause_is_due_when_it_ends),
        cmocka_unit_test(repeated_calls_change_nothing),
        cmocka_unit_test(an_event_is_never_early),
        cmocka_unit_test(the_far_end_of_time_is_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
