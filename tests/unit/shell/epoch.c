/* Every start has a greater number than the one before, whatever the wall clock says. */
#include "shell/epoch.h"
#include "base/macro.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Directory {
    char path[64], file[80];
} Directory;

static int set_up(void **state) {
    Directory *directory = calloc(1, sizeof *directory);
    snprintf(directory->path, sizeof directory->path, "/tmp/epoch-test-XXXXXX");
    assert_non_null(mkdtemp(directory->path));
    snprintf(directory->file, sizeof directory->file, "%s/epoch", directory->path);
    *state = directory;
    return 0;
}

static int tear_down(void **state) {
    Directory *directory = *state;
    unlink(directory->file);
    assert_int_equal(rmdir(directory->path), 0); /* and nothing else was left there */
    free(directory);
    return 0;
}

static int64_t begin(const char *path, uint64_t wall_usec) {
    int64_t epoch = -1;
    Problem problem = {""};
    if (epoch_begin(path, (Wall){wall_usec}, &epoch, &problem) < 0)
        fail_msg("%s", problem.text);
    return epoch;
}

static void the_epoch_is_the_wall_clock_when_that_went_on(void **state) {
    Directory *directory = *state;
    assert_int_equal(begin(directory->path, 1000), 1000);
    assert_int_equal(begin(directory->path, 1001), 1001);
}

static void the_epoch_grows_by_one_when_the_wall_clock_stood_still_or_went_back(void **state) {
    Directory *directory = *state;
    assert_int_equal(begin(directory->path, 1000), 1000);
    assert_int_equal(begin(directory->path, 1000), 1001);
    assert_int_equal(begin(directory->path, 5), 1002);
    assert_int_equal(begin(directory->path, 1002), 1003);
    assert_int_equal(begin(directory->path, 2000), 2000);
}

static void without_a_directory_the_wall_clock_alone_decides(void **state) {
    (void)state;
    assert_int_equal(begin(NULL, 7), 7);
}

static void a_file_with_anything_else_is_refused_by_name(void **state) {
    Directory *directory = *state;
    static const char *const contents[] = {
        "", "x\n", "12", "12 \n", "-1\n", "9223372036854775807\n", "99999999999999999999\n"};
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        int64_t epoch = -1;
        Problem problem = {""};
        FILE *out = fopen(directory->file, "w");
        fputs(contents[i], out);
        fclose(out);
        assert_int_equal(epoch_begin(directory->path, (Wall){1000}, &epoch, &problem), -EINVAL);
        assert_int_equal(epoch, -1);
        assert_non_null(strstr(problem.text, directory->file));
    }
}

static void a_full_disk_costs_the_kept_number_and_not_the_start(void **state) {
    Directory *directory = *state;
    char fresh[96];
    int64_t epoch = -1;
    Problem problem = {""};
    assert_int_equal(begin(directory->path, 1000), 1000);
    snprintf(fresh, sizeof fresh, "%s.new", directory->file);
    assert_int_equal(symlink("/dev/full", fresh), 0);
    assert_int_equal(epoch_begin(directory->path, (Wall){1000}, &epoch, &problem), 1);
    assert_int_equal(epoch, 1001);
    assert_non_null(strstr(problem.text, directory->file));
    assert_int_equal(unlink(fresh), 0);
    assert_int_equal(begin(directory->path, 900), 1001); /* nobody kept it */
}

static void a_missing_directory_is_named(void **state) {
    (void)state;
    int64_t epoch;
    Problem problem = {""};
    assert_int_equal(epoch_begin("/nonexistent/state", (Wall){1000}, &epoch, &problem), -ENOENT);
    assert_non_null(strstr(problem.text, "/nonexistent/state"));
}

static void after_another_writer_the_next_life_begins_above_it(void **state) {
    Directory *directory = *state;
    Problem problem = {""};
    assert_int_equal(begin(directory->path, 1000), 1000);
    assert_int_equal(epoch_raise(directory->path, 5000, &problem), 0);
    assert_int_equal(begin(directory->path, 2000), 5001);
    assert_int_equal(begin(directory->path, 9000), 9000); /* the clock has overtaken it */
}

static void raising_never_lowers(void **state) {
    Directory *directory = *state;
    Problem problem = {""};
    assert_int_equal(begin(directory->path, 1000), 1000);
    assert_int_equal(epoch_raise(directory->path, 1000, &problem), 0);
    assert_int_equal(epoch_raise(directory->path, 7, &problem), 0);
    assert_int_equal(begin(directory->path, 5), 1001);
}

/* It came over a network: it must not leave a number behind which no next life can begin. */
static void no_epoch_is_raised_to_the_end_of_all_numbers(void **state) {
    Directory *directory = *state;
    Problem problem = {""};
    assert_int_equal(begin(directory->path, 1000), 1000);
    assert_int_equal(epoch_raise(directory->path, INT64_MAX, &problem), -ERANGE);
    assert_int_equal(epoch_raise(directory->path, INT64_MAX / 2 + 1, &problem), -ERANGE);
    assert_int_equal(epoch_raise(directory->path, -1, &problem), -ERANGE);
    assert_int_equal(begin(directory->path, 1000), 1001);
    assert_int_equal(epoch_raise(directory->path, INT64_MAX / 2, &problem), 0);
    assert_int_equal(begin(directory->path, 1000), INT64_MAX / 2 + 1);
}

static void a_century_ahead_of_the_clock_is_likely_and_more_is_not(void **state) {
    (void)state;
    const Wall now = {1700000000 * USEC_PER_SEC};
    const int64_t century = INT64_C(36525) * 86400 * (int64_t)USEC_PER_SEC,
                  most = (int64_t)now.usec + century;
    assert_true(epoch_is_likely(0, now));
    assert_true(epoch_is_likely(most, now));
    assert_false(epoch_is_likely(most + 1, now));
    assert_false(epoch_is_likely(INT64_MAX, now));
    assert_false(epoch_is_likely(-1, now));
    assert_true(epoch_is_likely(INT64_MAX, (Wall){UINT64_MAX}));
}

static void without_a_directory_nothing_is_raised(void **state) {
    (void)state;
    Problem problem = {""};
    assert_int_equal(epoch_raise(NULL, 5000, &problem), 0);
    assert_int_equal(epoch_raise("/nonexistent/state", 5000, &problem), -ENOENT);
    assert_non_null(strstr(problem.text, "/nonexistent/state"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_epoch_is_the_wall_clock_when_that_went_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_epoch_grows_by_one_when_the_wall_clock_stood_still_or_went_back,
                                        set_up, tear_down),
        cmocka_unit_test(without_a_directory_the_wall_clock_alone_decides),
        cmocka_unit_test_setup_teardown(a_file_with_anything_else_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_costs_the_kept_number_and_not_the_start, set_up,
                                        tear_down),
        cmocka_unit_test(a_missing_directory_is_named),
        cmocka_unit_test_setup_teardown(after_another_writer_the_next_life_begins_above_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(raising_never_lowers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_epoch_is_raised_to_the_end_of_all_numbers, set_up, tear_down),
        cmocka_unit_test(without_a_directory_nothing_is_raised),
        cmocka_unit_test(a_century_ahead_of_the_clock_is_likely_and_more_is_not),
    };
    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
