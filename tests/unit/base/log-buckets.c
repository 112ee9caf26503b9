/* Every value falls into one bucket, and a bucket is narrow for what falls into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log-buckets.h"

static void buckets_follow_each_other_without_gap_or_overlap(void **state) {
    (void)state;
    for (unsigned bits = 1; bits <= 8; bits++)
        for (size_t bucket = 0; bucket < (size_t)(64 - bits) << bits; bucket++) {
            uint64_t end = log_bucket_end(bucket, bits);
            assert_int_equal(log_bucket_of(end, bits), bucket);
            assert_int_equal(log_bucket_of(end + 1, bits), bucket + 1);
        }
}

static void bucket_is_no_wider_than_its_share(void **state) {
    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << 62; value = value * 3 / 2 + 1)
        for (unsigned bits = 1; bits <= 8; bits++) {
            uint64_t end = log_bucket_end(log_bucket_of(value, bits), bits);
            assert_in_range(end - value, 0, value >> bits);
        }
}

static void last_bucket_ends_with_the_greatest_value(void **state) {
    (void)state;
    assert_true(log_bucket_end(log_bucket_of(UINT64_MAX, 4), 4) == UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_each_other_without_gap_or_overlap),
        cmocka_unit_test(bucket_is_no_wider_than_its_share),
        cmocka_unit_test(last_bucket_ends_with_the_greatest_value),
    };
    return cmocka_run_group_tests_name("log-buckets", tests, NULL, NULL);
}
