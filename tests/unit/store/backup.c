/* Copies of a database that is in use. */
#include "store-testing.h"

#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Fixture {
    TestFile *file;
    sqlite3 *db;
    RecordWriter *writer;
    char directory[96];
    Problem problem;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    void *file;
    test_file_setup(&file);
    fixture = (Fixture){.file = file, .db = test_open(file)};
    fixture.writer = test_writer(fixture.db);
    (void)snprintf(fixture.directory, sizeof fixture.directory, "%s/backup", fixture.file->directory);
    test_store_events(fixture.file, fixture.writer, 1, 500);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    void *file = fixture->file;
    record_writer_free(fixture->writer);
    db_close(fixture->db);
    return test_file_teardown(&file);
}

static int finish(Fixture *fixture, Backup *backup, int n_pages) {
    int r;
    while ((r = backup_step(backup, n_pages, &fixture->problem)) == BACKUP_MORE)
        ;
    return r;
}

static Backup *begin(Fixture *fixture, const char *name) {
    Backup *backup = NULL;
    if (backup_begin(fixture->db, fixture->directory, name, &backup, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    return backup;
}

static int64_t events_in(const char *path) {
    sqlite3 *copy;
    assert_int_equal(sqlite3_open_v2(path, &copy, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    int64_t n = test_integer(copy, "SELECT count(*) FROM sensor_events");
    assert_int_equal(
        test_integer(copy, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    sqlite3_close(copy);
    return n;
}

static void copy_is_one_whole_file_that_opens_read_only(void **state) {
    Fixture *fixture = *state;
    Backup *backup = begin(fixture, "monday.db");
    assert_int_equal(finish(fixture, backup, 10), BACKUP_DONE);
    assert_int_equal(backup_pages_left(backup), 0);
    assert_true(backup_pages_total(backup) > 10);
    assert_int_equal(events_in(backup_path(backup)), 500);

    DIR *directory = opendir(fixture->directory);
    assert_non_null(directory);
    int n_files = 0;
    for (const struct dirent *entry; (entry = readdir(directory));)
        n_files += entry->d_name[0] != '.';
    closedir(directory);
    assert_int_equal(n_files, 1); /* no log, no partial file */
    backup_free(backup);
}

static void records_committed_during_the_copy_are_in_it(void **state) {
    Fixture *fixture = *state;
    Backup *backup = begin(fixture, "busy.db");
    for (int n = 501; n <= 520; n++) {
        assert_int_equal(backup_step(backup, 1, &fixture->problem), BACKUP_MORE);
        test_store_events(fixture->file, fixture->writer, n, n);
    }
    assert_int_equal(finish(fixture, backup, 10), BACKUP_DONE);
    assert_int_equal(events_in(backup_path(backup)), 520);
    backup_free(backup);
}

static void name_appears_only_when_the_copy_is_whole(void **state) {
    Fixture *fixture = *state;
    Backup *backup = begin(fixture, "slow.db");
    assert_int_equal(backup_step(backup, 1, &fixture->problem), BACKUP_MORE);
    assert_int_equal(access(backup_path(backup), F_OK), -1);
    assert_int_equal(finish(fixture, backup, 100), BACKUP_DONE);
    assert_int_equal(access(backup_path(backup), F_OK), 0);
    backup_free(backup);
}

static void abandoned_copy_leaves_nothing(void **state) {
    Fixture *fixture = *state;
    char partial[160];
    Backup *backup = begin(fixture, "given-up.db");
    assert_int_equal(backup_step(backup, 1, &fixture->problem), BACKUP_MORE);
    (void)snprintf(partial, sizeof partial, "%s.partial", backup_path(backup));
    assert_int_equal(access(partial, F_OK), 0);
    backup_free(backup);
    assert_int_equal(access(partial, F_OK), -1);
    test_store_events(fixture->file, fixture->writer, 501, 501);
}

static void names_that_lead_elsewhere_are_refused(void **state) {
    static const char *const names[] = {"",        ".",   "..",   "a/b", "/etc/passwd", "../traffic.db",
                                        ".hidden", "a b", "a\nb", "ñ.db"};
    Fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        Backup *backup = NULL;
        assert_int_equal(backup_begin(fixture->db, fixture->directory, names[i], &backup, &fixture->problem),
                         -EINVAL);
        assert_null(backup);
    }
    assert_int_equal(access(fixture->directory, F_OK), -1);
}

static void existing_copy_is_not_overwritten(void **state) {
    Fixture *fixture = *state;
    Backup *backup = begin(fixture, "once.db");
    assert_int_equal(finish(fixture, backup, 100), BACKUP_DONE);
    backup_free(backup);
    backup = NULL;
    assert_int_equal(backup_begin(fixture->db, fixture->directory, "once.db", &backup, &fixture->problem),
                     -EEXIST);
    assert_non_null(strstr(fixture->problem.text, "once.db"));
}

static void directory_that_cannot_be_made_is_named(void **state) {
    Fixture *fixture = *state;
    Backup *backup = NULL;
    assert_int_equal(backup_begin(fixture->db, "/nonexistent/backup", "a.db", &backup, &fixture->problem),
                     -ENOENT);
    assert_non_null(strstr(fixture->problem.text, "/nonexistent/backup"));
}

#define BACKUP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(copy_is_one_whole_file_that_opens_read_only),
        BACKUP_TEST(records_committed_during_the_copy_are_in_it),
        BACKUP_TEST(name_appears_only_when_the_copy_is_whole),
        BACKUP_TEST(abandoned_copy_leaves_nothing),
        BACKUP_TEST(names_that_lead_elsewhere_are_refused),
        BACKUP_TEST(existing_copy_is_not_overwritten),
        BACKUP_TEST(directory_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests_name("store: backup", tests, NULL, NULL);
}
