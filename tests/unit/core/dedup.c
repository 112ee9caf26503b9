/* Repetitions, gaps, late and old events, lives of a producer, and a table that is full. */
#include "core/dedup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { BUCKETS = 2 };

typedef struct Table {
    Dedup dedup;
    DedupProducer places[BUCKETS * DEDUP_BUCKET_PRODUCERS];
} Table;

static Table table;

static int fresh_table(void **state) {
    *state = &table;
    dedup_init(&table.dedup, table.places, BUCKETS);
    return 0;
}

static DedupAnswer judge(void **state, int64_t epoch, uint64_t sequence) {
    return dedup_judge(&((Table *)*state)->dedup, "sensor-camera@pc1", epoch, sequence);
}

static void assert_verdict(void **state, int64_t epoch, uint64_t sequence, DedupVerdict expected) {
    assert_int_equal(judge(state, epoch, sequence).verdict, expected);
}

static void consecutive_numbers_are_new(void **state) {
    for (uint64_t i = 1; i <= 3 * DEDUP_WINDOW_NUMBERS; i++)
        assert_verdict(state, 1, i, DEDUP_NEW);
}

static void a_number_seen_before_is_a_repeat(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    assert_verdict(state, 1, 1, DEDUP_REPEAT);
    assert_verdict(state, 1, 2, DEDUP_NEW);
    assert_verdict(state, 1, 1, DEDUP_REPEAT);
    assert_verdict(state, 1, 2, DEDUP_REPEAT);
}

static void a_gap_tells_how_many_are_missing(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    DedupAnswer answer = judge(state, 1, 5);
    assert_int_equal(answer.verdict, DEDUP_GAP);
    assert_int_equal(answer.n_missing, 3);
    answer = judge(state, 1, 6);
    assert_int_equal(answer.verdict, DEDUP_NEW);
    assert_int_equal(answer.n_missing, 0);
}

static void what_fills_a_gap_is_late_and_then_a_repeat(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    assert_verdict(state, 1, 4, DEDUP_GAP);
    assert_verdict(state, 1, 3, DEDUP_LATE);
    assert_verdict(state, 1, 3, DEDUP_REPEAT);
    assert_verdict(state, 1, 2, DEDUP_LATE);
}

static void the_first_number_of_a_stranger_is_new_and_those_before_it_are_old(void **state) {
    assert_verdict(state, 1, 1000, DEDUP_NEW);
    assert_verdict(state, 1, 999, DEDUP_OLD);
    assert_verdict(state, 1, 1001, DEDUP_NEW);
}

static void the_window_ends_where_it_says(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    assert_verdict(state, 1, 2, DEDUP_NEW);
    assert_verdict(state, 1, DEDUP_WINDOW_NUMBERS + 1, DEDUP_GAP);
    assert_verdict(state, 1, 2, DEDUP_REPEAT); /* window - 1 behind */
    assert_verdict(state, 1, 1, DEDUP_OLD);    /* window behind */
}

static void a_number_does_not_inherit_the_mark_of_one_a_window_earlier(void **state) {
    assert_verdict(state, 1, 7, DEDUP_NEW);
    assert_verdict(state, 1, 8, DEDUP_NEW);
    assert_verdict(state, 1, DEDUP_WINDOW_NUMBERS + 8, DEDUP_GAP);
    assert_verdict(state, 1, DEDUP_WINDOW_NUMBERS + 7, DEDUP_LATE);
}

static void a_gap_longer_than_the_window_forgets_all_marks(void **state) {
    for (uint64_t i = 1; i <= DEDUP_WINDOW_NUMBERS; i++)
        assert_verdict(state, 1, i, DEDUP_NEW);
    DedupAnswer answer = judge(state, 1, 3 * DEDUP_WINDOW_NUMBERS);
    assert_int_equal(answer.verdict, DEDUP_GAP);
    assert_int_equal(answer.n_missing, 2 * DEDUP_WINDOW_NUMBERS - 1);
    for (uint64_t i = 1; i < DEDUP_WINDOW_NUMBERS; i++)
        assert_verdict(state, 1, 3 * DEDUP_WINDOW_NUMBERS - i, DEDUP_LATE);
}

static void a_number_repeated_after_a_restart_is_new(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    assert_verdict(state, 1, 2, DEDUP_NEW);
    assert_verdict(state, 2, 1, DEDUP_NEW);
    assert_verdict(state, 2, 2, DEDUP_NEW);
}

static void a_new_life_that_does_not_begin_at_one_has_a_gap(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    DedupAnswer answer = judge(state, 2, 4);
    assert_int_equal(answer.verdict, DEDUP_GAP);
    assert_int_equal(answer.n_missing, 3);
    assert_verdict(state, 2, 2, DEDUP_LATE);
}

static void the_life_before_is_remembered_and_older_ones_are_old(void **state) {
    assert_verdict(state, 1, 1, DEDUP_NEW);
    assert_verdict(state, 2, 1, DEDUP_NEW);
    assert_verdict(state, 1, 1, DEDUP_REPEAT);
    assert_verdict(state, 1, 2, DEDUP_NEW);
    assert_verdict(state, 3, 1, DEDUP_NEW);
    assert_verdict(state, 2, 1, DEDUP_REPEAT);
    assert_verdict(state, 1, 1, DEDUP_OLD);
    assert_verdict(state, 0, 1, DEDUP_OLD);
}

static void producers_do_not_share_numbers(void **state) {
    Dedup *dedup = &((Table *)*state)->dedup;
    assert_int_equal(dedup_judge(dedup, "a", 1, 1).verdict, DEDUP_NEW);
    assert_int_equal(dedup_judge(dedup, "b", 1, 1).verdict, DEDUP_NEW);
    assert_int_equal(dedup_judge(dedup, "a", 1, 1).verdict, DEDUP_REPEAT);
    assert_int_equal(dedup->n_forgotten, 0);
}

/* One bucket, so that what is forgotten does not depend on the hash. */
static void the_producer_not_heard_for_longest_makes_room(void **state) {
    Table *t = *state;
    char name[16];
    dedup_init(&t->dedup, t->places, 1);
    for (int i = 0; i < DEDUP_BUCKET_PRODUCERS; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        (void)dedup_judge(&t->dedup, name, 1, 1);
    }
    (void)dedup_judge(&t->dedup, "p0", 1, 2); /* now p1 is the oldest */
    (void)dedup_judge(&t->dedup, "stranger", 1, 1);
    assert_int_equal(t->dedup.n_forgotten, 1);
    assert_int_equal(dedup_judge(&t->dedup, "p0", 1, 2).verdict, DEDUP_REPEAT);
    assert_int_equal(dedup_judge(&t->dedup, "p2", 1, 1).verdict, DEDUP_REPEAT);
    assert_int_equal(dedup_judge(&t->dedup, "p1", 1, 1).verdict, DEDUP_NEW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(consecutive_numbers_are_new, fresh_table),
        cmocka_unit_test_setup(a_number_seen_before_is_a_repeat, fresh_table),
        cmocka_unit_test_setup(a_gap_tells_how_many_are_missing, fresh_table),
        cmocka_unit_test_setup(what_fills_a_gap_is_late_and_then_a_repeat, fresh_table),
        cmocka_unit_test_setup(the_first_number_of_a_stranger_is_new_and_those_before_it_are_old,
                               fresh_table),
        cmocka_unit_test_setup(the_window_ends_where_it_says, fresh_table),
        cmocka_unit_test_setup(a_number_does_not_inherit_the_mark_of_one_a_window_earlier, fresh_table),
        cmocka_unit_test_setup(a_gap_longer_than_the_window_forgets_all_marks, fresh_table),
        cmocka_unit_test_setup(a_number_repeated_after_a_restart_is_new, fresh_table),
        cmocka_unit_test_setup(a_new_life_that_does_not_begin_at_one_has_a_gap, fresh_table),
        cmocka_unit_test_setup(the_life_before_is_remembered_and_older_ones_are_old, fresh_table),
        cmocka_unit_test_setup(producers_do_not_share_numbers, fresh_table),
        cmocka_unit_test_setup(the_producer_not_heard_for_longest_makes_room, fresh_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
