/* The table of waves: who is in charge, and what becomes of the others. */
#include "core/signal-waves.h"
#include "lights-test.h"

#include <errno.h>

static WaveTaken take_wave(SignalWaves *waves, unsigned phase, unsigned priority, uint64_t starts,
                           uint64_t now) {
    const SignalWave asked = {
        .hold = {.phase = phase, .usec = 30 * SEC}, .priority = priority, .starts = at(starts)};
    return signal_waves_take(waves, &asked, at(now));
}

static void begin(SignalWaves *waves, int place, uint64_t seconds) {
    waves->waves[place].hold.has_begun = true;
    waves->waves[place].hold.began = at(seconds);
}

static void an_empty_table_has_nobody_in_charge(void **state) {
    (void)state;
    SignalWaves waves = {0};
    assert_int_equal(signal_waves_first(&waves, at(10)), -1);
    assert_true(mono_is_never(signal_waves_next(&waves, at(10))));
    signal_waves_end(&waves, at(10));
    assert_int_equal(signal_waves_first(&waves, at(10)), -1);
}

static void a_wave_is_in_charge_from_its_start(void **state) {
    (void)state;
    SignalWaves waves = {0};
    WaveTaken taken = take_wave(&waves, 1, 5, 20, 10);
    assert_true(taken.is_first && !taken.is_repeated && taken.rival < 0);
    assert_int_equal(signal_waves_first(&waves, at_usec(20 * SEC - 1)), -1);
    assert_int_equal(signal_waves_next(&waves, at(10)).usec, at(20).usec);
    assert_int_equal(signal_waves_first(&waves, at(20)), taken.place);
    assert_true(mono_is_never(signal_waves_next(&waves, at(20))));
}

static void the_higher_priority_is_in_charge(void **state) {
    (void)state;
    SignalWaves waves = {0};
    int low = take_wave(&waves, 0, 4, 10, 10).place;
    WaveTaken high = take_wave(&waves, 1, 5, 11, 11);
    assert_int_equal(high.rival, low);
    assert_true(high.is_first);
    assert_int_equal(signal_waves_first(&waves, at(11)), high.place);
}

static void among_equals_the_earlier_start_is_in_charge(void **state) {
    (void)state;
    SignalWaves waves = {0};
    int late = take_wave(&waves, 0, 5, 20, 10).place;
    WaveTaken early = take_wave(&waves, 1, 5, 15, 11);
    assert_int_equal(early.rival, late);
    assert_true(early.is_first);
    assert_int_equal(signal_waves_first(&waves, at(30)), early.place);
    WaveTaken same_time = take_wave(&waves, 2, 5, 15, 12);
    assert_false(same_time.is_first);
    assert_int_equal(same_time.rival, early.place);
    assert_int_equal(signal_waves_first(&waves, at(30)), early.place);
}

static void waves_that_do_not_meet_are_no_rivals(void **state) {
    (void)state;
    SignalWaves waves = {0};
    int first = take_wave(&waves, 0, 5, 10, 10).place; /* to at(40), as far as is known */
    assert_int_equal(take_wave(&waves, 1, 5, 40, 10).rival, -1);
    begin(&waves, first, 12); /* to at(42) */
    assert_int_equal(take_wave(&waves, 1, 9, 41, 20).rival, first);
}

static void a_wave_ends_its_time_after_it_began(void **state) {
    (void)state;
    SignalWaves waves = {0};
    int place = take_wave(&waves, 0, 5, 10, 10).place;
    signal_waves_end(&waves, at(1000)); /* it waits for its green */
    assert_int_equal(signal_waves_first(&waves, at(1000)), place);
    begin(&waves, place, 1000);
    signal_waves_end(&waves, at_usec(1030 * SEC - 1));
    assert_int_equal(signal_waves_first(&waves, at(1029)), place);
    signal_waves_end(&waves, at(1030));
    assert_int_equal(signal_waves_first(&waves, at(1030)), -1);
}

static void asked_again_it_is_the_longer_and_more_urgent_of_the_two(void **state) {
    (void)state;
    SignalWaves waves = {0};
    int place = take_wave(&waves, 0, 5, 10, 10).place;
    SignalWave again = {.hold = {.phase = 0, .usec = 50 * SEC}, .priority = 3, .starts = at(15)};
    WaveTaken taken = signal_waves_take(&waves, &again, at(15));
    assert_true(taken.is_repeated);
    assert_int_equal(taken.place, place);
    assert_int_equal(waves.waves[place].hold.usec, 50 * SEC);
    assert_int_equal(waves.waves[place].priority, 5);
    again.hold.usec = 20 * SEC;
    again.priority = 8;
    assert_true(signal_waves_take(&waves, &again, at(15)).is_repeated);
    assert_int_equal(waves.waves[place].hold.usec, 50 * SEC);
    assert_int_equal(waves.waves[place].priority, 8);
}

static void the_same_phase_later_is_another_wave(void **state) {
    (void)state;
    SignalWaves waves = {0};
    int first = take_wave(&waves, 0, 5, 10, 10).place;
    WaveTaken later = take_wave(&waves, 0, 5, 100, 10);
    assert_false(later.is_repeated);
    assert_int_not_equal(later.place, first);
    assert_true(take_wave(&waves, 0, 5, 90, 10).place == later.place); /* earlier than asked before */
    assert_int_equal(waves.waves[later.place].starts.usec, at(90).usec);
}

static void a_full_table_takes_only_what_it_has(void **state) {
    (void)state;
    SignalWaves waves = {0};
    for (unsigned i = 0; i < SIGNAL_WAVES_MAX; i++)
        assert_true(take_wave(&waves, i, 5, 10, 10).place >= 0);
    assert_int_equal(take_wave(&waves, SIGNAL_WAVES_MAX, 9, 10, 10).place, -ENOSPC);
    assert_true(take_wave(&waves, 2, 9, 10, 10).is_repeated);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nobody_in_charge),
        cmocka_unit_test(a_wave_is_in_charge_from_its_start),
        cmocka_unit_test(the_higher_priority_is_in_charge),
        cmocka_unit_test(among_equals_the_earlier_start_is_in_charge),
        cmocka_unit_test(waves_that_do_not_meet_are_no_rivals),
        cmocka_unit_test(a_wave_ends_its_time_after_it_began),
        cmocka_unit_test(asked_again_it_is_the_longer_and_more_urgent_of_the_two),
        cmocka_unit_test(the_same_phase_later_is_another_wave),
        cmocka_unit_test(a_full_table_takes_only_what_it_has),
    };
    return cmocka_run_group_tests_name("signal-waves", tests, NULL, NULL);
}
