/* Every cell of a store's state table, both sides of every deadline, and who answers. */
#include "core/failover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BEAT = 100, SUSPECT = 300, DEAD = 600, DWELL = 2000, RETURN_BEATS = 5 }; /* ms */

static const FailoverTimes times = {
    .beat_usec = BEAT * USEC_PER_MSEC,
    .suspect_usec = SUSPECT * USEC_PER_MSEC,
    .dead_usec = DEAD * USEC_PER_MSEC,
    .return_beats = RETURN_BEATS,
    .dwell_usec = DWELL * USEC_PER_MSEC,
};

static const uint64_t start_usec = 5 * USEC_PER_SEC;
static Failover failover;

static Mono at(uint64_t msec) {
    return (Mono){start_usec + msec * USEC_PER_MSEC};
}

static int fresh(void **state) {
    (void)state;
    failover_init(&failover, &times, at(0));
    return 0;
}

static StoreState state_of(StoreRole role) {
    return failover.stores[role].state;
}

static FailoverChange beat(StoreRole role, bool can_commit, uint64_t msec) {
    return failover_beat(&failover, role, can_commit, at(msec));
}

/* A tick that is on time, whatever `msec` is: the machine was not stalled, only nothing happened in
 * between. */
static FailoverChanges tick(uint64_t msec) {
    failover.last_tick = at(msec > BEAT ? msec - BEAT : 0);
    return failover_tick(&failover, at(msec));
}

/* Ticks and the replica's beats go on; the primary is silent from 0 on, so it is dead at `msec` >= DEAD. */
static void primary_is_silent_until(uint64_t msec) {
    for (uint64_t t = BEAT; t <= msec; t += BEAT) {
        (void)beat(STORE_ROLE_REPLICA, true, t);
        (void)tick(t);
    }
}

/* --- the cells: ALIVE --- */

static void alive_and_a_good_beat_begins_a_new_deadline(void **state) {
    (void)state;
    (void)beat(STORE_ROLE_PRIMARY, true, SUSPECT - 1);
    assert_false(tick(SUSPECT).of[STORE_ROLE_PRIMARY].has_changed);
    assert_int_equal(state_of(STORE_ROLE_PRIMARY), STORE_ALIVE);
    assert_false(tick(2 * SUSPECT - 2).of[STORE_ROLE_PRIMARY].has_changed);
    assert_true(tick(2 * SUSPECT - 1).of[STORE_ROLE_PRIMARY].has_changed);
}

static void alive_and_a_bad_beat_changes_nothing_and_begins_no_deadline(void **state) {
    (void)state;
    assert_false(beat(STORE_ROLE_PRIMARY, false, SUSPECT - 1).has_changed);
    assert_int_equal(state_of(STORE_ROLE_PRIMARY), STORE_ALIVE);
    assert_true(tick(SUSPECT).of[STORE_ROLE_PRIMARY].has_changed);
}

static void alive_becomes_suspect_at_its_deadline_and_not_before(void **state) {
    (void)state;
    assert_false(tick(SUSPECT - 1).of[STORE_ROLE_PRIMARY].has_changed);
    FailoverChange change = tick(SUSPECT).of[STORE_ROLE_PRIMARY];
    assert_true(change.has_changed);
    assert_int_equal(change.before, STORE_ALIVE);
    assert_int_equal(change.after, STORE_SUSPECT);
    assert_int_equal(change.silence_usec, SUSPECT * USEC_PER_MSEC);
}

static void alive_dies_at_once_when_the_whole_time_has_passed(void **state) {
    (void)state;
    FailoverChange change = tick(DEAD).of[STORE_ROLE_PRIMARY];
    assert_int_equal(change.before, STORE_ALIVE);
    assert_int_equal(change.after, STORE_DEAD);
}

/* --- SUSPECT --- */

static void suspect_is_alive_again_after_one_good_beat(void **state) {
    (void)state;
    (void)tick(SUSPECT);
    FailoverChange change = beat(STORE_ROLE_PRIMARY, true, SUSPECT + 1);
    assert_int_equal(change.before, STORE_SUSPECT);
    assert_int_equal(change.after, STORE_ALIVE);
    assert_false(tick(DEAD).of[STORE_ROLE_PRIMARY].has_changed);
}

static void suspect_stays_suspect_after_a_bad_beat(void **state) {
    (void)state;
    (void)tick(SUSPECT);
    assert_false(beat(STORE_ROLE_PRIMARY, false, SUSPECT + 1).has_changed);
    assert_int_equal(state_of(STORE_ROLE_PRIMARY), STORE_SUSPECT);
}

static void suspect_is_told_once(void **state) {
    (void)state;
    (void)tick(SUSPECT);
    assert_false(tick(DEAD - 1).of[STORE_ROLE_PRIMARY].has_changed);
    assert_int_equal(state_of(STORE_ROLE_PRIMARY), STORE_SUSPECT);
}

static void suspect_dies_at_its_deadline_and_says_how_long_it_took(void **state) {
    (void)state;
    (void)tick(SUSPECT);
    FailoverChange change = tick(DEAD).of[STORE_ROLE_PRIMARY];
    assert_int_equal(change.before, STORE_SUSPECT);
    assert_int_equal(change.after, STORE_DEAD);
    assert_int_equal(change.silence_usec, DEAD * USEC_PER_MSEC);
    assert_false(change.cannot_commit);
}

/* --- DEAD --- */

static void dead_returns_after_enough_good_beats_and_enough_time(void **state) {
    (void)state;
    primary_is_silent_until(DEAD);
    uint64_t first = DEAD + DWELL - (RETURN_BEATS - 1) * BEAT; /* the fifth comes when the dwell is over */
    for (uint64_t i = 0; i < RETURN_BEATS - 1; i++)
        assert_false(beat(STORE_ROLE_PRIMARY, true, first + i * BEAT).has_changed);
    FailoverChange change = beat(STORE_ROLE_PRIMARY, true, DEAD + DWELL);
    assert_true(change.has_changed);
    assert_int_equal(change.before, STORE_DEAD);
    assert_int_equal(change.after, STORE_ALIVE);
    assert_int_equal(change.absence_usec, DWELL * USEC_PER_MSEC);
}

static void dead_does_not_return_before_it_has_dwelt(void **state) {
    (void)state;
    primary_is_silent_until(DEAD);
    for (uint64_t t = DEAD + 1; t < DEAD + DWELL; t += BEAT)
        assert_false(beat(STORE_ROLE_PRIMARY, true, t).has_changed);
    assert_false(beat(STORE_ROLE_PRIMARY, true, DEAD + DWELL - 1).has_changed);
    assert_true(beat(STORE_ROLE_PRIMARY, true, DEAD + DWELL).has_changed);
}

static void dead_begins_to_count_again_after_a_bad_beat(void **state) {
    (void)state;
    primary_is_silent_until(DEAD);
    uint64_t t = DEAD + DWELL;
    for (int i = 0; i < RETURN_BEATS - 1; i++)
        (void)beat(STORE_ROLE_PRIMARY, true, t);
    assert_false(beat(STORE_ROLE_PRIMARY, false, t).has_changed);
    for (int i = 0; i < RETURN_BEATS - 1; i++)
        assert_false(beat(STORE_ROLE_PRIMARY, true, t).has_changed);
    assert_true(beat(STORE_ROLE_PRIMARY, true, t).has_changed);
}

static void dead_begins_to_count_again_after_a_silence(void **state) {
    (void)state;
    const uint64_t silences[] = {SUSPECT, DEAD}; /* either event */
    for (int i = 0; i < 2; i++) {
        failover_init(&failover, &times, at(0));
        primary_is_silent_until(DEAD);
        uint64_t t = DEAD + DWELL;
        for (int n = 0; n < RETURN_BEATS - 1; n++)
            (void)beat(STORE_ROLE_PRIMARY, true, t);
        assert_false(tick(t + silences[i]).of[STORE_ROLE_PRIMARY].has_changed);
        assert_false(beat(STORE_ROLE_PRIMARY, true, t + silences[i]).has_changed);
        assert_int_equal(state_of(STORE_ROLE_PRIMARY), STORE_DEAD);
    }
}

static void a_shorter_silence_does_not_begin_the_count_again(void **state) {
    (void)state;
    primary_is_silent_until(DEAD);
    uint64_t t = DEAD + DWELL;
    for (int n = 0; n < RETURN_BEATS - 1; n++)
        (void)beat(STORE_ROLE_PRIMARY, true, t);
    (void)tick(t + SUSPECT - 1);
    assert_true(beat(STORE_ROLE_PRIMARY, true, t + SUSPECT - 1).has_changed);
}

static void death_is_never_put_off_by_the_dwell(void **state) {
    (void)state;
    primary_is_silent_until(DEAD);
    uint64_t t = DEAD + DWELL;
    for (int n = 0; n < RETURN_BEATS; n++)
        (void)beat(STORE_ROLE_PRIMARY, true, t);
    assert_int_equal(state_of(STORE_ROLE_PRIMARY), STORE_ALIVE);
    assert_int_equal(tick(t + DEAD).of[STORE_ROLE_PRIMARY].after, STORE_DEAD);
}

/* --- what is not in the table --- */

static void a_store_that_beats_but_cannot_commit_dies_for_that_reason(void **state) {
    (void)state;
    FailoverChange change = {0};
    for (uint64_t t = BEAT; t <= DEAD; t += BEAT) {
        (void)beat(STORE_ROLE_PRIMARY, false, t);
        change = tick(t).of[STORE_ROLE_PRIMARY];
    }
    assert_int_equal(change.after, STORE_DEAD);
    assert_true(change.cannot_commit);
}

static void a_store_that_could_not_commit_long_ago_dies_of_silence(void **state) {
    (void)state;
    (void)beat(STORE_ROLE_PRIMARY, false, BEAT);
    FailoverChange change = tick(DEAD).of[STORE_ROLE_PRIMARY];
    assert_int_equal(change.after, STORE_DEAD);
    assert_false(change.cannot_commit);
}

static void a_late_tick_accuses_nobody_and_is_counted(void **state) {
    (void)state;
    (void)failover_tick(&failover, at(BEAT));
    FailoverChanges changes = failover_tick(&failover, at(BEAT + 10 * DEAD));
    assert_false(changes.of[STORE_ROLE_PRIMARY].has_changed);
    assert_false(changes.of[STORE_ROLE_REPLICA].has_changed);
    assert_int_equal(failover.n_own_stalls, 1);
    uint64_t t = BEAT + 10 * DEAD;
    for (uint64_t passed = BEAT; passed < DEAD; passed += BEAT)
        assert_int_not_equal(failover_tick(&failover, at(t + passed)).of[STORE_ROLE_PRIMARY].after,
                             STORE_DEAD);
    assert_int_equal(failover_tick(&failover, at(t + DEAD)).of[STORE_ROLE_PRIMARY].after, STORE_DEAD);
    assert_int_equal(failover.n_own_stalls, 1);
}

/* Once, and after that nobody was heard: a process that stands still again and again would otherwise wait for
 * a dead store for ever. */
static void late_ticks_one_after_the_other_do_not_keep_a_dead_store_alive(void **state) {
    (void)state;
    uint64_t late = 2 * BEAT + 1, n_ticks = 0, msec = 0;
    while (state_of(STORE_ROLE_PRIMARY) != STORE_DEAD && n_ticks < 10) {
        (void)failover_tick(&failover, at(msec += late));
        (void)beat(STORE_ROLE_REPLICA, true, msec + 1);
        (void)beat(STORE_ROLE_PRIMARY, false, msec + 1); /* it beats and cannot commit */
        n_ticks++;
    }
    assert_int_equal(n_ticks, 1 + DEAD / (2 * BEAT));
    assert_int_equal(state_of(STORE_ROLE_REPLICA), STORE_ALIVE);
    assert_int_equal(failover.n_own_stalls, n_ticks);
}

static void two_long_stalls_without_a_beat_between_them_accuse_nobody(void **state) {
    (void)state;
    (void)failover_tick(&failover, at(10 * DEAD));
    assert_false(failover_tick(&failover, at(20 * DEAD)).of[STORE_ROLE_PRIMARY].has_changed);
    assert_false(failover_tick(&failover, at(20 * DEAD + BEAT - 1)).of[STORE_ROLE_PRIMARY].has_changed);
}

static void a_good_beat_earns_a_whole_deadline_after_the_next_stall(void **state) {
    (void)state;
    (void)failover_tick(&failover, at(10 * DEAD));
    (void)beat(STORE_ROLE_PRIMARY, true, 10 * DEAD + 1);
    (void)failover_tick(&failover, at(20 * DEAD));
    assert_int_not_equal(tick(21 * DEAD - 1).of[STORE_ROLE_PRIMARY].after, STORE_DEAD);
    assert_int_equal(tick(21 * DEAD).of[STORE_ROLE_PRIMARY].after, STORE_DEAD);
}

static void the_next_deadline_is_that_of_the_store_heard_longest_ago(void **state) {
    (void)state;
    assert_int_equal(failover_deadline(&failover).usec, at(SUSPECT).usec);
    (void)beat(STORE_ROLE_PRIMARY, true, 30);
    assert_int_equal(failover_deadline(&failover).usec, at(SUSPECT).usec);
    (void)beat(STORE_ROLE_REPLICA, true, 50);
    assert_int_equal(failover_deadline(&failover).usec, at(SUSPECT + 30).usec);
    (void)tick(SUSPECT + 30);
    assert_int_equal(failover_deadline(&failover).usec, at(SUSPECT + 50).usec);
    (void)tick(SUSPECT + 50);
    assert_int_equal(failover_deadline(&failover).usec, at(DEAD + 30).usec);
    (void)tick(DEAD + 50);
    assert_true(mono_is_never(failover_deadline(&failover)));
}

static void a_deadline_between_two_ticks_is_judged_when_it_passes(void **state) {
    (void)state;
    (void)beat(STORE_ROLE_PRIMARY, true, 30);
    (void)tick(DEAD);
    assert_false(failover_judge(&failover, at(DEAD + 29)).of[STORE_ROLE_PRIMARY].has_changed);
    FailoverChange change = failover_judge(&failover, at(DEAD + 30)).of[STORE_ROLE_PRIMARY];
    assert_int_equal(change.after, STORE_DEAD);
    assert_int_equal(change.silence_usec, DEAD * USEC_PER_MSEC);
}

/* Or it would hide from the next tick that we stood still. */
static void judging_between_two_ticks_accuses_nobody_when_the_tick_is_late(void **state) {
    (void)state;
    (void)tick(DEAD - 2 * BEAT - 1);
    assert_false(failover_judge(&failover, at(DEAD)).of[STORE_ROLE_PRIMARY].has_changed);
    (void)failover_tick(&failover, at(DEAD));
    assert_int_equal(failover.n_own_stalls, 1);
    assert_int_not_equal(state_of(STORE_ROLE_PRIMARY), STORE_DEAD);
}

static void two_periods_are_still_on_time(void **state) {
    (void)state;
    (void)failover_tick(&failover, at(2 * BEAT));
    assert_int_equal(failover.n_own_stalls, 0);
    (void)failover_tick(&failover, (Mono){at(4 * BEAT).usec + 1});
    assert_int_equal(failover.n_own_stalls, 1);
}

static void nobody_is_dead_before_the_first_dead_time(void **state) {
    (void)state;
    for (uint64_t t = BEAT; t < DEAD; t += BEAT)
        assert_int_not_equal(tick(t).of[STORE_ROLE_PRIMARY].after, STORE_DEAD);
    assert_int_equal(tick(DEAD).of[STORE_ROLE_PRIMARY].after, STORE_DEAD);
}

static void the_primary_answers_unless_it_is_dead_then_the_replica(void **state) {
    (void)state;
    StoreRole role = STORE_ROLE_REPLICA;
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_PRIMARY);

    primary_is_silent_until(SUSPECT);
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_PRIMARY);

    primary_is_silent_until(DEAD);
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_REPLICA);
    assert_false(failover_is_living(&failover, STORE_ROLE_PRIMARY));
    assert_true(failover_is_living(&failover, STORE_ROLE_REPLICA));
}

static void with_both_dead_nobody_answers(void **state) {
    (void)state;
    StoreRole role = STORE_ROLE_REPLICA;
    (void)tick(DEAD);
    assert_false(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_REPLICA); /* untouched */
}

static void a_store_that_knows_no_queries_lives_and_is_not_asked(void **state) {
    (void)state;
    StoreRole role = STORE_ROLE_PRIMARY;
    failover.stores[STORE_ROLE_PRIMARY].is_mute = true;
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_REPLICA);
    assert_true(failover_is_living(&failover, STORE_ROLE_PRIMARY));
    failover.stores[STORE_ROLE_REPLICA].is_mute = true;
    assert_false(failover_answering(&failover, &role));
}

static void a_store_that_is_being_filled_answers_only_when_there_is_no_other(void **state) {
    (void)state;
    StoreRole role = STORE_ROLE_PRIMARY;
    failover.stores[STORE_ROLE_PRIMARY].is_being_filled = true;
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_REPLICA);
    failover.stores[STORE_ROLE_REPLICA].is_being_filled = true;
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_PRIMARY);
    failover.stores[STORE_ROLE_REPLICA].is_being_filled = false;
    failover.stores[STORE_ROLE_REPLICA].state = STORE_DEAD;
    assert_true(failover_answering(&failover, &role));
    assert_int_equal(role, STORE_ROLE_PRIMARY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(alive_and_a_good_beat_begins_a_new_deadline, fresh),
        cmocka_unit_test_setup(alive_and_a_bad_beat_changes_nothing_and_begins_no_deadline, fresh),
        cmocka_unit_test_setup(alive_becomes_suspect_at_its_deadline_and_not_before, fresh),
        cmocka_unit_test_setup(alive_dies_at_once_when_the_whole_time_has_passed, fresh),
        cmocka_unit_test_setup(suspect_is_alive_again_after_one_good_beat, fresh),
        cmocka_unit_test_setup(suspect_stays_suspect_after_a_bad_beat, fresh),
        cmocka_unit_test_setup(suspect_is_told_once, fresh),
        cmocka_unit_test_setup(suspect_dies_at_its_deadline_and_says_how_long_it_took, fresh),
        cmocka_unit_test_setup(dead_returns_after_enough_good_beats_and_enough_time, fresh),
        cmocka_unit_test_setup(dead_does_not_return_before_it_has_dwelt, fresh),
        cmocka_unit_test_setup(dead_begins_to_count_again_after_a_bad_beat, fresh),
        cmocka_unit_test_setup(dead_begins_to_count_again_after_a_silence, fresh),
        cmocka_unit_test_setup(a_shorter_silence_does_not_begin_the_count_again, fresh),
        cmocka_unit_test_setup(death_is_never_put_off_by_the_dwell, fresh),
        cmocka_unit_test_setup(a_store_that_beats_but_cannot_commit_dies_for_that_reason, fresh),
        cmocka_unit_test_setup(a_store_that_could_not_commit_long_ago_dies_of_silence, fresh),
        cmocka_unit_test_setup(a_late_tick_accuses_nobody_and_is_counted, fresh),
        cmocka_unit_test_setup(late_ticks_one_after_the_other_do_not_keep_a_dead_store_alive, fresh),
        cmocka_unit_test_setup(two_long_stalls_without_a_beat_between_them_accuse_nobody, fresh),
        cmocka_unit_test_setup(a_good_beat_earns_a_whole_deadline_after_the_next_stall, fresh),
        cmocka_unit_test_setup(the_next_deadline_is_that_of_the_store_heard_longest_ago, fresh),
        cmocka_unit_test_setup(a_deadline_between_two_ticks_is_judged_when_it_passes, fresh),
        cmocka_unit_test_setup(judging_between_two_ticks_accuses_nobody_when_the_tick_is_late, fresh),
        cmocka_unit_test_setup(two_periods_are_still_on_time, fresh),
        cmocka_unit_test_setup(nobody_is_dead_before_the_first_dead_time, fresh),
        cmocka_unit_test_setup(the_primary_answers_unless_it_is_dead_then_the_replica, fresh),
        cmocka_unit_test_setup(with_both_dead_nobody_answers, fresh),
        cmocka_unit_test_setup(a_store_that_knows_no_queries_lives_and_is_not_asked, fresh),
        cmocka_unit_test_setup(a_store_that_is_being_filled_answers_only_when_there_is_no_other, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
