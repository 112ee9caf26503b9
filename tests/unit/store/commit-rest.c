/* How long a file rests after a commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/commit-rest.h"

#define AT(usec) ((Mono){UINT64_C(1000000000) + (usec)})

static void commits_take_a_fifth_of_a_busy_time(void **state) {
    (void)state;
    assert_int_equal(commit_rest_until(AT(100), AT(300)).usec, AT(300 + 4 * 200).usec);
    assert_int_equal(commit_rest_until(AT(100), AT(100)).usec, AT(100).usec);
}

static void slow_disk_makes_nobody_wait_for_long(void **state) {
    (void)state;
    assert_int_equal(commit_rest_until(AT(0), AT(USEC_PER_SEC)).usec,
                     AT(USEC_PER_SEC + COMMIT_REST_MAX_USEC).usec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_take_a_fifth_of_a_busy_time),
        cmocka_unit_test(slow_disk_makes_nobody_wait_for_long),
    };
    return cmocka_run_group_tests_name("store: rest after a commit", tests, NULL, NULL);
}
