/* Deadlines at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"

static void deadline_beyond_the_end_of_time_is_never(void **state) {
    (void)state;
    assert_true(mono_is_never(mono_after((Mono){10}, USEC_FOREVER)));
    assert_true(mono_is_never(mono_after((Mono){10}, USEC_FOREVER - 10)));
    assert_false(mono_is_never(mono_after((Mono){10}, USEC_FOREVER - 11)));
    assert_true(mono_is_never(mono_after(mono_never(), 1)));
    assert_int_equal(mono_after((Mono){10}, 5).usec, 15);
}

static void time_between_is_zero_when_the_order_is_wrong(void **state) {
    (void)state;
    assert_int_equal(mono_between((Mono){10}, (Mono){15}), 5);
    assert_int_equal(mono_between((Mono){15}, (Mono){10}), 0);
    assert_int_equal(mono_between((Mono){15}, (Mono){15}), 0);
}

static void deadline_is_reached_at_its_microsecond(void **state) {
    (void)state;
    assert_false(mono_reached((Mono){99}, (Mono){100}));
    assert_true(mono_reached((Mono){100}, (Mono){100}));
    assert_true(mono_reached((Mono){101}, (Mono){100}));
    assert_false(mono_reached((Mono){101}, mono_never()));
}

static void earlier_deadline_is_the_smaller(void **state) {
    (void)state;
    assert_int_equal(mono_min((Mono){1}, (Mono){2}).usec, 1);
    assert_int_equal(mono_min(mono_never(), (Mono){2}).usec, 2);
}

static void seconds_are_rounded_to_microseconds_and_never_negative(void **state) {
    (void)state;
    assert_int_equal(usec_from_sec(1.5), 1500000);
    assert_int_equal(usec_from_sec(0.0000006), 1);
    assert_int_equal(usec_from_sec(0.0000004), 0);
    assert_int_equal(usec_from_sec(0), 0);
    assert_int_equal(usec_from_sec(-1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_beyond_the_end_of_time_is_never),
        cmocka_unit_test(time_between_is_zero_when_the_order_is_wrong),
        cmocka_unit_test(deadline_is_reached_at_its_microsecond),
        cmocka_unit_test(earlier_deadline_is_the_smaller),
        cmocka_unit_test(seconds_are_rounded_to_microseconds_and_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
