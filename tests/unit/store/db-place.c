/* What can be done to a file under a running process, and what is left of it afterwards. */
#include "store-testing.h"

#include "store/db-place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Open {
    TestFile *file;
    sqlite3 *db;
    DbPlace place;
    char aside[256];
    Problem problem;
} Open;

static Open open_file(TestFile *file) {
    Open open = {.file = file, .db = test_open(file)};
    assert_int_equal(db_place_note(file->path, &open.place, &open.problem), 0);
    return open;
}

static const char *beside(const TestFile *file, const char *suffix) {
    static char name[128];
    (void)snprintf(name, sizeof name, "%s%s", file->path, suffix);
    return name;
}

static void move(const TestFile *file, const char *from, const char *to) {
    char source[128];
    (void)snprintf(source, sizeof source, "%s", beside(file, from));
    assert_int_equal(rename(source, beside(file, to)), 0);
}

static void leave(Open *open) {
    assert_int_equal(
        db_place_leave(open->file->path, &open->place, NOON, open->aside, sizeof open->aside, &open->problem),
        0);
}

static void assert_lost(Open *open, const char *which) {
    assert_false(db_place_holds(open->file->path, &open->place, &open->problem));
    if (!strstr(open->problem.text, which))
        fail_msg("expected %s in \"%s\"", which, open->problem.text);
}

static void file_holds_its_place_whatever_is_written_to_it(void **state) {
    Open open = open_file(*state);
    RecordWriter *writer = test_writer(open.db);
    test_store_events(open.file, writer, 1, 100);
    assert_true(db_place_holds(open.file->path, &open.place, &open.problem));
    test_run(open.db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(db_place_holds(open.file->path, &open.place, &open.problem));
    record_writer_free(writer);
    db_close(open.db);
}

static void absent_file_has_no_place(void **state) {
    TestFile *file = *state;
    DbPlace place;
    Problem problem;
    assert_int_equal(db_place_note(file->path, &place, &problem), -ENOENT);
}

static void deleted_file_has_lost_its_place_and_its_log_moves_aside(void **state) {
    Open open = open_file(*state);
    test_run(open.db, "UPDATE totals SET needs_refill = 0");
    assert_int_equal(unlink(open.file->path), 0);
    assert_lost(&open, "traffic.db ");
    db_close(open.db);
    leave(&open);
    assert_string_equal(strrchr(open.aside, '/') + 1, "traffic.db.corrupt-20261120T120000Z-shm");
    assert_int_equal(access(beside(open.file, "-wal"), F_OK), -1);
    assert_int_equal(access(beside(open.file, ".corrupt-20261120T120000Z-wal"), F_OK), 0);
}

/* Else the log of the old database would be read into the new one. */
static void file_put_in_its_place_stays_and_meets_no_foreign_log(void **state) {
    TestFile *file = *state;
    sqlite3 *other = test_open(file);
    test_run(other, "UPDATE totals SET made_at = 42");
    db_close(other);
    move(file, "", ".backup");
    Open open = open_file(file);
    test_run(open.db, "UPDATE totals SET made_at = 43");
    move(file, ".backup", "");
    assert_lost(&open, "replaced");
    db_close(open.db);
    leave(&open);
    sqlite3 *db = test_open(file);
    assert_int_equal(test_integer(db, "SELECT made_at FROM totals"), 42);
    db_close(db);
}

static void renamed_file_stays_where_it_went(void **state) {
    Open open = open_file(*state);
    move(open.file, "", ".away");
    assert_lost(&open, "renamed");
    db_close(open.db);
    leave(&open);
    assert_int_equal(access(beside(open.file, ".away"), F_OK), 0);
    assert_int_equal(access(open.file->path, F_OK), -1);
}

static void deleted_log_is_noticed_and_the_file_is_whole_after_closing(void **state) {
    Open open = open_file(*state);
    test_run(open.db, "UPDATE totals SET made_at = 44");
    assert_int_equal(unlink(beside(open.file, "-wal")), 0);
    assert_lost(&open, "traffic.db-wal");
    db_close(open.db);
    leave(&open);
    assert_string_equal(open.aside, "");
    sqlite3 *db = test_open(open.file);
    assert_int_equal(test_integer(db, "SELECT made_at FROM totals"), 44);
    db_close(db);
}

static void file_that_is_cut_short_has_lost_its_place(void **state) {
    Open open = open_file(*state);
    struct stat status;
    assert_int_equal(stat(open.file->path, &status), 0);
    assert_int_equal(truncate(open.file->path, status.st_size - 1), 0);
    assert_lost(&open, "cut short");
    db_close(open.db);
}

/* Deleting rows leaves free pages. */
static void file_keeps_its_size_whatever_is_deleted_from_it(void **state) {
    Open open = open_file(*state);
    RecordWriter *writer = test_writer(open.db);
    test_store_events(open.file, writer, 1, 2000);
    test_run(open.db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(db_place_holds(open.file->path, &open.place, &open.problem));
    test_run(open.db, "DELETE FROM sensor_events");
    test_run(open.db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(db_place_holds(open.file->path, &open.place, &open.problem));
    record_writer_free(writer);
    db_close(open.db);
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, test_file_setup, test_file_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PLACE_TEST(file_holds_its_place_whatever_is_written_to_it),
        PLACE_TEST(absent_file_has_no_place),
        PLACE_TEST(deleted_file_has_lost_its_place_and_its_log_moves_aside),
        PLACE_TEST(file_put_in_its_place_stays_and_meets_no_foreign_log),
        PLACE_TEST(renamed_file_stays_where_it_went),
        PLACE_TEST(file_that_is_cut_short_has_lost_its_place),
        PLACE_TEST(file_keeps_its_size_whatever_is_deleted_from_it),
        PLACE_TEST(deleted_log_is_noticed_and_the_file_is_whole_after_closing),
    };
    return cmocka_run_group_tests_name("store: the place of a file", tests, NULL, NULL);
}
