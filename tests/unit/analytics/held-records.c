/* Records that wait keep their order, whatever the ring does beneath. */
#include "held-records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void push_number(HeldRecords *held, int number) {
    char text[16];
    int size = snprintf(text, sizeof text, "%d", number);
    assert_int_equal(held_records_push(held, text, (size_t)size), 0);
}

static void pop_number(HeldRecords *held, int expected) {
    char text[16];
    int size = snprintf(text, sizeof text, "%d", expected);
    const HeldRecord *first = held_records_first(held);
    assert_non_null(first);
    assert_int_equal(first->size, size);
    assert_memory_equal(first->bytes, text, (size_t)size);
    held_records_pop(held);
}

static void an_empty_ring_has_no_first_record(void **state) {
    (void)state;
    HeldRecords held = {0};
    assert_null(held_records_first(&held));
    held_records_clear(&held);
}

static void records_come_out_in_the_order_they_went_in_while_the_ring_turns_and_grows(void **state) {
    (void)state;
    HeldRecords held = {0};
    int pushed = 0, popped = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 7; i++)
            push_number(&held, pushed++);
        for (int i = 0; i < 5; i++)
            pop_number(&held, popped++);
    }
    assert_int_equal(held.n, (size_t)(pushed - popped));
    while (popped < pushed)
        pop_number(&held, popped++);
    assert_null(held_records_first(&held));
    held_records_clear(&held);
}

static void the_bytes_that_wait_are_counted(void **state) {
    (void)state;
    HeldRecords held = {0};
    assert_int_equal(held_records_push(&held, "abc", 3), 0);
    assert_int_equal(held_records_push(&held, "de", 2), 0);
    assert_int_equal(held.n_bytes, 5);
    held_records_pop(&held);
    assert_int_equal(held.n_bytes, 2);
    held_records_clear(&held);
    assert_int_equal(held.n_bytes, 0);
    assert_int_equal(held.n, 0);
}

static void a_cleared_ring_is_usable_again(void **state) {
    (void)state;
    HeldRecords held = {0};
    push_number(&held, 1);
    held_records_clear(&held);
    push_number(&held, 2);
    pop_number(&held, 2);
    held_records_clear(&held);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_has_no_first_record),
        cmocka_unit_test(records_come_out_in_the_order_they_went_in_while_the_ring_turns_and_grows),
        cmocka_unit_test(the_bytes_that_wait_are_counted),
        cmocka_unit_test(a_cleared_ring_is_usable_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
