/* Group commit under good conditions and under each fault: nothing that was taken may be missing afterwards,
 * nothing twice. */
#include "store-testing.h"

#include "store/group-commit.h"
#include "store/row-batch.h"

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
    Intake intake;
    IntakeTable *cursors;
    GroupCommit *group;
    Problem problem;
} Fixture;

static void open_all(Fixture *fixture) {
    fixture->db = test_open(fixture->file);
    fixture->writer = test_writer(fixture->db);
    int r = fixture->cursors ? intake_table_set_db(fixture->cursors, fixture->db, &fixture->problem)
                             : intake_table_new(fixture->db, "test", &fixture->intake, &fixture->cursors,
                                                &fixture->problem);
    assert_int_equal(r, 0);
    group_commit_set_writer(fixture->group, fixture->writer, fixture->cursors);
}

static void close_all(Fixture *fixture) {
    group_commit_set_writer(fixture->group, NULL, NULL);
    assert_int_equal(intake_table_set_db(fixture->cursors, NULL, NULL), 0);
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
    intake_init(&fixture.intake);
    assert_int_equal(group_commit_new(&limits, &fixture.intake, &fixture.group), 0);
    open_all(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    void *file = fixture->file;
    close_all(fixture);
    intake_table_free(fixture->cursors);
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

enum { STREAM = 77, EPOCH = 5 };

static IntakeAnswer judge(Fixture *fixture, int position) {
    Hop hop = {.stream = STREAM, .epoch = EPOCH, .position = (uint64_t)position, .oldest = 1};
    return intake_judge(&fixture->intake, &hop);
}

/* Event `n` at position `n` of a writer under custody. */
static void add_under_custody(Fixture *fixture, int n, Mono now) {
    assert_int_equal(judge(fixture, n).verdict, INTAKE_ACCEPT);
    group_commit_touch(fixture->group, now);
    assert_int_equal(add(fixture, n, now), 0);
}

/* The cursor that another process would begin with; 0 when there is none. */
static uint64_t committed_position(Fixture *fixture) {
    sqlite3 *reader = NULL;
    assert_int_equal(db_open_reader(fixture->file->path, &reader, &fixture->problem), 0);
    int64_t position =
        test_integer(reader, "SELECT coalesce(max(committed), 0) FROM intake WHERE link = 'test'");
    db_close(reader);
    return (uint64_t)position;
}

static uint64_t acknowledged_position(Fixture *fixture) {
    const IntakeCursor *cursor = intake_newest(&fixture->intake);
    return cursor ? cursor->committed : 0;
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
    assert_false(group_commit_is_due(fixture->group, AT(0), false));
    assert_true(group_commit_can_commit(fixture->group));
}

static void commit_is_due_when_the_oldest_record_waited_long_enough(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 1, AT(0));
    add_range(fixture, 2, 2, AT(WAIT_USEC - 1));
    assert_false(group_commit_is_due(fixture->group, AT(WAIT_USEC - 1), false));
    assert_true(group_commit_is_due(fixture->group, AT(WAIT_USEC), false));
}

static void commit_waits_until_the_file_is_rested_or_enough_records_wait(void **state) {
    Fixture *fixture = *state;
    group_commit_rest(fixture->group, AT(2 * WAIT_USEC));
    assert_true(mono_is_never(group_commit_deadline(fixture->group)));
    add_range(fixture, 1, MAX_ROWS - 1, AT(0));
    assert_false(group_commit_is_due(fixture->group, AT(2 * WAIT_USEC - 1), false));
    assert_true(group_commit_is_due(fixture->group, AT(2 * WAIT_USEC), false));
    add_range(fixture, MAX_ROWS, MAX_ROWS, AT(0));
    assert_true(group_commit_is_due(fixture->group, AT(0), false));
}

static void commit_waits_while_there_is_more_to_add_but_not_for_more_than_the_most(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, MAX_ROWS - 1, AT(0));
    assert_false(group_commit_is_due(fixture->group, AT(WAIT_USEC), true));
    assert_true(group_commit_is_due(fixture->group, AT(WAIT_USEC), false));
    add_range(fixture, MAX_ROWS, MAX_ROWS, AT(0));
    assert_true(group_commit_is_due(fixture->group, AT(0), true));
}

static void commit_is_due_when_enough_records_wait(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, MAX_ROWS - 1, AT(0));
    assert_false(group_commit_is_due(fixture->group, AT(0), false));
    add_range(fixture, MAX_ROWS, MAX_ROWS, AT(0));
    assert_true(group_commit_is_due(fixture->group, AT(0), false));
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

/* --- custody --- */

static void cursor_is_committed_with_its_records_and_not_before(void **state) {
    Fixture *fixture = *state;
    for (int n = 1; n <= 3; n++)
        add_under_custody(fixture, n, AT(0));
    assert_int_equal(acknowledged_position(fixture), 0);
    assert_int_equal(committed_position(fixture), 0);
    assert_int_equal(run(fixture, AT(WAIT_USEC)), 3);
    assert_int_equal(acknowledged_position(fixture), 3);
    assert_int_equal(committed_position(fixture), 3);
    assert_all_stored(fixture, 3);
}

static void cursor_without_a_record_is_due_as_a_record_is(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(judge(fixture, 1).verdict, INTAKE_ACCEPT);
    group_commit_touch(fixture->group, AT(0));
    assert_true(group_commit_is_pending(fixture->group));
    assert_int_equal(group_commit_rows_waiting(fixture->group), 0);
    assert_false(group_commit_is_due(fixture->group, AT(WAIT_USEC - 1), false));
    assert_true(group_commit_is_due(fixture->group, AT(WAIT_USEC), false));
    assert_int_equal(run(fixture, AT(WAIT_USEC)), 0);
    assert_int_equal(committed_position(fixture), 1);
    assert_false(group_commit_is_pending(fixture->group));
    assert_true(mono_is_never(group_commit_deadline(fixture->group)));
}

static void touch_does_not_make_older_records_wait_longer(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 1, AT(0));
    group_commit_touch(fixture->group, AT(WAIT_USEC - 1));
    assert_true(group_commit_is_due(fixture->group, AT(WAIT_USEC), false));
}

static void failed_commit_acknowledges_nothing_and_the_next_one_everything(void **state) {
    Fixture *fixture = *state;
    add_under_custody(fixture, 1, AT(0));
    assert_int_equal(run(fixture, AT(0)), 1);
    add_under_custody(fixture, 2, AT(1));
    test_run(fixture->db, "PRAGMA query_only = ON");
    add_under_custody(fixture, 3, AT(1));
    assert_int_equal(run(fixture, AT(2)), -EROFS);
    assert_int_equal(acknowledged_position(fixture), 1);
    assert_int_equal(committed_position(fixture), 1);
    /* What is kept is not asked for again: it is still here. */
    assert_int_equal(judge(fixture, 3).verdict, INTAKE_REPEAT);
    add_under_custody(fixture, 4, AT(3));
    test_run(fixture->db, "PRAGMA query_only = OFF");
    assert_int_equal(run(fixture, AT(4)), 3);
    assert_int_equal(acknowledged_position(fixture), 4);
    assert_int_equal(committed_position(fixture), 4);
    assert_all_stored(fixture, 4);
}

static int64_t needs_refill_in_file(Fixture *fixture) {
    return test_integer(fixture->db, "SELECT needs_refill FROM totals");
}

/* A new file wants one anyway. */
static void begin_without_a_wish(Fixture *fixture) {
    record_writer_set_needs_refill(fixture->writer, false);
    assert_int_equal(run(fixture, AT(0)), 0);
    assert_int_equal(needs_refill_in_file(fixture), 0);
}

static void wish_for_a_refill_comes_with_the_commit_and_is_news_once(void **state) {
    Fixture *fixture = *state;
    assert_false(group_commit_want_refill(fixture->group)); /* the new file says so */
    assert_int_equal(run(fixture, AT(0)), 0);
    begin_without_a_wish(fixture);
    add_under_custody(fixture, 1, AT(0));
    assert_true(group_commit_want_refill(fixture->group));
    assert_false(group_commit_want_refill(fixture->group));
    assert_int_equal(run(fixture, AT(0)), 1);
    assert_int_equal(needs_refill_in_file(fixture), 1);
    record_writer_set_needs_refill(fixture->writer, false);
    add_under_custody(fixture, 2, AT(1));
    assert_int_equal(run(fixture, AT(1)), 1);
    assert_int_equal(needs_refill_in_file(fixture), 0);
}

static void wish_for_a_refill_outlives_failed_commits_and_the_connection(void **state) {
    Fixture *fixture = *state;
    begin_without_a_wish(fixture);
    add_under_custody(fixture, 1, AT(0));
    assert_true(group_commit_want_refill(fixture->group));
    test_run(fixture->db, "PRAGMA query_only = ON");
    assert_int_equal(run(fixture, AT(1)), -EROFS);
    assert_false(record_writer_totals(fixture->writer)->needs_refill);
    close_all(fixture);
    assert_int_equal(run(fixture, AT(2)), -EAGAIN);
    open_all(fixture);
    assert_int_equal(needs_refill_in_file(fixture), 0);
    assert_int_equal(run(fixture, AT(3)), 1);
    assert_int_equal(needs_refill_in_file(fixture), 1);
}

static void cursors_survive_that_the_file_is_opened_anew(void **state) {
    Fixture *fixture = *state;
    add_under_custody(fixture, 1, AT(0));
    assert_int_equal(run(fixture, AT(0)), 1);
    add_under_custody(fixture, 2, AT(1));
    close_all(fixture);
    add_under_custody(fixture, 3, AT(2));
    assert_int_equal(run(fixture, AT(3)), -EAGAIN);
    assert_int_equal(acknowledged_position(fixture), 1);
    open_all(fixture);
    assert_int_equal(run(fixture, AT(4)), 2);
    assert_int_equal(acknowledged_position(fixture), 3);
    assert_int_equal(committed_position(fixture), 3);
    assert_all_stored(fixture, 3);
}

static void next_life_begins_behind_what_was_committed(void **state) {
    Fixture *fixture = *state;
    for (int n = 1; n <= 4; n++)
        add_under_custody(fixture, n, AT(0));
    assert_int_equal(run(fixture, AT(0)), 4);
    add_under_custody(fixture, 5, AT(1));
    close_all(fixture);
    fixture->cursors = intake_table_free(fixture->cursors);
    intake_init(&fixture->intake);
    group_commit_free(fixture->group);
    const GroupCommitLimits limits = {.max_rows = MAX_ROWS, .max_wait_usec = 1, .max_kept_bytes = 4096};
    assert_int_equal(group_commit_new(&limits, &fixture->intake, &fixture->group), 0);
    open_all(fixture);
    assert_int_equal(judge(fixture, 4).verdict, INTAKE_REPEAT);
    assert_int_equal(judge(fixture, 6).verdict, INTAKE_GAP);
    assert_int_equal(judge(fixture, 5).verdict, INTAKE_ACCEPT);
}

static void room_is_known_before_a_frame_is_judged(void **state) {
    Fixture *fixture = *state;
    close_all(fixture);
    TestRecord record = test_event(fixture->file, 1);
    int n = 0;
    while (group_commit_make_room(fixture->group, record.size, &fixture->problem) == 0) {
        add_under_custody(fixture, n + 1, AT(0));
        n++;
    }
    assert_int_equal(group_commit_make_room(fixture->group, record.size, &fixture->problem), -ENOBUFS);
    assert_non_null(strstr(fixture->problem.text, "no room"));
    open_all(fixture);
    assert_int_equal(run(fixture, AT(1)), n);
    assert_int_equal(acknowledged_position(fixture), n);
    assert_int_equal(group_commit_make_room(fixture->group, record.size, &fixture->problem), 0);
}

/* --- faults --- */

static void locked_database_keeps_what_comes_and_stores_it_afterwards(void **state) {
    Fixture *fixture = *state;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(fixture->file->path, &other), SQLITE_OK);
    test_run(other, "BEGIN IMMEDIATE");
    add_range(fixture, 1, 4, AT(0));
    assert_false(group_commit_can_commit(fixture->group));
    assert_int_equal(group_commit_trouble(fixture->group)->error, -EBUSY);
    assert_non_null(strstr(group_commit_trouble(fixture->group)->why.text, "locked"));
    assert_int_equal(run(fixture, AT(1)), -EBUSY);
    assert_int_equal(group_commit_rows_waiting(fixture->group), 4);

    test_run(other, "COMMIT");
    sqlite3_close(other);
    assert_int_equal(run(fixture, AT(2)), 4);
    assert_true(group_commit_can_commit(fixture->group));
    assert_int_equal(group_commit_trouble(fixture->group)->error, 0);
    assert_all_stored(fixture, 4);
}

static void failure_in_the_middle_of_a_transaction_loses_none_of_it(void **state) {
    Fixture *fixture = *state;
    add_range(fixture, 1, 3, AT(0));
    test_run(fixture->db, "PRAGMA query_only = ON");
    add_range(fixture, 4, ROW_BATCH_ROWS,
              AT(0)); /* the last one makes a batch full, which the table is to take */
    assert_int_equal(group_commit_trouble(fixture->group)->error, -EROFS);
    assert_int_equal(committed_events(fixture), 0);
    test_run(fixture->db, "PRAGMA query_only = OFF");
    add_range(fixture, ROW_BATCH_ROWS + 1, ROW_BATCH_ROWS + 2, AT(0));
    assert_int_equal(run(fixture, AT(1)), ROW_BATCH_ROWS + 2);
    assert_all_stored(fixture, ROW_BATCH_ROWS + 2);
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
    assert_int_equal(group_commit_trouble(fixture->group)->error, -ENOSPC);
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
        assert_false(group_commit_is_due(fixture->group, (Mono){deadline.usec - 1}, false));
        assert_true(group_commit_is_due(fixture->group, deadline, false));
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
    assert_false(group_commit_is_due(fixture->group, AT(0), false));
    assert_true(group_commit_is_due(fixture->group, AT(COMMIT_RETRY_FIRST_USEC), false));
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
    assert_int_equal(group_commit_trouble(fixture->group)->error, -ENOSPC);
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
        GROUP_TEST(commit_waits_until_the_file_is_rested_or_enough_records_wait),
        GROUP_TEST(commit_waits_while_there_is_more_to_add_but_not_for_more_than_the_most),
        GROUP_TEST(commit_is_due_when_enough_records_wait),
        GROUP_TEST(records_are_invisible_before_the_commit_and_there_after_it),
        GROUP_TEST(repeats_are_counted_and_not_stored),
        GROUP_TEST(empty_commit_proves_that_the_file_takes_commits),
        GROUP_TEST(cursor_is_committed_with_its_records_and_not_before),
        GROUP_TEST(cursor_without_a_record_is_due_as_a_record_is),
        GROUP_TEST(touch_does_not_make_older_records_wait_longer),
        GROUP_TEST(failed_commit_acknowledges_nothing_and_the_next_one_everything),
        GROUP_TEST(wish_for_a_refill_comes_with_the_commit_and_is_news_once),
        GROUP_TEST(wish_for_a_refill_outlives_failed_commits_and_the_connection),
        GROUP_TEST(cursors_survive_that_the_file_is_opened_anew),
        GROUP_TEST(next_life_begins_behind_what_was_committed),
        GROUP_TEST(room_is_known_before_a_frame_is_judged),
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
