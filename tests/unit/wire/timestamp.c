/* The one form of time on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static Wall parsed(const char *text) {
    Wall wall = {42};
    assert_int_equal(timestamp_parse(text, strlen(text), &wall), 0);
    return wall;
}

static void known_instants_read_and_write_the_same(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t sec;
    } known[] = {
        {"1970-01-01T00:00:00Z", 0},          {"1970-12-31T23:59:59Z", 31535999},
        {"1972-02-29T12:00:00Z", 68212800},   {"2000-02-29T00:00:00Z", 951782400},
        {"2000-03-01T00:00:00Z", 951868800},  {"2026-01-31T23:59:59Z", 1769903999},
        {"2038-01-19T03:14:08Z", 2147483648}, {"2100-02-28T23:59:59Z", 4107542399},
        {"2100-03-01T00:00:00Z", 4107542400}, {"9999-12-31T23:59:59Z", 253402300799},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_int_equal(parsed(known[i].text).usec, known[i].sec * USEC_PER_SEC);
        assert_string_equal(timestamp_format((Wall){known[i].sec * USEC_PER_SEC}).text, known[i].text);
    }
}

/* Every day from 1970 to 2400, which is every rule of the calendar, against the C library. */
static void calendar_is_that_of_the_c_library(void **state) {
    (void)state;
    for (uint64_t day = 0; day < 157054; day++) {
        time_t sec = (time_t)(day * 86400 + day % 86400);
        struct tm tm;
        char expected[64];
        gmtime_r(&sec, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm);
        TimestampText text = timestamp_format((Wall){(uint64_t)sec * USEC_PER_SEC});
        assert_string_equal(text.text, expected);
        assert_int_equal(parsed(text.text).usec, (uint64_t)sec * USEC_PER_SEC);
    }
}

static void fractions_are_cut_off(void **state) {
    (void)state;
    assert_string_equal(timestamp_format((Wall){999999}).text, "1970-01-01T00:00:00Z");
    assert_string_equal(timestamp_format((Wall){1000000}).text, "1970-01-01T00:00:01Z");
}

static void instants_behind_the_last_are_shown_as_the_last(void **state) {
    (void)state;
    assert_string_equal(timestamp_format((Wall){253402300800 * USEC_PER_SEC}).text, "9999-12-31T23:59:59Z");
    assert_string_equal(timestamp_format((Wall){UINT64_MAX}).text, "9999-12-31T23:59:59Z");
}

static void other_forms_and_seconds_that_do_not_exist_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-01-31T23:59:59",
        "2026-01-31T23:59:59z",
        "2026-01-31t23:59:59Z",
        "2026-01-31 23:59:59Z",
        "2026-01-31T23:59:59.000Z",
        "2026-01-31T23:59:59Z ",
        " 2026-01-31T23:59:59Z",
        "2026-1-31T23:59:59Z",
        "2026-01-31T23:59:59+00:00",
        "20260131T235959Z",
        "+026-01-31T23:59:59Z",
        "2026-01-31T23:59:5xZ",
        "1969-12-31T23:59:59Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-31T23:59:99Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Wall wall = {42};
        if (timestamp_parse(bad[i], strlen(bad[i]), &wall) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(wall.usec, 42);
    }
}

static void a_nul_in_the_text_is_refused(void **state) {
    (void)state;
    Wall wall;
    assert_int_equal(timestamp_parse("2026-01-31T23:59:59\0", 20, &wall), -EINVAL);
    assert_int_equal(timestamp_parse("2026-01-31T23:59:59Z", 21, &wall), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants_read_and_write_the_same),
        cmocka_unit_test(calendar_is_that_of_the_c_library),
        cmocka_unit_test(fractions_are_cut_off),
        cmocka_unit_test(instants_behind_the_last_are_shown_as_the_last),
        cmocka_unit_test(other_forms_and_seconds_that_do_not_exist_are_refused),
        cmocka_unit_test(a_nul_in_the_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
