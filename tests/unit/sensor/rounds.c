/* The moments at which sensors send. */
#include "rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_is_due_in_a_round_goes_with_it(void **state) {
    (void)state;
    assert_int_equal(round_from((Mono){0}).usec, 0);
    assert_int_equal(round_from((Mono){7 * ROUND_USEC}).usec, 7 * ROUND_USEC);
}

static void what_is_due_between_two_rounds_goes_with_the_next(void **state) {
    (void)state;
    assert_int_equal(round_from((Mono){7 * ROUND_USEC + 1}).usec, 8 * ROUND_USEC);
    assert_int_equal(round_from((Mono){8 * ROUND_USEC - 1}).usec, 8 * ROUND_USEC);
}

static void what_is_never_due_stays_so(void **state) {
    (void)state;
    assert_true(mono_is_never(round_from(mono_never())));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_in_a_round_goes_with_it),
        cmocka_unit_test(what_is_due_between_two_rounds_goes_with_the_next),
        cmocka_unit_test(what_is_never_due_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
