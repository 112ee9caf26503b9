/* Where waves cross: who goes first, who waits, who gets nothing. */
#include "core/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PATIENCE_USEC (60 * USEC_PER_SEC)

static Mono at(double sec) {
    return (Mono){usec_from_sec(1000 + sec)};
}

static Claim claim(double from, double until, unsigned phase, unsigned priority) {
    return (Claim){.from = at(from), .until = at(until), .phase = phase, .priority = priority};
}

static ClaimAnswer judge(Claim wanted, const Claim *held, size_t n_held) {
    return claim_judge(&wanted, held, n_held, PATIENCE_USEC);
}

static void assert_span(const Claim *got, double from, double until) {
    assert_int_equal(got->from.usec, at(from).usec);
    assert_int_equal(got->until.usec, at(until).usec);
}

static void a_free_intersection_is_had_as_wanted(void **state) {
    (void)state;
    ClaimAnswer answer = judge(claim(0, 30, 1, 5), NULL, 0);
    assert_int_equal(answer.verdict, CLAIM_FREE);
    assert_span(&answer.claim, 0, 30);
}

static void waves_that_want_the_same_phase_share_it(void **state) {
    (void)state;
    Claim held = claim(-10, 20, 1, 9);
    assert_int_equal(judge(claim(0, 30, 1, 5), &held, 1).verdict, CLAIM_FREE);
}

static void waves_at_other_times_do_not_meet(void **state) {
    (void)state;
    Claim held[2] = {claim(-30, 0, 0, 9), claim(30, 60, 0, 9)};
    ClaimAnswer answer = judge(claim(0, 30, 1, 5), held, 2);
    assert_int_equal(answer.verdict, CLAIM_FREE);
    assert_int_equal(answer.displaced, 0);
}

static void among_equals_the_earlier_order_goes_first(void **state) {
    (void)state;
    Claim held = claim(-10, 20, 0, 5);
    ClaimAnswer answer = judge(claim(0, 30, 1, 5), &held, 1);
    assert_int_equal(answer.verdict, CLAIM_DELAYED);
    assert_int_equal(answer.because, 0);
    assert_span(&answer.claim, 20, 50); /* all of its time: somebody stands at the red light */
}

static void the_higher_priority_goes_first_and_displaces(void **state) {
    (void)state;
    Claim held[2] = {claim(-10, 20, 1, 4), claim(-10, 20, 0, 4)};
    ClaimAnswer answer = judge(claim(0, 30, 1, 5), held, 2);
    assert_int_equal(answer.verdict, CLAIM_FREE);
    assert_int_equal(answer.displaced, 1 << 1);
    assert_span(&answer.claim, 0, 30);
}

static void who_would_have_to_wait_too_long_is_refused(void **state) {
    (void)state;
    Claim held = claim(-10, 60.5, 0, 5);
    ClaimAnswer answer = judge(claim(0, 30, 1, 5), &held, 1);
    assert_int_equal(answer.verdict, CLAIM_REFUSED);
    assert_int_equal(answer.because, 0);
    held.until = at(60);
    assert_int_equal(judge(claim(0, 30, 1, 5), &held, 1).verdict, CLAIM_DELAYED);
}

static void who_waits_for_one_may_have_to_wait_for_the_next(void **state) {
    (void)state;
    Claim held[3] = {claim(20, 40, 0, 5), claim(-10, 20, 2, 7), claim(35, 45, 0, 4)};
    ClaimAnswer answer = judge(claim(0, 30, 1, 5), held, 3);
    assert_int_equal(answer.verdict, CLAIM_DELAYED);
    assert_span(&answer.claim, 40, 70);
    assert_int_equal(answer.because, 0);
    assert_int_equal(answer.displaced, 1 << 2); /* it meets that one only because it is late */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_intersection_is_had_as_wanted),
        cmocka_unit_test(waves_that_want_the_same_phase_share_it),
        cmocka_unit_test(waves_at_other_times_do_not_meet),
        cmocka_unit_test(among_equals_the_earlier_order_goes_first),
        cmocka_unit_test(the_higher_priority_goes_first_and_displaces),
        cmocka_unit_test(who_would_have_to_wait_too_long_is_refused),
        cmocka_unit_test(who_waits_for_one_may_have_to_wait_for_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
