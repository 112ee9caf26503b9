/* Opening: new files, older ones, newer ones, damaged ones, and files that cannot be opened just now. */
#include "store-testing.h"

#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void new_file_gets_the_newest_schema_and_durable_commits(void **state) {
    sqlite3 *db = test_open(*state);
    sqlite3_stmt *statement;
    assert_int_equal(test_integer(db, "PRAGMA user_version"), traffic_schema.n_steps);
    assert_int_equal(test_integer(db, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "wal");
    sqlite3_finalize(statement);
    assert_int_equal(test_integer(db, "SELECT sensor_events FROM totals"), 0);
    db_close(db);
}

static void steps_are_numbered_without_a_gap(void **state) {
    (void)state;
    assert_true(traffic_schema.n_steps >= 2);
    for (size_t i = 0; i < traffic_schema.n_steps; i++)
        assert_int_equal(traffic_schema.steps[i].version, i + 1);
}

/* A file as the first version of the schema left it, with rows that had no totals yet. */
static void older_file_is_migrated_and_its_rows_are_counted(void **state) {
    TestFile *file = *state;
    sqlite3 *db = test_open(file);
    RecordWriter *writer = test_writer(db);
    test_store_events(file, writer, 1, 50);
    TestRecord congestion = test_record(file, "congestion_record",
                                        "\"interseccion\":\"INT-A1\",\"traffic_state\":\"CONGESTION\","
                                        "\"decision\":\"NO_ACTION\",\"timestamp\":\"2026-11-20T12:00:00Z\"");
    Problem problem;
    assert_int_equal(record_writer_insert(writer, &congestion.message, NOON, &problem), RECORD_NEW);
    assert_int_equal(record_writer_commit(writer, NOON, &problem), 0);
    StoreTotals before = *record_writer_totals(writer);
    record_writer_free(writer);
    test_run(db, "DROP TABLE totals; DROP TABLE intake; DROP TABLE unsummed; PRAGMA user_version = 1;"
                 "ALTER TABLE sensor_events DROP COLUMN checksum;"
                 "ALTER TABLE congestion_history DROP COLUMN checksum;"
                 "ALTER TABLE semaphore_states DROP COLUMN checksum;"
                 "ALTER TABLE semaphore_states DROP COLUMN phase;"
                 "ALTER TABLE semaphore_states DROP COLUMN groups;"
                 "ALTER TABLE priority_actions DROP COLUMN checksum");
    db_close(db);

    db = test_open(file);
    writer = test_writer(db);
    const StoreTotals *after = record_writer_totals(writer);
    assert_int_equal(test_integer(db, "PRAGMA user_version"), traffic_schema.n_steps);
    assert_int_equal(after->sensor_events, 50);
    assert_int_equal(after->congestion_detections, 1);
    assert_true(after->event_set == before.event_set);
    assert_true(after->committed_us >= NOON.usec);
    assert_false(after->needs_refill);
    record_writer_free(writer);
    db_close(db);
}

static void new_file_wants_a_refill_and_knows_when_it_was_made(void **state) {
    sqlite3 *db = test_open(*state);
    assert_int_equal(test_integer(db, "SELECT needs_refill FROM totals"), 1);
    assert_true(test_integer(db, "SELECT abs(made_at - strftime('%s', 'now')) < 100 FROM totals"));
    db_close(db);
}

static void suspected_file_that_is_whole_wants_a_refill(void **state) {
    TestFile *file = *state;
    sqlite3 *db = test_open(file);
    test_run(db, "UPDATE totals SET needs_refill = 0");
    db_close(db);
    db = test_open(file);
    assert_int_equal(test_integer(db, "SELECT needs_refill FROM totals"), 0);
    db_close(db);
    db_mark_suspect(file->path);
    db = test_open(file);
    assert_int_equal(test_integer(db, "SELECT needs_refill FROM totals"), 1);
    db_close(db);
}

static void copy_file(const char *from, const char *to) {
    char command[300];
    (void)snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* As a process leaves it that was killed: nobody has copied the log into the file. */
static void log_of_any_length_is_read_by_the_next_process(void **state) {
    TestFile *file = *state;
    char wal[128], copy[128], copied_wal[140];
    (void)snprintf(wal, sizeof wal, "%s-wal", file->path);
    (void)snprintf(copy, sizeof copy, "%s/copy.db", file->directory);
    (void)snprintf(copied_wal, sizeof copied_wal, "%s-wal", copy);
    sqlite3 *db = test_open(file);
    RecordWriter *writer = test_writer(db);
    for (int first = 1; first < 2000; first += 200) {
        test_store_events(file, writer, first, first + 199);
        copy_file(file->path, copy);
        copy_file(wal, copied_wal);
        Problem problem = {0};
        sqlite3 *next = NULL;
        if (db_open(copy, &next, &problem) < 0)
            fail_msg("%d events: %s", first + 199, problem.text);
        assert_int_equal(test_integer(next, "SELECT count(*) FROM sensor_events"), first + 199);
        db_close(next);
    }
    struct stat status;
    assert_int_equal(stat(wal, &status), 0);
    assert_true(status.st_size > 1 << 20);
    record_writer_free(writer);
    db_close(db);
}

/* Who opens a file reads and writes all of its log first. */
static void log_that_grew_while_somebody_read_is_short_again_afterwards(void **state) {
    TestFile *file = *state;
    Problem problem;
    char log[PATH_MAX];
    struct stat grown, after;
    sqlite3 *db = test_open(file), *reader;
    assert_int_equal(db_name_beside(file->path, "-wal", log, &problem), 0);
    assert_int_equal(db_open_reader(file->path, &reader, &problem), 0);
    test_run(reader, "BEGIN; SELECT * FROM totals");
    test_run(db, "CREATE TABLE large (bytes); INSERT INTO large VALUES (randomblob(20000000))");
    assert_int_equal(stat(log, &grown), 0);
    assert_true(grown.st_size > 16 << 20);
    test_run(reader, "COMMIT");
    for (int i = 0; i < 3; i++) /* one copies the log into the file, the next begins it anew */
        test_run(db, "UPDATE totals SET needs_refill = 1 - needs_refill");
    assert_int_equal(stat(log, &after), 0);
    assert_true(after.st_size <= 8 << 20);
    db_close(reader);
    db_close(db);
}

static void file_of_a_newer_program_is_refused_and_left_alone(void **state) {
    TestFile *file = *state;
    sqlite3 *db = test_open(file);
    test_run(db, "PRAGMA user_version = 99");
    db_close(db);
    Problem problem;
    sqlite3 *untouched = NULL;
    assert_int_equal(db_open(file->path, &untouched, &problem), -EINVAL);
    assert_null(untouched);
    assert_non_null(strstr(problem.text, "99"));
    assert_int_equal(access(file->path, F_OK), 0);
}

static void migration_that_fails_leaves_the_version_as_it_was(void **state) {
    TestFile *file = *state;
    sqlite3 *db;
    Problem problem;
    assert_int_equal(sqlite3_open(file->path, &db), SQLITE_OK);
    test_run(db, "CREATE TABLE semaphore_states (another TEXT)");
    assert_true(db_migrate(db, &traffic_schema, (int)traffic_schema.n_steps, &problem) < 0);
    assert_int_equal(test_integer(db, "PRAGMA user_version"), 0);
    assert_int_equal(test_integer(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'sensor_events'"), 0);
    sqlite3_close(db);
}

/* --- damage --- */

static void make_filled_file(TestFile *file) {
    sqlite3 *db = test_open(file);
    RecordWriter *writer = test_writer(db);
    test_store_events(file, writer, 1, 500);
    record_writer_free(writer);
    db_close(db);
}

static void overwrite(const char *path, off_t at, size_t size) {
    char garbage[8192];
    memset(garbage, 0xA5, sizeof garbage);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, garbage, size, at), size);
    close(fd);
}

static void assert_damaged(TestFile *file) {
    Problem problem = {0};
    sqlite3 *db = NULL;
    assert_int_equal(db_open(file->path, &db, &problem), -EUCLEAN);
    assert_null(db);
    assert_true(strlen(problem.text) > 0);
}

static void overwritten_pages_are_found(void **state) {
    TestFile *file = *state;
    make_filled_file(file);
    overwrite(file->path, 5 * 4096, 8192);
    overwrite(file->path, 20 * 4096, 8192);
    assert_damaged(file);
}

static void truncated_file_is_found(void **state) {
    TestFile *file = *state;
    struct stat status;
    make_filled_file(file);
    assert_int_equal(stat(file->path, &status), 0);
    assert_int_equal(truncate(file->path, status.st_size / 2), 0);
    assert_damaged(file);
}

static void file_that_is_no_database_is_found(void **state) {
    TestFile *file = *state;
    make_filled_file(file);
    overwrite(file->path, 0, 100);
    assert_damaged(file);
}

static void database_without_its_summary_row_is_damaged(void **state) {
    TestFile *file = *state;
    make_filled_file(file);
    sqlite3 *db = test_open(file);
    test_run(db, "DELETE FROM totals");
    db_close(db);
    assert_damaged(file);
}

static void damaged_file_moves_aside_whole_and_a_fresh_one_takes_its_place(void **state) {
    TestFile *file = *state;
    char name[256], expected[256];
    Problem problem;
    make_filled_file(file);
    overwrite(file->path, 0, 100);
    assert_int_equal(db_set_aside(file->path, NOON, name, sizeof name, &problem), 0);
    (void)snprintf(expected, sizeof expected, "%s.corrupt-20261120T120000Z", file->path);
    assert_string_equal(name, expected);
    assert_int_equal(access(name, F_OK), 0);
    assert_int_equal(access(file->path, F_OK), -1);
    sqlite3 *db = test_open(file);
    assert_int_equal(test_integer(db, "SELECT count(*) FROM sensor_events"), 0);
    db_close(db);
}

static void log_of_a_damaged_file_moves_aside_with_it(void **state) {
    TestFile *file = *state;
    char log[128], name[256], moved[300];
    Problem problem;
    make_filled_file(file);
    (void)snprintf(log, sizeof log, "%s-wal", file->path);
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(db_set_aside(file->path, NOON, name, sizeof name, &problem), 0);
    (void)snprintf(moved, sizeof moved, "%s-wal", name);
    assert_int_equal(access(log, F_OK), -1);
    assert_int_equal(access(moved, F_OK), 0);
}

static void suspicion_is_forgotten_after_a_good_check(void **state) {
    TestFile *file = *state;
    char name[128];
    (void)snprintf(name, sizeof name, "%s.suspect", file->path);
    db_mark_suspect(file->path);
    assert_int_equal(access(name, F_OK), 0);
    db_close(test_open(file));
    assert_int_equal(access(name, F_OK), -1);
}

/* --- not now --- */

static void missing_directory_is_no_damage(void **state) {
    (void)state;
    Problem problem = {0};
    sqlite3 *db = NULL;
    assert_int_equal(db_open("/nonexistent/traffic.db", &db, &problem), -EACCES);
    assert_non_null(strstr(problem.text, "/nonexistent/traffic.db"));
}

static void file_that_another_process_holds_is_busy_not_damaged(void **state) {
    TestFile *file = *state;
    Problem problem;
    sqlite3 *holder, *db = NULL;
    assert_int_equal(sqlite3_open(file->path, &holder), SQLITE_OK);
    test_run(holder, "PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE held (x); BEGIN EXCLUSIVE");
    assert_int_equal(db_open(file->path, &db, &problem), -EBUSY);
    test_run(holder, "COMMIT; DROP TABLE held");
    sqlite3_close(holder);
    db_close(test_open(file));
}

static void reader_sees_commits_and_can_write_nothing(void **state) {
    TestFile *file = *state;
    Problem problem;
    sqlite3 *db = test_open(file), *reader = NULL;
    assert_int_equal(db_open_reader(file->path, &reader, &problem), 0);
    RecordWriter *writer = test_writer(db);
    test_store_events(file, writer, 1, 3);
    assert_int_equal(test_integer(reader, "SELECT count(*) FROM sensor_events"), 3);
    assert_int_equal(db_run(reader, "DELETE FROM sensor_events", &problem), -EROFS);
    record_writer_free(writer);
    db_close(reader);
    db_close(db);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, test_file_setup, test_file_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(new_file_gets_the_newest_schema_and_durable_commits),
        FILE_TEST(steps_are_numbered_without_a_gap),
        FILE_TEST(older_file_is_migrated_and_its_rows_are_counted),
        FILE_TEST(new_file_wants_a_refill_and_knows_when_it_was_made),
        FILE_TEST(suspected_file_that_is_whole_wants_a_refill),
        FILE_TEST(log_of_any_length_is_read_by_the_next_process),
        FILE_TEST(log_that_grew_while_somebody_read_is_short_again_afterwards),
        FILE_TEST(file_of_a_newer_program_is_refused_and_left_alone),
        FILE_TEST(migration_that_fails_leaves_the_version_as_it_was),
        FILE_TEST(overwritten_pages_are_found),
        FILE_TEST(truncated_file_is_found),
        FILE_TEST(file_that_is_no_database_is_found),
        FILE_TEST(database_without_its_summary_row_is_damaged),
        FILE_TEST(damaged_file_moves_aside_whole_and_a_fresh_one_takes_its_place),
        FILE_TEST(log_of_a_damaged_file_moves_aside_with_it),
        FILE_TEST(suspicion_is_forgotten_after_a_good_check),
        FILE_TEST(missing_directory_is_no_damage),
        FILE_TEST(file_that_another_process_holds_is_busy_not_damaged),
        FILE_TEST(reader_sees_commits_and_can_write_nothing),
    };
    return cmocka_run_group_tests_name("store: opening a database", tests, NULL, NULL);
}
