/* A backup's way to where the operator wants it. /dev/shm is a file system of another kind than that of /tmp,
 * or should it be the same one, a copy within it. */
#include "copy-file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 3 * 1000 * 1000 };

typedef struct Fixture {
    char from[64], to[64];
    unsigned char *content;
} Fixture;

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->content = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        fixture->content[i] = (unsigned char)(i * 7 + i / 251);
    strcpy(fixture->from, "/tmp/copy-file-XXXXXX");
    int fd = mkstemp(fixture->from);
    assert_int_equal(write(fd, fixture->content, SIZE), SIZE);
    close(fd);
    (void)snprintf(fixture->to, sizeof fixture->to, "/dev/shm/copy-file-%d", (int)getpid());
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    Fixture *fixture = *state;
    unlink(fixture->from);
    unlink(fixture->to);
    free(fixture->content);
    free(fixture);
    return 0;
}

static void copy_on_another_file_system_is_whole_and_private(void **state) {
    const Fixture *fixture = *state;
    struct stat status;
    assert_int_equal(copy_file(fixture->from, fixture->to), 0);
    assert_int_equal(stat(fixture->to, &status), 0);
    assert_int_equal(status.st_size, SIZE);
    assert_int_equal(status.st_mode & 0777, 0600);
    unsigned char *copy = malloc(SIZE);
    FILE *in = fopen(fixture->to, "r");
    assert_int_equal(fread(copy, 1, SIZE, in), SIZE);
    fclose(in);
    assert_memory_equal(copy, fixture->content, SIZE);
    free(copy);
}

static void nothing_is_overwritten(void **state) {
    const Fixture *fixture = *state;
    assert_int_equal(copy_file(fixture->from, fixture->to), 0);
    assert_int_equal(copy_file("/etc/hostname", fixture->to), -EEXIST);
    struct stat status;
    assert_int_equal(stat(fixture->to, &status), 0);
    assert_int_equal(status.st_size, SIZE);
}

static void failed_copy_leaves_nothing_behind(void **state) {
    const Fixture *fixture = *state;
    assert_int_equal(copy_file("/dev/shm", fixture->to), -EINVAL);
    assert_int_equal(access(fixture->to, F_OK), -1);
    assert_int_equal(copy_file("/nowhere", fixture->to), -ENOENT);
    assert_int_equal(access(fixture->to, F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copy_on_another_file_system_is_whole_and_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_copy_leaves_nothing_behind, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
