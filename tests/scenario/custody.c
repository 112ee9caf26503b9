/* Promise P1 on a virtual clock: whatever befalls the city for hours, once it heals everything that was
 * acknowledged to a sensor's client is in both stores, and nothing waits anywhere; and while it lasts
 * failover keeps its word. Then the same with one rule broken at a time, which the verdict must notice.
 *
 *     test-scenario-custody [SEED]     the seed of the first run of each scenario; printed at the start */
#include "custody-model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000, RUNS = 3, BROKEN_RUNS = 4 };

static uint64_t first_seed = 20263;

static const CustodyScenario faults = {.hours_ms = 2 * HOUR_MS, .events_per_sec = 20, .mean_fault_ms = 3000};

/* --- what each run shows --- */

static void show(uint64_t seed, const CustodyVerdict *v) {
    print_message(
        "seed %llu: %llu events, %llu acknowledged; %llu crashes, %llu cuts, %llu stalls, %llu disks; "
        "lost %llu (excused %llu), duplicate %llu, reused %llu, waiting %llu; false deaths %llu, wrong "
        "answers %llu, none %llu\n",
        (unsigned long long)seed, (unsigned long long)v->n_events, (unsigned long long)v->n_acknowledged,
        (unsigned long long)v->n_crashes, (unsigned long long)v->n_cuts, (unsigned long long)v->n_stalls,
        (unsigned long long)v->n_disks, (unsigned long long)v->n_lost, (unsigned long long)v->n_excused,
        (unsigned long long)v->n_duplicate, (unsigned long long)v->n_reused, (unsigned long long)v->n_backlog,
        (unsigned long long)v->n_false_deaths, (unsigned long long)v->n_wrong_answers,
        (unsigned long long)v->n_no_answers);
}

static CustodyVerdict run(const CustodyScenario *scenario, uint64_t seed) {
    CustodyVerdict verdict = custody_run(scenario, seed);
    show(seed, &verdict);
    return verdict;
}

static void assert_kept(const CustodyVerdict *verdict) {
    assert_int_equal(verdict->n_lost, 0);
    assert_int_equal(verdict->n_backlog, 0);
    assert_int_equal(verdict->n_false_deaths, 0);
    assert_int_equal(verdict->n_wrong_answers, 0);
    assert_int_equal(verdict->n_no_answers, 0);
}

/* A run in which nothing happened proves nothing. */
static void assert_busy(const CustodyVerdict *verdict) {
    assert_true(verdict->n_acknowledged > verdict->n_events / 2);
    assert_true(verdict->n_crashes > 100 && verdict->n_cuts > 100 && verdict->n_stalls > 50);
    assert_true(verdict->n_resent > 1000 && verdict->n_repeats > 1000 && verdict->n_gaps > 1000);
    assert_true(verdict->n_deaths > 10);
}

/* --- the promises --- */

static void without_faults_every_event_is_stored_once_and_none_sent_twice(void **state) {
    (void)state;
    CustodyScenario calm = faults;
    calm.mean_fault_ms = 0;
    CustodyVerdict verdict = run(&calm, first_seed);
    assert_kept(&verdict);
    assert_int_equal(verdict.n_acknowledged, verdict.n_events);
    assert_int_equal(verdict.n_duplicate + verdict.n_reused + verdict.n_repeats + verdict.n_deaths, 0);
}

static void
through_crashes_cuts_stalls_and_refusing_disks_nothing_is_lost_and_no_hop_takes_twice(void **state) {
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + RUNS; seed++) {
        CustodyVerdict verdict = run(&faults, seed);
        assert_busy(&verdict);
        assert_true(verdict.n_fenced > 0);
        assert_kept(&verdict);
        assert_int_equal(verdict.n_duplicate + verdict.n_reused + verdict.n_given_up, 0);
    }
}

static void faults_that_come_faster_than_they_pass_are_survived_too(void **state) {
    (void)state;
    CustodyScenario storm = faults;
    storm.mean_fault_ms = 400;
    storm.hours_ms = HOUR_MS;
    for (uint64_t seed = first_seed; seed < first_seed + RUNS; seed++) {
        CustodyVerdict verdict = run(&storm, seed);
        assert_kept(&verdict);
        assert_int_equal(verdict.n_duplicate + verdict.n_reused + verdict.n_given_up, 0);
    }
}

static void a_store_with_a_new_disk_gets_everything_back(void **state) {
    (void)state;
    CustodyScenario replaced = faults;
    replaced.with_replaced_disks = true;
    for (uint64_t seed = first_seed; seed < first_seed + RUNS; seed++) {
        replaced.with_silences = seed % 2 == 0;
        CustodyVerdict verdict = run(&replaced, seed);
        assert_true(verdict.n_disks > 0 && verdict.n_filled > 0);
        assert_kept(&verdict);
        assert_int_equal(verdict.n_reused, 0);
    }
}

static void a_spool_put_back_from_an_older_copy_loses_only_what_died_with_its_disk(void **state) {
    (void)state;
    CustodyScenario copies = faults;
    copies.with_older_copies = true;
    for (uint64_t seed = first_seed; seed < first_seed + RUNS; seed++) {
        CustodyVerdict verdict = run(&copies, seed);
        assert_true(verdict.n_disks > 0 && verdict.n_new_streams > 0 && verdict.n_given_up > 0);
        assert_kept(&verdict);
    }
}

/* --- the verdict itself --- */

/* In how many runs each thing went wrong. */
typedef struct Noticed {
    unsigned lost, duplicate, waiting, wrong_answers;
} Noticed;

static Noticed break_rule(CustodyBreak rule, bool with_replaced_disks, bool with_older_copies) {
    Noticed noticed = {0};
    CustodyScenario scenario = faults;
    scenario.broken = rule;
    scenario.with_replaced_disks = with_replaced_disks;
    scenario.with_silences = with_replaced_disks;
    scenario.with_older_copies = with_older_copies;
    for (uint64_t seed = first_seed; seed < first_seed + BROKEN_RUNS; seed++) {
        CustodyVerdict verdict = run(&scenario, seed);
        noticed.lost += verdict.n_lost > 0;
        noticed.duplicate += verdict.n_duplicate > 0;
        noticed.waiting += verdict.n_backlog > 0;
        noticed.wrong_answers += verdict.n_wrong_answers > 0;
    }
    return noticed;
}

static void acknowledging_before_the_commit_loses(void **state) {
    (void)state;
    assert_int_equal(break_rule(BREAK_ACKNOWLEDGE_BEFORE_COMMIT, false, false).lost, BROKEN_RUNS);
}

static void sending_before_the_commit_takes_twice(void **state) {
    (void)state;
    assert_int_equal(break_rule(BREAK_SEND_BEFORE_COMMIT, false, false).duplicate, BROKEN_RUNS);
}

static void a_cursor_apart_from_what_it_guards_takes_twice(void **state) {
    (void)state;
    assert_int_equal(break_rule(BREAK_CURSOR_APART, false, false).duplicate, BROKEN_RUNS);
}

static void a_spool_put_back_under_its_old_number_loses(void **state) {
    (void)state;
    assert_int_equal(break_rule(BREAK_KEEP_STREAM, false, true).lost, BROKEN_RUNS);
}

static void filling_a_store_before_its_cursor_goes_back_loses(void **state) {
    (void)state;
    assert_true(break_rule(BREAK_KEEP_CURSOR, true, false).lost > 0);
}

static void deleting_what_only_one_store_has_loses(void **state) {
    (void)state;
    assert_int_equal(break_rule(BREAK_DELETE_AFTER_ONE, false, false).lost, BROKEN_RUNS);
}

static void asking_a_store_that_is_known_to_be_dead_is_noticed(void **state) {
    (void)state;
    assert_int_equal(break_rule(BREAK_BELIEVE_DEAD_STORES, false, false).wrong_answers, BROKEN_RUNS);
}

int main(int argc, char **argv) {
    const char *given = argc > 1 ? argv[1] : getenv("SCENARIO_SEED");
    if (given)
        first_seed = strtoull(given, NULL, 10);
    print_message("SCENARIO_SEED=%llu\n", (unsigned long long)first_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_every_event_is_stored_once_and_none_sent_twice),
        cmocka_unit_test(
            through_crashes_cuts_stalls_and_refusing_disks_nothing_is_lost_and_no_hop_takes_twice),
        cmocka_unit_test(faults_that_come_faster_than_they_pass_are_survived_too),
        cmocka_unit_test(a_store_with_a_new_disk_gets_everything_back),
        cmocka_unit_test(a_spool_put_back_from_an_older_copy_loses_only_what_died_with_its_disk),
        cmocka_unit_test(acknowledging_before_the_commit_loses),
        cmocka_unit_test(sending_before_the_commit_takes_twice),
        cmocka_unit_test(a_cursor_apart_from_what_it_guards_takes_twice),
        cmocka_unit_test(a_spool_put_back_under_its_old_number_loses),
        cmocka_unit_test(filling_a_store_before_its_cursor_goes_back_loses),
        cmocka_unit_test(deleting_what_only_one_store_has_loses),
        cmocka_unit_test(asking_a_store_that_is_known_to_be_dead_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
