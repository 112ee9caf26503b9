/* What an operator types for an instant. */
#include "when.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const Wall noon = {UINT64_C(1770638400) * USEC_PER_SEC}; /* 2026-02-09T12:00:00Z */

static void assert_when(const char *text, uint64_t expected_sec) {
    Wall got;
    Problem problem;
    assert_int_equal(when_parse(text, noon, &got, &problem), 0);
    assert_int_equal(got.usec, expected_sec * USEC_PER_SEC);
}

static void every_form_of_an_instant_is_read(void **state) {
    (void)state;
    assert_when("2026-02-09T12:00:00Z", 1770638400);
    assert_when("2026-02-09 12:00:30", 1770638430);
    assert_when("2026-02-09 12:01", 1770638460);
    assert_when("2026-02-09", 1770595200);
    assert_when("1970-01-01", 0);
    assert_when("2024-02-29", 1709164800);
    assert_when("now", 1770638400);
}

static void an_instant_can_be_so_long_ago(void **state) {
    (void)state;
    assert_when("-0s", 1770638400);
    assert_when("-90s", 1770638310);
    assert_when("-15m", 1770637500);
    assert_when("-2h", 1770631200);
    assert_when("-7d", 1770033600);
    assert_when("-100000000d", 0);
}

static void anything_else_is_refused_and_told(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "-",
                                      "-5",
                                      "-5x",
                                      "-5mm",
                                      "--5m",
                                      "5m",
                                      "yesterday",
                                      "2026-02-30",
                                      "2026",
                                      "2026-13-01",
                                      "2026-02-09T12:00:00",
                                      "2026-02-09T12:00:00Zx",
                                      "2026-02-09 25:00",
                                      "-99999999999999999999s",
                                      "2023-02-29"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Wall got = {7};
        Problem problem = {""};
        assert_int_equal(when_parse(bad[i], noon, &got, &problem), -EINVAL);
        assert_int_equal(got.usec, 7);
        assert_non_null(strstr(problem.text, "expected a time as"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_an_instant_is_read),
        cmocka_unit_test(an_instant_can_be_so_long_ago),
        cmocka_unit_test(anything_else_is_refused_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
