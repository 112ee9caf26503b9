/* When a store may delete: proven once, settled, and never after something may have been lost. */
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

static Mono at(uint64_t usec) {
    return (Mono){1000 * USEC_PER_SEC + usec};
}

static void hear(StoreRole role, uint64_t committed_until, uint64_t n_records, uint64_t n_waiting,
                 uint64_t usec) {
    StoreMark mark = {committed_until, n_records, n_records * 7, n_waiting, 1};
    agreement_hear(&agreement, role, &mark, at(usec));
}

static uint64_t safe(StoreRole role) {
    return agreement_safe_until(&agreement, role);
}

static void prove(void) {
    hear(STORE_ROLE_PRIMARY, 100, 5, 0, 0);
    hear(STORE_ROLE_REPLICA, 200, 5, 0, 0);
    assert_true(agreement.is_proven);
}

static void nothing_is_safe_before_both_were_heard(void **state) {
    (void)state;
    hear(STORE_ROLE_PRIMARY, 100, 5, 0, 0);
    hear(STORE_ROLE_PRIMARY, 100, 5, 0, 10 * AGREEMENT_SETTLE_USEC);
    assert_false(agreement.is_proven);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
}

static void different_stores_are_not_proven_equal(void **state) {
    (void)state;
    hear(STORE_ROLE_PRIMARY, 100, 5, 0, 0);
    hear(STORE_ROLE_REPLICA, 200, 6, 0, 0);
    assert_false(agreement_is_equal(&agreement));
    StoreMark same_count = {100, 6, 1, 0, 1};
    agreement_hear(&agreement, STORE_ROLE_PRIMARY, &same_count, at(0));
    assert_false(agreement_is_equal(&agreement));
    assert_false(agreement.is_proven);
}

static void what_waits_for_its_commit_proves_nothing(void **state) {
    (void)state;
    hear(STORE_ROLE_PRIMARY, 100, 5, 0, 0);
    hear(STORE_ROLE_REPLICA, 200, 5, 1, 0);
    assert_false(agreement.is_proven);
    hear(STORE_ROLE_PRIMARY, 100, 5, 1, 0);
    hear(STORE_ROLE_REPLICA, 200, 5, 0, 0);
    assert_false(agreement.is_proven);
}

static void a_commit_is_safe_when_it_has_settled_and_not_before(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 250, 6, 0, AGREEMENT_SETTLE_USEC - 1);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
    hear(STORE_ROLE_REPLICA, 260, 6, 0, AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    assert_int_equal(safe(STORE_ROLE_REPLICA), 0);
    hear(STORE_ROLE_PRIMARY, 150, 6, 0, AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_REPLICA), 200);
}

static void the_next_commit_settles_in_its_turn(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_PRIMARY, 150, 9, 3, 1);
    hear(STORE_ROLE_REPLICA, 260, 6, 0, AGREEMENT_SETTLE_USEC);
    hear(STORE_ROLE_REPLICA, 270, 9, 0, 2 * AGREEMENT_SETTLE_USEC - 1);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    hear(STORE_ROLE_REPLICA, 280, 9, 0, 2 * AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 150);
}

static void the_other_store_must_have_nothing_waiting(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 260, 6, 1, 2 * AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
    hear(STORE_ROLE_REPLICA, 260, 6, 0, 2 * AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
}

static void a_loss_ends_it_until_it_is_proven_anew_but_what_was_safe_stays_safe(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 260, 6, 0, AGREEMENT_SETTLE_USEC);
    agreement_end(&agreement);
    hear(STORE_ROLE_PRIMARY, 300, 20, 0, AGREEMENT_SETTLE_USEC);
    hear(STORE_ROLE_REPLICA, 400, 18, 0, 5 * AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 100);
    assert_int_equal(safe(STORE_ROLE_REPLICA), 0);
    hear(STORE_ROLE_REPLICA, 410, 20, 0, 6 * AGREEMENT_SETTLE_USEC);
    assert_true(agreement.is_proven);
    hear(STORE_ROLE_REPLICA, 420, 20, 0, 7 * AGREEMENT_SETTLE_USEC);
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 300);
}

static void a_mark_from_before_the_loss_proves_nothing(void **state) {
    (void)state;
    prove();
    agreement_end(&agreement);
    hear(STORE_ROLE_PRIMARY, 110, 5, 0, 1);
    assert_false(agreement.is_proven);
}

/* Too quick a restart is no death to the heartbeat, and yet what was on its way is lost. */
static void a_store_that_lives_anew_ends_it_until_it_is_proven_anew(void **state) {
    (void)state;
    prove();
    StoreMark mark = {300, 4, 28, 0, 2};
    agreement_hear(&agreement, STORE_ROLE_PRIMARY, &mark, at(1));
    assert_false(agreement.is_proven);
    hear(STORE_ROLE_REPLICA, 400, 5, 0, 2);
    assert_false(agreement.is_proven);
    mark.n_records = 5, mark.event_set = 35;
    agreement_hear(&agreement, STORE_ROLE_PRIMARY, &mark, at(3));
    assert_true(agreement.is_proven);
}

static void nothing_is_safe_any_more_when_the_other_store_comes_back_with_less(void **state) {
    (void)state;
    prove();
    hear(STORE_ROLE_REPLICA, 410, 5, 0, AGREEMENT_SETTLE_USEC + 2);
    assert_true(safe(STORE_ROLE_PRIMARY) > 0);
    uint64_t before = safe(STORE_ROLE_REPLICA);
    StoreMark same = {410, 5, 35, 0, 2}, empty = {1, 0, 0, 0, 3};
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &same, at(2 * AGREEMENT_SETTLE_USEC));
    assert_true(safe(STORE_ROLE_PRIMARY) > 0);
    agreement_hear(&agreement, STORE_ROLE_REPLICA, &empty, at(2 * AGREEMENT_SETTLE_USEC + 1));
    assert_int_equal(safe(STORE_ROLE_PRIMARY), 0);
    assert_int_equal(safe(STORE_ROLE_REPLICA), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_safe_before_both_were_heard, fresh),
        cmocka_unit_test_setup(different_stores_are_not_proven_equal, fresh),
        cmocka_unit_test_setup(what_waits_for_its_commit_proves_nothing, fresh),
        cmocka_unit_test_setup(a_commit_is_safe_when_it_has_settled_and_not_before, fresh),
        cmocka_unit_test_setup(the_next_commit_settles_in_its_turn, fresh),
        cmocka_unit_test_setup(the_other_store_must_have_nothing_waiting, fresh),
        cmocka_unit_test_setup(a_loss_ends_it_until_it_is_proven_anew_but_what_was_safe_stays_safe, fresh),
        cmocka_unit_test_setup(a_mark_from_before_the_loss_proves_nothing, fresh),
        cmocka_unit_test_setup(a_store_that_lives_anew_ends_it_until_it_is_proven_anew, fresh),
        cmocka_unit_test_setup(nothing_is_safe_any_more_when_the_other_store_comes_back_with_less, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
