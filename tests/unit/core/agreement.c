/* When a store may delete: proven once, acknowledged by the other store, and never after something may have
 * been lost. */
#include "core/agreement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Agreement agreement;

static int fresh(void **state) {
    (void)state;
    agreement_init(&agreement);
    return 0;
}

/* A store with `n_records` that has acknowledged `acknowledged` of an outbox that goes up to `last`. */
static StoreMark mark_of(uint64_t committed_until, uint64_t n_records, uint64_t acknowledged, uint64_t last) {
    return (StoreMark){.committed_until = committed_until,
                       .n_records = n_records,
                       .event_set = n_records * 7,
                       .epoch = 1,
                       .acknowledged = acknowledged,
                       .last = last};
}

static void hear(StoreRole role, uint64_t committed_until, uint64_t n_records, uint64_t acknowledged,
                 uint64_t last) {
    StoreMark mark = mark_of(committed_until, n_records, acknowledged, last);
    agreement_hear(&agreement, role, &mark);
}

static uint64_t safe(StoreRole role) {
    return agreement_safe_until(&agreement, role);
}

/* Both have five records, and position 50 of the outbox is the newest. */
static void prove(void) {
    hear(STORE_ROLE_PRIMARY, 100, 5, 50, 50);
    hear(STORE_ROLE_REPLICA, 200, 5, 50, 50);
    assert_true(agreement.is_proven);
}

static void nothing_is_safe_before_both_were_heard(void **state) {
    (void)state;
    hear(STORE_ROLE_PRIMARY, 100, 5, 50, 50);
    hear(STORE_ROLE_PRIMARY, 100, 5, 50, 50);
    assert_false(agreement.is_proven);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
}

static void different_stores_are_not_proven_equal_whatever_they_acknowledge(void **state) {
    (void)state;
    hear(STORE_ROLE_PRIMARY, 100, 5, 50, 50);
    hear(STORE_ROLE_REPLICA, 200, 6, 50, 50);
    assert_false(agreement_is_equal(&agreement));
    StoreMark same_count = mark_of(100, 6, 60, 60);
    same_count.event_set = 1;
    agreement_hear(&agreement, STORE_ROLE_PRIMARY, &same_count);
    assert_false(agreement_is_equal(&agreement));
    assert_false(agreement.is_proven);
    hear(STORE_ROLE_REPLICA, 210, 7, 70, 70);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
}

static void what_waits_for_its_commit_proves_nothing(void **state) {
    (void)state;
    StoreMark waiting = mark_of(200, 5, 50, 50);
    waiting.n_waiting = 1;
    hear(STORE_ROLE_PRIMARY, 100, 5, 50, 50);
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &waiting);
    assert_false(agreement.is_proven);
    agreement_hear(&agreement, STORE_ROLE_PRIMARY, &waiting);
    hear(STORE_ROLE_REPLICA, 200, 5, 50, 50);
    assert_false(agreement.is_proven);
}

static void a_commit_is_safe_when_the_other_store_acknowledged_all_there_was_and_not_before(void **state) {
    (void)state;
    hear(STORE_ROLE_PRIMARY, 100, 5, 50, 60);
    hear(STORE_ROLE_REPLICA, 200, 5, 50, 60);
    assert_true(agreement.is_proven);
    hear(STORE_ROLE_REPLICA, 250, 14, 59, 60);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
    hear(STORE_ROLE_REPLICA, 260, 15, 60, 60);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    assert_int_equal(safe(STORE_ROLE_REPLICA), 0);
    hear(STORE_ROLE_PRIMARY, 150, 15, 60, 60);
    assert_int_equal(safe(STORE_ROLE_REPLICA), 200);
}

static void the_next_commit_waits_for_what_the_outbox_has_by_then(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_PRIMARY, 150, 9, 54, 54);
    hear(STORE_ROLE_REPLICA, 260, 6, 51, 58); /* settles 100, and 150 becomes the candidate, with 58 */
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    hear(STORE_ROLE_REPLICA, 270, 12, 57, 59);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    hear(STORE_ROLE_REPLICA, 280, 13, 58, 59);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 150);
}

static void what_waits_in_the_other_store_does_not_matter_once_it_is_acknowledged(void **state) {
    (void)state;
    prove();
    StoreMark busy = mark_of(260, 9, 50, 80);
    busy.n_waiting = 1000;
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &busy);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
}

/* The outbox kept everything for it, so nothing was lost on its way. */
static void a_store_that_was_started_again_with_all_it_had_changes_nothing(void **state) {
    (void)state;
    prove();
    StoreMark same = mark_of(210, 5, 50, 70);
    same.epoch = 2;
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &same);
    assert_true(agreement.is_proven);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
}

static void the_end_holds_until_it_is_proven_anew_but_what_was_safe_stays_safe(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 260, 6, 51, 51);
    agreement_end(&agreement);
    hear(STORE_ROLE_PRIMARY, 300, 20, 65, 65);
    hear(STORE_ROLE_REPLICA, 400, 18, 65, 65);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    assert_int_equal(safe(STORE_ROLE_REPLICA), 0);
    hear(STORE_ROLE_REPLICA, 410, 20, 65, 65);
    assert_true(agreement.is_proven);
    hear(STORE_ROLE_REPLICA, 420, 20, 65, 65);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 300);
}

static void a_mark_from_before_the_end_proves_nothing(void **state) {
    (void)state;
    prove();
    agreement_end(&agreement);
    hear(STORE_ROLE_PRIMARY, 110, 5, 50, 50);
    assert_false(agreement.is_proven);
}

static void nothing_is_safe_any_more_when_the_other_store_comes_back_with_less(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 410, 5, 50, 50);
    hear(STORE_ROLE_PRIMARY, 150, 5, 50, 50);
    uint64_t before = safe(STORE_ROLE_REPLICA);
    assert_true(safe(STORE_ROLE_PRIMARY) > 0 && before > 0);
    StoreMark empty = mark_of(1, 4, 0, 50);
    empty.epoch = 2;
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &empty);
    assert_false(agreement.is_proven);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
    assert_int_equal(safe(STORE_ROLE_REPLICA), before);
}

/* As long as a store wants to be filled it may hold as many records as the other one by chance. */
static void a_store_that_wants_to_be_filled_proves_nothing_until_it_is(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 210, 5, 50, 50);
    StoreMark anew = mark_of(1, 5, 0, 50);
    anew.needs_refill = true;
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &anew);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
    hear(STORE_ROLE_PRIMARY, 150, 5, 50, 50);
    assert_false(agreement.is_proven);
    hear(STORE_ROLE_REPLICA, 2, 5, 50, 50);
    assert_true(agreement.is_proven);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_safe_before_both_were_heard, fresh),
        cmocka_unit_test_setup(different_stores_are_not_proven_equal_whatever_they_acknowledge, fresh),
        cmocka_unit_test_setup(what_waits_for_its_commit_proves_nothing, fresh),
        cmocka_unit_test_setup(
            a_commit_is_safe_when_the_other_store_acknowledged_all_there_was_and_not_before, fresh),
        cmocka_unit_test_setup(the_next_commit_waits_for_what_the_outbox_has_by_then, fresh),
        cmocka_unit_test_setup(what_waits_in_the_other_store_does_not_matter_once_it_is_acknowledged, fresh),
        cmocka_unit_test_setup(a_store_that_was_started_again_with_all_it_had_changes_nothing, fresh),
        cmocka_unit_test_setup(the_end_holds_until_it_is_proven_anew_but_what_was_safe_stays_safe, fresh),
        cmocka_unit_test_setup(a_mark_from_before_the_end_proves_nothing, fresh),
        cmocka_unit_test_setup(nothing_is_safe_any_more_when_the_other_store_comes_back_with_less, fresh),
        cmocka_unit_test_setup(a_store_that_wants_to_be_filled_proves_nothing_until_it_is, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
