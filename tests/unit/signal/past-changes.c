/* The ring of changes: what is found behind a number, and what is forgotten. */
#include "past-changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static PastChanges *past_of(size_t capacity) {
    PastChanges *past = NULL;
    assert_int_equal(past_changes_new(capacity, &past), 0);
    return past;
}

static bool keep(PastChanges *past, int64_t sequence, bool was_told) {
    SignalReport report = {0};
    message_set(&report, SignalReport, sequence, sequence);
    return past_changes_keep(past, &report, was_told);
}

/* 0: none. */
static int64_t after(PastChanges *past, int64_t sequence) {
    const SignalReport *report = past_changes_after(past, sequence);
    return report ? report->sequence : 0;
}

static void an_empty_ring_has_nothing(void **state) {
    (void)state;
    scoped(past_changes_freep) PastChanges *past = past_of(3);
    assert_int_equal(after(past, 0), 0);
}

static void the_first_behind_a_number_is_found(void **state) {
    (void)state;
    scoped(past_changes_freep) PastChanges *past = past_of(10);
    for (int64_t sequence = 10; sequence <= 50; sequence += 10) /* other reports have the numbers between */
        assert_false(keep(past, sequence, false));
    assert_int_equal(after(past, 0), 10);
    assert_int_equal(after(past, 9), 10);
    assert_int_equal(after(past, 10), 20);
    assert_int_equal(after(past, 35), 40);
    assert_int_equal(after(past, 49), 50);
    assert_int_equal(after(past, 50), 0);
}

static void the_oldest_make_room(void **state) {
    (void)state;
    scoped(past_changes_freep) PastChanges *past = past_of(3);
    for (int64_t sequence = 1; sequence <= 8; sequence++)
        (void)keep(past, sequence, true);
    assert_int_equal(after(past, 0), 6);
    assert_int_equal(after(past, 6), 7);
    assert_int_equal(after(past, 7), 8);
    assert_int_equal(after(past, 8), 0);
}

static void only_what_nobody_was_told_is_forgotten(void **state) {
    (void)state;
    scoped(past_changes_freep) PastChanges *past = past_of(2);
    assert_false(keep(past, 1, true));
    assert_false(keep(past, 2, false));
    assert_false(keep(past, 3, false)); /* in the place of 1 */
    assert_true(keep(past, 4, false));  /* in the place of 2 */
    assert_int_equal(after(past, 2), 3);
    assert_false(keep(past, 5, false)); /* in the place of 3, which has been told since */
    assert_true(keep(past, 6, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_has_nothing),
        cmocka_unit_test(the_first_behind_a_number_is_found),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(only_what_nobody_was_told_is_forgotten),
    };
    return cmocka_run_group_tests_name("signal-past-changes", tests, NULL, NULL);
}
