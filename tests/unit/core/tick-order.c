/* Which tick may follow which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/tick-order.h"

static TickOrder at_seven(void) {
    TickOrder order = {0};
    tick_order_take(&order, 7, 7000);
    return order;
}

static void any_tick_begins_a_run(void **state) {
    (void)state;
    TickOrder order = {0};
    assert_int_equal(tick_order_judge(&order, 0, 0), TICK_NEXT);
    assert_int_equal(tick_order_judge(&order, 500, 9), TICK_NEXT);
    assert_int_equal(tick_order_judge(&order, INT64_MAX, UINT64_MAX), TICK_NEXT);
    order = at_seven();
    tick_order_end(&order);
    assert_int_equal(tick_order_judge(&order, 0, 0), TICK_NEXT);
}

static void then_each_is_one_more_and_no_earlier(void **state) {
    (void)state;
    TickOrder order = at_seven();
    assert_int_equal(tick_order_judge(&order, 8, 7001), TICK_NEXT);
    assert_int_equal(tick_order_judge(&order, 8, 7000), TICK_NEXT);
    assert_int_equal(tick_order_judge(&order, 8, 6999), TICK_BACKWARDS);
    assert_int_equal(tick_order_judge(&order, 9, 9000), TICK_AHEAD);
    assert_int_equal(tick_order_judge(&order, INT64_MAX, 9000), TICK_AHEAD);
    assert_int_equal(tick_order_judge(&order, 6, 6000), TICK_LATE);
    assert_int_equal(tick_order_judge(&order, 0, 8000), TICK_LATE);
}

static void the_newest_again_is_a_repeat_only_as_it_was(void **state) {
    (void)state;
    TickOrder order = at_seven();
    assert_int_equal(tick_order_judge(&order, 7, 7000), TICK_REPEAT);
    assert_int_equal(tick_order_judge(&order, 7, 7001), TICK_BACKWARDS);
}

static void the_last_number_there_is_has_no_next(void **state) {
    (void)state;
    TickOrder order = {0};
    tick_order_take(&order, INT64_MAX, 1);
    assert_int_equal(tick_order_judge(&order, INT64_MAX, 1), TICK_REPEAT);
    assert_int_equal(tick_order_judge(&order, 0, 2), TICK_LATE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_tick_begins_a_run),
        cmocka_unit_test(then_each_is_one_more_and_no_earlier),
        cmocka_unit_test(the_newest_again_is_a_repeat_only_as_it_was),
        cmocka_unit_test(the_last_number_there_is_has_no_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
