/* A spool whose file refuses, fails, is damaged or is another one. */
#include "spool-testing.h"

#include "power-cut-vfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- commits that fail --- */

static sqlite3 *lock(SpoolFixture *fixture) {
    sqlite3 *holder = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &holder), SQLITE_OK);
    test_run(holder, "BEGIN IMMEDIATE");
    return holder;
}

static void unlock(sqlite3 *holder) {
    test_run(holder, "ROLLBACK");
    sqlite3_close(holder);
}

static void locked_file_keeps_what_is_pending_and_its_positions(void **state) {
    SpoolFixture *fixture = *state;
    Intake intake;
    Hop hop = hop_at(1);
    intake_init(&intake);
    assert_int_equal(spool_add_intake(fixture->spool, "link", &intake, &fixture->problem), 0);
    append_and_commit(fixture, 2);
    sqlite3 *holder = lock(fixture);
    append(fixture, 3);
    (void)intake_judge(&intake, &hop);
    assert_int_equal(commit(fixture), -EBUSY);
    assert_int_equal(spool_n_pending(fixture->spool), 3);
    assert_int_equal(spool_committed(fixture->spool), 2);
    assert_null(intake_take_owed(&intake));
    assert_not_readable(fixture, 3);
    append(fixture, 1);
    assert_int_equal(spool_last(fixture->spool), 6);
    unlock(holder);
    assert_int_equal(commit(fixture), 4);
    assert_non_null(intake_take_owed(&intake));
    restart(fixture);
    assert_readable(fixture, 1, 6);
}

static void spool_with_nothing_to_say_does_not_touch_its_file(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 2);
    spool_acknowledge(fixture->spool, 0, 2);
    assert_int_equal(commit(fixture), 0);
    assert_false(spool_is_dirty(fixture->spool));
    sqlite3 *holder = lock(fixture); /* a write would be -EBUSY */
    spool_acknowledge(fixture->spool, 0, 2);
    assert_int_equal(commit(fixture), 0);
    unlock(holder);
}

static void pending_frames_survive_a_reopening(void **state) {
    SpoolFixture *fixture = *state;
    Intake intake;
    intake_init(&intake);
    assert_int_equal(spool_add_intake(fixture->spool, "link", &intake, &fixture->problem), 0);
    append_and_commit(fixture, 5);
    spool_acknowledge(fixture->spool, 0, 2);
    append(fixture, 4);
    Hop hop = hop_at(1);
    (void)intake_judge(&intake, &hop);
    uint64_t bytes = spool_bytes(fixture->spool);
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), 0);
    assert_int_equal(spool_bytes(fixture->spool), bytes);
    assert_int_equal(spool_n_pending(fixture->spool), 4);
    assert_int_equal(spool_acknowledged(fixture->spool, 0), 2);
    assert_not_readable(fixture, 6);
    assert_int_equal(commit(fixture), 4);
    assert_int_equal(intake_take_owed(&intake)->committed, 1);
    restart(fixture);
    assert_readable(fixture, 3, 9);
}

static void file_that_cannot_be_opened_again_is_tried_again(void **state) {
    SpoolFixture *fixture = *state;
    const char *frame;
    size_t size;
    fixture->limits.memory_bytes = 0;
    restart(fixture);
    append_and_commit(fixture, 3);
    append(fixture, 2);
    sqlite3 *holder;
    assert_int_equal(sqlite3_open(fixture->path, &holder), SQLITE_OK);
    test_run(holder, "BEGIN IMMEDIATE; INSERT INTO readers VALUES ('x', 0)");
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), -EBUSY);
    assert_int_equal(commit(fixture), -EIO);
    assert_int_equal(spool_read(fixture->spool, 1, &frame, &size, &fixture->problem), -EIO);
    append(fixture, 1);
    unlock(holder);
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), 0);
    assert_int_equal(commit(fixture), 3);
    assert_readable(fixture, 1, 6);
}

static void another_file_in_its_place_is_not_taken_for_it(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 3);
    append(fixture, 2);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), -EUCLEAN);
    assert_non_null(strstr(fixture->problem.text, "stream"));
    assert_int_equal(commit(fixture), -EIO);
}

static void older_state_of_its_file_is_not_taken_for_it(void **state) {
    SpoolFixture *fixture = *state;
    char command[400];
    append_and_commit(fixture, 3);
    restart(fixture);
    (void)snprintf(command, sizeof command, "cp '%s' '%s.copy'", fixture->path, fixture->path);
    assert_int_equal(system(command), 0);
    append_and_commit(fixture, 3);
    (void)snprintf(command, sizeof command, "mv '%s.copy' '%s' && rm '%s-wal'", fixture->path, fixture->path,
                   fixture->path);
    assert_int_equal(system(command), 0);
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), -EUCLEAN);
}

/* --- a disk that fails --- */

static int setup_disk(void **state) {
    static SpoolFixture fixture;
    disk_install(1);
    fixture = (SpoolFixture){
        .path = "spool.db", .readers = one_reader, .limits = {.max_bytes = 1 << 20, .memory_bytes = 1 << 20}};
    open_spool(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown_disk(void **state) {
    SpoolFixture *fixture = *state;
    spool_free(fixture->spool);
    disk_uninstall();
    return 0;
}

static void cut_and_start(SpoolFixture *fixture) {
    disk_cut();
    fixture->spool = spool_free(fixture->spool);
    disk_start();
    open_spool(fixture);
}

static void full_disk_loses_nothing_and_gives_no_position_twice(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 5);
    for (unsigned n = 1; n <= 3; n++) {
        append(fixture, 10);
        disk_fail_at(DISK_FULL, n);
        assert_int_equal(commit(fixture), -ENOSPC);
        assert_false(disk_fault_is_waiting());
        assert_int_equal(spool_committed(fixture->spool), 5);
    }
    assert_int_equal(commit(fixture), 30);
    cut_and_start(fixture);
    assert_readable(fixture, 1, 35);
}

static void failed_write_loses_nothing(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 5);
    append(fixture, 10);
    disk_fail_at(DISK_WRITE_FAILS, 2);
    assert_int_equal(commit(fixture), -EIO);
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), 0);
    assert_int_equal(commit(fixture), 10);
    cut_and_start(fixture);
    assert_readable(fixture, 1, 15);
}

/* The log holds the whole transaction, only the sync failed: opened anew, the file has the frames already. */
static void commit_that_failed_but_is_in_the_file_is_not_made_twice(void **state) {
    SpoolFixture *fixture = *state;
    Intake intake;
    intake_init(&intake);
    assert_int_equal(spool_add_intake(fixture->spool, "link", &intake, &fixture->problem), 0);
    append_and_commit(fixture, 5);
    spool_acknowledge(fixture->spool, 0, 2);
    append(fixture, 10);
    for (uint64_t p = 1; p <= 10; p++) {
        Hop hop = hop_at(p);
        (void)intake_judge(&intake, &hop);
    }
    disk_fail_at(DISK_SYNC_FAILS, 1);
    assert_int_equal(commit(fixture), -EIO);
    assert_int_equal(spool_committed(fixture->spool), 5);
    append(fixture, 1);
    assert_int_equal(spool_reopen(fixture->spool, &fixture->problem), 0);
    assert_not_readable(fixture, 6);
    assert_int_equal(spool_n_pending(fixture->spool), 11);
    assert_int_equal(commit(fixture), 11);
    assert_int_equal(intake_take_owed(&intake)->committed, 10);
    cut_and_start(fixture);
    assert_readable(fixture, 3, 16);
    assert_int_equal(spool_oldest(fixture->spool), 3);
}

/* The next process finds a commit in the log that nobody has synced, and answers for it. */
static void commit_that_a_killed_process_left_unsynced_is_durable_once_it_was_read(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 5);
    append(fixture, 5);
    disk_fail_at(DISK_SYNC_FAILS, 1);
    assert_int_equal(commit(fixture), -EIO);
    disk_kill();
    fixture->spool = spool_free(fixture->spool);
    disk_start();
    open_spool(fixture);
    assert_int_equal(spool_committed(fixture->spool), 10);
    cut_and_start(fixture);
    assert_int_equal(spool_committed(fixture->spool), 10);
    assert_readable(fixture, 1, 10);
}

/* As before, but the sync at the opening fails as well, and then the power goes. What closing copies into the
 * file would be newer than the log that comes back, and rows that the failed commit deleted would be gone
 * from under it. */
static void file_that_could_not_be_opened_is_left_as_it_was(void **state) {
    SpoolFixture *fixture = *state;
    for (unsigned n = 1; n < 30; n++) {
        append_and_commit(fixture, 1000);
        restart(fixture); /* all of it is in the file, none in the log */
        append_and_commit(fixture, 1);
        uint64_t oldest = spool_oldest(fixture->spool), committed = spool_committed(fixture->spool);
        spool_acknowledge(fixture->spool, 0, committed - 500);
        append(fixture, 1);
        disk_fail_at(DISK_SYNC_FAILS, 1);
        assert_int_equal(commit(fixture), -EIO);
        disk_kill();
        fixture->spool = spool_free(fixture->spool);
        disk_start();
        disk_fail_at(DISK_SYNC_FAILS, 1);
        assert_int_equal(
            spool_open(fixture->path, fixture->readers, &fixture->limits, &fixture->spool, &fixture->problem),
            -EIO);
        cut_and_start(fixture);
        assert_int_equal(spool_committed(fixture->spool), committed);
        assert_int_equal(spool_oldest(fixture->spool), oldest);
        assert_readable(fixture, oldest, committed);
        spool_acknowledge(fixture->spool, 0, committed - 500);
        assert_int_equal(commit(fixture), 0);
    }
}

/* --- damage --- */

/* While the spool is closed. */
static void change_file(SpoolFixture *fixture, const char *sql) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    test_run(db, sql);
    sqlite3_close(db);
}

/* Turns one bit of the first occurrence of `text` in the closed file. */
static void flip_bit(SpoolFixture *fixture, const char *text) {
    static char content[1 << 20];
    FILE *file = fopen(fixture->path, "r+");
    assert_non_null(file);
    size_t size = fread(content, 1, sizeof content, file);
    char *at = memmem(content, size, text, strlen(text));
    assert_non_null(at);
    assert_int_equal(fseek(file, at - content, SEEK_SET), 0);
    assert_int_equal(fputc(*at ^ 1, file), *at ^ 1);
    fclose(file);
}

static void overwrite_page(SpoolFixture *fixture, long page) {
    char garbage[4096];
    memset(garbage, 0xA5, sizeof garbage);
    FILE *file = fopen(fixture->path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, (page - 1) * 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(garbage, sizeof garbage, 1, file), 1);
    fclose(file);
}

static void assert_damaged(SpoolFixture *fixture) {
    Spool *spool = NULL;
    fixture->problem.text[0] = '\0';
    assert_int_equal(spool_open(fixture->path, fixture->readers, &fixture->limits, &spool, &fixture->problem),
                     -EUCLEAN);
    assert_null(spool);
    assert_true(strlen(fixture->problem.text) > 0);
}

static uint64_t set_aside(SpoolFixture *fixture) {
    char aside[256];
    uint64_t n_saved = UINT64_MAX;
    if (spool_set_aside(fixture->path, fixture->readers, &fixture->limits, NOON, &fixture->spool, aside,
                        sizeof aside, &n_saved, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(spool_last(fixture->spool), n_saved);
    assert_int_equal(spool_committed(fixture->spool), n_saved);
    assert_int_equal(spool_oldest(fixture->spool), 1);
    return n_saved;
}

/* The number in the frame at `position`. */
static uint64_t number_at(SpoolFixture *fixture, uint64_t position) {
    const char *frame;
    char text[64] = "";
    size_t size;
    assert_int_equal(spool_read(fixture->spool, position, &frame, &size, &fixture->problem), 1);
    assert_true(size < sizeof text);
    memcpy(text, frame, size);
    unsigned long long number = 0;
    assert_int_equal(sscanf(text, "camara {\"n\":%llu}", &number), 1);
    return number;
}

static void flipped_bit_in_a_frame_is_found_and_only_that_frame_is_lost(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 100);
    uint64_t stream = spool_stream(fixture->spool);
    fixture->spool = spool_free(fixture->spool);
    flip_bit(fixture, "camara {\"n\":40}");
    assert_damaged(fixture);
    assert_int_equal(set_aside(fixture), 99);
    assert_true(spool_stream(fixture->spool) != stream);
    for (uint64_t p = 1; p <= 99; p++)
        assert_int_equal(number_at(fixture, p), p < 40 ? p : p + 1);
}

static void damaged_page_costs_its_own_frames_and_no_others(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 2000);
    fixture->spool = spool_free(fixture->spool);
    overwrite_page(fixture, 9);
    overwrite_page(fixture, 15);
    assert_damaged(fixture);
    uint64_t n_saved = set_aside(fixture), last = 0;
    assert_true(n_saved > 1500 && n_saved < 2000);
    for (uint64_t p = 1; p <= n_saved; p++) {
        assert_true(number_at(fixture, p) > last);
        last = number_at(fixture, p);
    }
    assert_int_equal(last, 2000);
    append_and_commit(fixture, 1);
    restart(fixture);
    assert_int_equal(spool_last(fixture->spool), n_saved + 1);
}

static void damage_at_the_front_does_not_hide_what_is_behind(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 5000);
    spool_acknowledge(fixture->spool, 0, 3000);
    assert_int_equal(commit(fixture), 0);
    fixture->spool = spool_free(fixture->spool);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    long first_leaf = (long)test_integer(db, "SELECT pageno FROM dbstat WHERE name = 'frames' AND "
                                             "pagetype = 'leaf' ORDER BY path LIMIT 1");
    sqlite3_close(db);
    overwrite_page(fixture, first_leaf);
    assert_damaged(fixture);
    assert_true(set_aside(fixture) > 1500);
    assert_int_equal(number_at(fixture, spool_last(fixture->spool)), 5000);
}

static void file_that_is_no_database_is_replaced(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 10);
    fixture->spool = spool_free(fixture->spool);
    overwrite_page(fixture, 1);
    assert_damaged(fixture);
    assert_int_equal(set_aside(fixture), 0);
    append_and_commit(fixture, 1);
    assert_readable(fixture, 1, 1);
}

static void frames_that_are_not_all_there_are_damage(void **state) {
    SpoolFixture *fixture = *state;
    static const char *const changes[] = {
        "DELETE FROM frames WHERE position = 50",
        "DELETE FROM frames WHERE position = 100",
        "UPDATE frames SET odometer = odometer + 1 WHERE position = 60",
        "UPDATE readers SET acknowledged = 101",
        "UPDATE readers SET acknowledged = 19",
        "UPDATE head SET last = 99",
        "DELETE FROM head",
    };
    append_and_commit(fixture, 100);
    spool_acknowledge(fixture->spool, 0, 20);
    assert_int_equal(commit(fixture), 0);
    fixture->spool = spool_free(fixture->spool);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char command[400];
        (void)snprintf(command, sizeof command, "cp '%s' '%s.good'", fixture->path, fixture->path);
        assert_int_equal(system(command), 0);
        change_file(fixture, changes[i]);
        assert_damaged(fixture);
        (void)snprintf(command, sizeof command, "mv '%s.good' '%s' && rm -f '%s'-*", fixture->path,
                       fixture->path, fixture->path);
        assert_int_equal(system(command), 0);
    }
    open_spool(fixture);
    assert_readable(fixture, 21, 100);
}

static void name_file(SpoolFixture *fixture, const char *suffix, char ret[static 200]) {
    (void)snprintf(ret, 200, "%s%s", fixture->path, suffix);
}

/* The good copy is complete, and the power went before it took its place. */
static void interrupted_saving_is_finished_at_the_next_start(void **state) {
    SpoolFixture *fixture = *state;
    char saved[200];
    append_and_commit(fixture, 10);
    fixture->spool = spool_free(fixture->spool);
    name_file(fixture, ".saved", saved);
    assert_int_equal(rename(fixture->path, saved), 0);
    assert_damaged(fixture); /* with the damaged file still or no longer there */
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    fclose(file);
    assert_damaged(fixture);
    assert_int_equal(set_aside(fixture), 10);
    assert_int_equal(access(saved, F_OK), -1);
    assert_readable(fixture, 1, 10);
    restart(fixture);
    assert_readable(fixture, 1, 10);
}

static void saving_that_did_not_get_far_begins_again(void **state) {
    SpoolFixture *fixture = *state;
    char saving[200];
    append_and_commit(fixture, 10);
    fixture->spool = spool_free(fixture->spool);
    name_file(fixture, ".saving", saving);
    FILE *file = fopen(saving, "w");
    assert_non_null(file);
    fputs("half a file", file);
    fclose(file);
    flip_bit(fixture, "camara {\"n\":10}");
    assert_damaged(fixture);
    assert_int_equal(set_aside(fixture), 9);
    assert_int_equal(access(saving, F_OK), -1);
}

static void more_than_the_limit_is_saved_all_the_same(void **state) {
    SpoolFixture *fixture = *state;
    append_and_commit(fixture, 100);
    fixture->spool = spool_free(fixture->spool);
    fixture->limits.max_bytes = 100;
    flip_bit(fixture, "camara {\"n\":100}");
    assert_damaged(fixture);
    assert_int_equal(set_aside(fixture), 99);
    assert_int_equal(spool_append(fixture->spool, "x", 1), -ENOSPC);
}

static void file_of_a_newer_program_is_refused_and_left_alone(void **state) {
    SpoolFixture *fixture = *state;
    Spool *spool = NULL;
    fixture->spool = spool_free(fixture->spool);
    change_file(fixture, "PRAGMA user_version = 99");
    assert_int_equal(spool_open(fixture->path, fixture->readers, &fixture->limits, &spool, &fixture->problem),
                     -EINVAL);
    assert_int_equal(access(fixture->path, F_OK), 0);
}

#define SPOOL_TEST(test) cmocka_unit_test_setup_teardown(test, spool_setup, spool_teardown)
#define DISK_TEST(test)  cmocka_unit_test_setup_teardown(test, setup_disk, teardown_disk)

int main(void) {
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(locked_file_keeps_what_is_pending_and_its_positions),
        SPOOL_TEST(spool_with_nothing_to_say_does_not_touch_its_file),
        SPOOL_TEST(pending_frames_survive_a_reopening),
        SPOOL_TEST(file_that_cannot_be_opened_again_is_tried_again),
        SPOOL_TEST(another_file_in_its_place_is_not_taken_for_it),
        SPOOL_TEST(older_state_of_its_file_is_not_taken_for_it),
        DISK_TEST(full_disk_loses_nothing_and_gives_no_position_twice),
        DISK_TEST(failed_write_loses_nothing),
        DISK_TEST(commit_that_failed_but_is_in_the_file_is_not_made_twice),
        DISK_TEST(commit_that_a_killed_process_left_unsynced_is_durable_once_it_was_read),
        DISK_TEST(file_that_could_not_be_opened_is_left_as_it_was),
        SPOOL_TEST(flipped_bit_in_a_frame_is_found_and_only_that_frame_is_lost),
        SPOOL_TEST(damaged_page_costs_its_own_frames_and_no_others),
        SPOOL_TEST(damage_at_the_front_does_not_hide_what_is_behind),
        SPOOL_TEST(file_that_is_no_database_is_replaced),
        SPOOL_TEST(frames_that_are_not_all_there_are_damage),
        SPOOL_TEST(interrupted_saving_is_finished_at_the_next_start),
        SPOOL_TEST(saving_that_did_not_get_far_begins_again),
        SPOOL_TEST(more_than_the_limit_is_saved_all_the_same),
        SPOOL_TEST(file_of_a_newer_program_is_refused_and_left_alone),
    };
    return cmocka_run_group_tests_name("store: spool in trouble", tests, NULL, NULL);
}
