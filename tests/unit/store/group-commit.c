/* Group commit under good conditions and under each fault: nothing that was taken may be missing afterwards,
 * nothing twice. */
#include "store-testing.h"

#include "store/group-commit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define AT(usec)  ((Mono){UINT64_C(1000000000) + (usec)})
#define WAIT_USEC 5000
enum { MAX_ROWS = 10, MAX_KEPT_BYTES = 64 * 1024 };

typedef struct Fixture {
    TestFile *file;
    sqlite3 *db;
    RecordWriter *writer;
    GroupCommit *group;
    Problem problem;
} Fixture;

static void open_all(Fixture *fixture) {
    fixture->db = test_open(fixture->file);
    fixture->writer = test_writer(fixture->db);
    group_commit_set_writer(fixture->group, fixture->writer);
}

static void close_all(Fixture *fixture) {
    group_commit_set_writer(fixture->group, NULL);
    fixture->writer = record_writer_free(fixture->writer);
    fixture->db = db_close(fixture->db);
}

static int setup(void **state) {
    static Fixture fixture;
    const GroupCommitLimits limits = {
        .max_rows = MAX_ROWS, .max_wait_usec = WAIT_USEC, .max_kept_bytes = MAX_KEPT_BYTES};
    void *file;
    test_file_setup(&file);
    fixture = (Fixture){.file = file};
    assert_int_equal(group_commit_new(&limits, &fixture.group), 0);
    open_all(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    void *file = fixture->file;
    close_all(fixture);
    group_commit_free(fixture->group);
    return test_file_teardown(&file);
}

static int add(Fixture *fixture, int n, Mono now) {
    TestRecord record = test_event(fixture->file, n);
    return group_commit_add(fixture->group, record.frame, record.size, &record.message, NOON, now,
                            &fixture->problem);
}

static void add_range(Fixture *fixture, int first, int last, Mono now) {
    for (int n = first; n <= last; n++)
        assert_int_equal(add(fixture, n, now), 0);
}

static int run(Fixture *fixture, Mono now) {
    return group_commit_run(fixture->group, now, NOON, &fixture->problem);
}

/* As another connection sees it: committed. */
static int64_t committed_events(Fixture *fixture) {
    sqlite3 *reader = NULL;
    assert_int_equal(db_open_reader(fixture->file->path, &reader, &fixture->problem), 0);
    int64_t n = test_integer(reader, "SELECT count(*) FROM sensor_events");
    db_close(reader);
    return n;
}

/* Events 1..last are there, once each, and the totals agree with the rows. */
static void assert_all_stored(Fixture *fixture, int last) {
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), last);
    assert_int_equal(test_integer(fixture->db, "SELECT count(DISTINCT seq) FROM sensor_events"), last);
    assert_int_equal(test_integer(fixture->db, "SELECT sensor_events FROM totals"), last);
    assert_int_equal(test_integer(fixture->db,
                                  "SELECT event_set - (SELECT event_set(record_hash(producer_id, epoch, seq, "
                                  "'', '', '', '', '')) FROM sensor_events) FROM totals"),
                     0);
    assert_int_equal(group_commit_rows_waiting(fixture->group), 0);
    assert_int_equal(group_commit_counts(fixture->group)->stored[0], last);
}

/* --- when --- */

static void nothing_waits_at_first(void **state) {
    Fixture *fixture = *state;
    assert_true(mono_is_never(group_commit_deadline(fixture->group)));
    assert_false(group_commit_is_due(fixture->group, AT(0)));
    assert_true(group_commit_can_commit(fixture->group));
}

static void commit_is_due_when_the_oldest_record_waited_long_enough(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 1, AT(0));
    add_range(fixture, 2, 2, AT(WAIT_USEC - 1));
    assert_false(group_commit_is_due(fixture->group, AT(WAIT_USEC - 1)));
    assert_true(group_commit_is_due(fixture->group, AT(WAIT_USEC)));
}

static void commit_is_due_when_enough_records_wait(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, MAX_ROWS - 1, AT(0));
    assert_false(group_commit_is_due(fixture->group, AT(0)));
    add_range(fixture, MAX_ROWS, MAX_ROWS, AT(0));
    assert_true(group_commit_is_due(fixture->group, AT(0)));
}

static void records_are_invisible_before_the_commit_and_there_after_it(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 5, AT(0));
    assert_int_equal(group_commit_rows_waiting(fixture->group), 5);
    assert_int_equal(committed_events(fixture), 0);
    assert_int_equal(run(fixture, AT(WAIT_USEC)), 5);
    assert_int_equal(committed_events(fixture), 5);
    assert_all_stored(fixture, 5);
    assert_int_equal(group_commit_last_commit(fixture->group).usec, AT(WAIT_USEC).usec);
    assert_int_equal(group_commit_counts(fixture->group)->commits, 1);
}

static void repeats_are_counted_and_not_stored(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 3, AT(0));
    add_range(fixture, 2, 3, AT(0));
    assert_int_equal(run(fixture, AT(1)), 5);
    assert_int_equal(group_commit_counts(fixture->group)->repeats, 2);
    assert_all_stored(fixture, 3);
}

static void empty_commit_proves_that_the_file_takes_commits(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(run(fixture, AT(7)), 0);
    assert_int_equal(group_commit_last_commit(fixture->group).usec, AT(7).usec);
    test_run(fixture->db, "PRAGMA query_only = ON");
    assert_int_equal(run(fixture, AT(8)), -EROFS);
    assert_false(group_commit_can_commit(fixture->group));
    test_run(fixture->db, "PRAGMA query_only = OFF");
}

/* --- faults --- */

static void locked_database_keeps_what_comes_and_stores_it_afterwards(void **state) {
    Fixture *fixture = *state;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(fixture->file->path, &other), SQLITE_OK);
    test_run(other, "BEGIN IMMEDIATE");
    add_range(fixture, 1, 4, AT(0));
    assert_false(group_commit_can_commit(fixture->group));
    assert_int_equal(group_commit_error(fixture->group), -EBUSY);
    assert_non_null(strstr(group_commit_trouble(fixture->group), "locked"));
    assert_int_equal(run(fixture, AT(1)), -EBUSY);
    assert_int_equal(group_commit_rows_waiting(fixture->group), 4);

    test_run(other, "COMMIT");
    sqlite3_close(other);
    assert_int_equal(run(fixture, AT(2)), 4);
    assert_true(group_commit_can_commit(fixture->group));
    assert_string_equal(group_commit_trouble(fixture->group), "");
    assert_all_stored(fixture, 4);
}

static void failure_in_the_middle_of_a_transaction_loses_none_of_it(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 3, AT(0));
    test_run(fixture->db, "PRAGMA query_only = ON");
    add_range(fixture, 4, 6, AT(0));
    assert_int_equal(group_commit_error(fixture->group), -EROFS);
    assert_int_equal(committed_events(fixture), 0);
    test_run(fixture->db, "PRAGMA query_only = OFF");
    add_range(fixture, 7, 8, AT(0));
    assert_int_equal(run(fixture, AT(1)), 8);
    assert_all_stored(fixture, 8);
}

/* A file that may not grow: SQLite says what it says on a full disk. */
static void full_database_keeps_what_comes_and_stores_it_when_there_is_room(void **state) {
    Fixture *fixture = *state;
    char limit[64];
    (void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %lld",
                   (long long)test_integer(fixture->db, "PRAGMA page_count") + 2);
    (void)test_integer(fixture->db, limit);
    int n = 0;
    while (group_commit_can_commit(fixture->group) && n < 200)
        add_range(fixture, n + 1, n + 1, AT(0)), n++;
    assert_int_equal(group_commit_error(fixture->group), -ENOSPC);
    assert_int_equal(run(fixture, AT(1)), -ENOSPC);
    assert_int_equal(group_commit_rows_waiting(fixture->group), n);
    (void)test_integer(fixture->db, "PRAGMA max_page_count = 1000000");
    assert_int_equal(run(fixture, AT(2)), n);
    assert_all_stored(fixture, n);
}

static void repeats_of_a_failed_transaction_are_counted_once(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 2, AT(0));
    add_range(fixture, 1, 1, AT(0));
    test_run(fixture->db, "PRAGMA query_only = ON");
    assert_int_equal(run(fixture, AT(1)), -EROFS);
    test_run(fixture->db, "PRAGMA query_only = OFF");
    assert_int_equal(run(fixture, AT(2)), 3);
    assert_int_equal(group_commit_counts(fixture->group)->repeats, 1);
    assert_all_stored(fixture, 2);
}

static void arrival_is_when_the_record_came_not_when_it_could_be_stored(void **state) {
    Fixture *fixture = *state;
    test_run(fixture->db, "PRAGMA query_only = ON");
    add_range(fixture, 1, 1, AT(0));
    test_run(fixture->db, "PRAGMA query_only = OFF");
    Wall later = {NOON.usec + 60 * USEC_PER_SEC};
    assert_int_equal(group_commit_run(fixture->group, AT(1), later, &fixture->problem), 1);
    assert_true((uint64_t)test_integer(fixture->db, "SELECT created_us FROM sensor_events") <= NOON.usec + 1);
}

static void attempts_pause_longer_and_longer_up_to_two_seconds(void **state) {
    static const uint64_t pauses_msec[] = {100, 200, 400, 800, 1600, 2000, 2000};
    Fixture *fixture = *state;
    Mono now = AT(0);
    test_run(fixture->db, "PRAGMA query_only = ON");
    for (size_t i = 0; i < ARRAY_LEN(pauses_msec); i++) {
        assert_int_equal(run(fixture, now), -EROFS);
        Mono deadline = group_commit_deadline(fixture->group);
        assert_int_equal(mono_between(now, deadline), pauses_msec[i] * USEC_PER_MSEC);
        assert_false(group_commit_is_due(fixture->group, (Mono){deadline.usec - 1}));
        assert_true(group_commit_is_due(fixture->group, deadline));
        now = deadline;
    }
    test_run(fixture->db, "PRAGMA query_only = OFF");
    assert_int_equal(run(fixture, now), 0);
    test_run(fixture->db, "PRAGMA query_only = ON");
    assert_int_equal(run(fixture, now), -EROFS);
    assert_int_equal(mono_between(now, group_commit_deadline(fixture->group)), 100 * USEC_PER_MSEC);
    test_run(fixture->db, "PRAGMA query_only = OFF");
}

static void full_batch_in_trouble_waits_for_its_pause(void **state) {
    Fixture *fixture = *state;
    test_run(fixture->db, "PRAGMA query_only = ON");
    add_range(fixture, 1, MAX_ROWS + 1, AT(0));
    assert_false(group_commit_is_due(fixture->group, AT(0)));
    assert_true(group_commit_is_due(fixture->group, AT(GROUP_COMMIT_RETRY_FIRST_USEC)));
    test_run(fixture->db, "PRAGMA query_only = OFF");
}

static void closed_database_keeps_records_for_the_one_opened_next(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 3, AT(0));
    close_all(fixture);
    assert_int_equal(run(fixture, AT(1)), -EAGAIN);
    add_range(fixture, 4, 5, AT(1));
    open_all(fixture);
    add_range(fixture, 6, 7, AT(2));
    assert_int_equal(run(fixture, AT(3)), 7);
    assert_all_stored(fixture, 7);
}

static void memory_is_bounded_and_what_does_not_fit_is_refused(void **state) {
    Fixture *fixture = *state;
    close_all(fixture);
    int n = 0, r;
    while ((r = add(fixture, n + 1, AT(0))) == 0)
        n++;
    assert_int_equal(r, -ENOBUFS);
    assert_true(n > MAX_KEPT_BYTES / 1024 && n < MAX_KEPT_BYTES / 200);
    assert_non_null(strstr(fixture->problem.text, "wait for a commit"));
    open_all(fixture);
    assert_int_equal(run(fixture, AT(1)), n);
    assert_all_stored(fixture, n);
}

static void later_transactions_follow_after_a_recovery(void **state) {
    Fixture *fixture = *state;
    test_run(fixture->db, "PRAGMA query_only = ON");
    add_range(fixture, 1, 3, AT(0));
    test_run(fixture->db, "PRAGMA query_only = OFF");
    assert_int_equal(run(fixture, AT(1)), 3);
    add_range(fixture, 4, 9, AT(2));
    assert_int_equal(run(fixture, AT(3)), 6);
    assert_all_stored(fixture, 9);
    assert_int_equal(group_commit_counts(fixture->group)->failures, 1);
}

/* --- a disk that is really full --- */

static void fill(const char *path) {
    static char block[4096];
    FILE *filler = fopen(path, "w");
    assert_non_null(filler);
    while (fwrite(block, sizeof block, 1, filler) == 1 && fflush(filler) == 0)
        ;
    fclose(filler);
}

/* Needs a file system of its own: root, and a mount namespace that nobody else sees. */
static void full_disk_costs_no_record(void **state) {
    Fixture *fixture = *state;
    char filler[128];
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip();
    close_all(fixture);
    assert_int_equal(mount("none", fixture->file->directory, "tmpfs", 0, "size=1m"), 0);
    open_all(fixture);
    add_range(fixture, 1, 10, AT(0));
    assert_int_equal(run(fixture, AT(1)), 10);
    (void)snprintf(filler, sizeof filler, "%s/filler", fixture->file->directory);
    fill(filler);

    int n = 10;
    for (uint64_t at = 2; group_commit_can_commit(fixture->group) && n < 150; at++) {
        add_range(fixture, n + 1, n + 1, AT(at));
        n++;
        if (group_commit_can_commit(fixture->group))
            (void)run(fixture, AT(at));
    }
    assert_int_equal(group_commit_error(fixture->group), -ENOSPC);
    assert_true(group_commit_rows_waiting(fixture->group) > 0);
    assert_int_equal(unlink(filler), 0);
    assert_true(run(fixture, AT(1000)) > 0);
    assert_all_stored(fixture, n);
    close_all(fixture);
    assert_int_equal(umount2(fixture->file->directory, MNT_DETACH), 0);
    open_all(fixture);
}

#define GROUP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        GROUP_TEST(nothing_waits_at_first),
        GROUP_TEST(commit_is_due_when_the_oldest_record_waited_long_enough),
        GROUP_TEST(commit_is_due_when_enough_records_wait),
        GROUP_TEST(records_are_invisible_before_the_commit_and_there_after_it),
        GROUP_TEST(repeats_are_counted_and_not_stored),
        GROUP_TEST(empty_commit_proves_that_the_file_takes_commits),
        GROUP_TEST(locked_database_keeps_what_comes_and_stores_it_afterwards),
        GROUP_TEST(failure_in_the_middle_of_a_transaction_loses_none_of_it),
        GROUP_TEST(full_database_keeps_what_comes_and_stores_it_when_there_is_room),
        GROUP_TEST(repeats_of_a_failed_transaction_are_counted_once),
        GROUP_TEST(arrival_is_when_the_record_came_not_when_it_could_be_stored),
        GROUP_TEST(attempts_pause_longer_and_longer_up_to_two_seconds),
        GROUP_TEST(full_batch_in_trouble_waits_for_its_pause),
        GROUP_TEST(closed_database_keeps_records_for_the_one_opened_next),
        GROUP_TEST(memory_is_bounded_and_what_does_not_fit_is_refused),
        GROUP_TEST(later_transactions_follow_after_a_recovery),
        GROUP_TEST(full_disk_costs_no_record),
    };
    return cmocka_run_group_tests_name("store: group commit", tests, NULL, NULL);
}
