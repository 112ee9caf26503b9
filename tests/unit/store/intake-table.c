/* Cursors in a file: they come and go with the transaction that they are written in. */
#include "store-testing.h"

#include "store/intake-table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char link_name[] = "sensor-readings";

typedef struct Fixture {
    TestFile *file;
    sqlite3 *db;
    Intake intake;
    IntakeTable *table;
} Fixture;

static void open_all(Fixture *fixture) {
    Problem problem = {0};
    fixture->db = test_open(fixture->file);
    intake_init(&fixture->intake);
    if (intake_table_new(fixture->db, link_name, &fixture->intake, &fixture->table, &problem) < 0)
        fail_msg("%s", problem.text);
}

static void close_all(Fixture *fixture) {
    fixture->table = intake_table_free(fixture->table);
    fixture->db = db_close(fixture->db);
}

static int setup(void **state) {
    static Fixture fixture;
    void *file;
    test_file_setup(&file);
    fixture = (Fixture){.file = file};
    open_all(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    void *file = fixture->file;
    close_all(fixture);
    return test_file_teardown(&file);
}

/* Takes positions up to `last` of a stream that begins with 1. */
static void take_up_to(Fixture *fixture, uint64_t stream, int64_t epoch, uint64_t last) {
    Hop hop = {.stream = stream, .epoch = epoch, .position = 1, .oldest = 1};
    for (; hop.position <= last; hop.position++)
        (void)intake_judge(&fixture->intake, &hop);
}

static void save(Fixture *fixture) {
    Problem problem = {0};
    test_run(fixture->db, "BEGIN");
    if (intake_table_save(fixture->table, &problem) < 0)
        fail_msg("%s", problem.text);
}

static void commit(Fixture *fixture) {
    save(fixture);
    test_run(fixture->db, "COMMIT");
    intake_committed(&fixture->intake);
}

static int64_t n_rows(Fixture *fixture) {
    return test_integer(fixture->db, "SELECT count(*) FROM intake");
}

/* What is committed of a stream after a restart; -1 when it is not known. */
static int64_t committed_after_restart(Fixture *fixture, uint64_t stream) {
    close_all(fixture);
    open_all(fixture);
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        if (fixture->intake.cursors[i].stream == stream)
            return (int64_t)fixture->intake.cursors[i].committed;
    return -1;
}

static void new_file_knows_no_stream(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(n_rows(fixture), 0);
    assert_null(intake_newest(&fixture->intake));
}

static void committed_cursor_is_there_after_a_restart(void **state) {
    Fixture *fixture = *state;
    take_up_to(fixture, 7, 3, 12);
    commit(fixture);
    take_up_to(fixture, 7, 4, 15);
    commit(fixture);
    assert_int_equal(n_rows(fixture), 1);
    assert_int_equal(committed_after_restart(fixture, 7), 15);
    assert_int_equal(fixture->intake.writer_epoch, 4);
    Hop next = {.stream = 7, .epoch = 4, .position = 16, .oldest = 1};
    assert_int_equal(intake_judge(&fixture->intake, &next).verdict, INTAKE_ACCEPT);
}

static void cursor_goes_with_the_transaction_that_is_rolled_back(void **state) {
    Fixture *fixture = *state;
    take_up_to(fixture, 7, 1, 5);
    commit(fixture);
    take_up_to(fixture, 7, 1, 9);
    save(fixture);
    test_run(fixture->db, "ROLLBACK");
    assert_int_equal(committed_after_restart(fixture, 7), 5);
}

/* The first save of a stream inserts its row; when that is undone the next one must insert it again. */
static void cursor_of_a_new_stream_survives_a_rollback_before_it(void **state) {
    Fixture *fixture = *state;
    take_up_to(fixture, 7, 1, 5);
    save(fixture);
    test_run(fixture->db, "ROLLBACK");
    commit(fixture);
    assert_int_equal(committed_after_restart(fixture, 7), 5);
}

static void stream_above_the_sign_of_sql_integers_is_itself_again(void **state) {
    Fixture *fixture = *state;
    take_up_to(fixture, UINT64_MAX, 1, 2);
    take_up_to(fixture, UINT64_C(1) << 63, 1, 3);
    commit(fixture);
    assert_int_equal(committed_after_restart(fixture, UINT64_MAX), 2);
    assert_int_equal(committed_after_restart(fixture, UINT64_C(1) << 63), 3);
}

static void nothing_dirty_writes_nothing(void **state) {
    Fixture *fixture = *state;
    take_up_to(fixture, 7, 1, 5);
    commit(fixture);
    int before = sqlite3_total_changes(fixture->db);
    commit(fixture);
    assert_int_equal(sqlite3_total_changes(fixture->db), before);
}

static void links_of_one_file_do_not_see_each_other(void **state) {
    Fixture *fixture = *state;
    Intake other;
    IntakeTable *table = NULL;
    Problem problem = {0};
    take_up_to(fixture, 7, 1, 5);
    commit(fixture);
    intake_init(&other);
    assert_int_equal(intake_table_new(fixture->db, "another", &other, &table, &problem), 0);
    assert_null(intake_newest(&other));
    Hop hop = {.stream = 7, .epoch = 1, .position = 1, .oldest = 1};
    assert_int_equal(intake_judge(&other, &hop).verdict, INTAKE_ACCEPT);
    assert_int_equal(intake_table_save(table, &problem), 0);
    intake_table_free(table);
    assert_int_equal(n_rows(fixture), 2);
    assert_int_equal(committed_after_restart(fixture, 7), 5);
}

static void stream_that_made_room_leaves_the_file(void **state) {
    Fixture *fixture = *state;
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS; stream++)
        take_up_to(fixture, stream, 1, stream);
    commit(fixture);
    assert_int_equal(n_rows(fixture), INTAKE_STREAMS);
    take_up_to(fixture, 100, 1, 1);
    commit(fixture);
    assert_int_equal(n_rows(fixture), INTAKE_STREAMS);
    assert_int_equal(committed_after_restart(fixture, 1), -1);
    assert_int_equal(committed_after_restart(fixture, 2), 2);
    assert_int_equal(committed_after_restart(fixture, 100), 1);
}

static void forgotten_stream_leaves_the_file_also_after_a_rollback(void **state) {
    Fixture *fixture = *state;
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS; stream++)
        take_up_to(fixture, stream, 1, 1);
    commit(fixture);
    take_up_to(fixture, 100, 1, 1);
    save(fixture);
    test_run(fixture->db, "ROLLBACK");
    assert_int_equal(n_rows(fixture), INTAKE_STREAMS);
    commit(fixture);
    assert_int_equal(n_rows(fixture), INTAKE_STREAMS);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM intake WHERE stream = 1"), 0);
}

/* All places taken over at once: as many rows again as there are places stand in the table before it is
 * pruned. */
static void whole_table_may_change_in_one_transaction(void **state) {
    Fixture *fixture = *state;
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS; stream++)
        take_up_to(fixture, stream, 1, 1);
    commit(fixture);
    for (uint64_t stream = 1; stream <= INTAKE_STREAMS; stream++)
        take_up_to(fixture, 100 + stream, 1, 1);
    commit(fixture);
    assert_int_equal(n_rows(fixture), INTAKE_STREAMS);
    assert_int_equal(test_integer(fixture->db, "SELECT min(stream) FROM intake"), 101);
}

static void file_opened_anew_goes_on_with_what_the_intake_knows(void **state) {
    Fixture *fixture = *state;
    Problem problem = {0};
    take_up_to(fixture, 7, 1, 5);
    commit(fixture);
    take_up_to(fixture, 7, 1, 9);
    assert_int_equal(intake_table_set_db(fixture->table, NULL, &problem), 0);
    db_close(fixture->db);
    fixture->db = test_open(fixture->file);
    assert_int_equal(intake_table_set_db(fixture->table, fixture->db, &problem), 0);
    commit(fixture);
    assert_int_equal(committed_after_restart(fixture, 7), 9);
}

static void database_without_the_table_is_refused(void **state) {
    Fixture *fixture = *state;
    IntakeTable *table = NULL;
    Problem problem = {0};
    sqlite3 *empty = NULL;
    assert_int_equal(sqlite3_open(":memory:", &empty), SQLITE_OK);
    assert_true(intake_table_new(empty, link_name, &fixture->intake, &table, &problem) < 0);
    assert_null(table);
    assert_non_null(strstr(problem.text, "intake"));
    sqlite3_close(empty);
}

static void statements_go_by_the_primary_key(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(test_search_by_primary_key(fixture->db), 3); /* update, select, delete */
}

#define TABLE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TABLE_TEST(new_file_knows_no_stream),
        TABLE_TEST(committed_cursor_is_there_after_a_restart),
        TABLE_TEST(cursor_goes_with_the_transaction_that_is_rolled_back),
        TABLE_TEST(cursor_of_a_new_stream_survives_a_rollback_before_it),
        TABLE_TEST(stream_above_the_sign_of_sql_integers_is_itself_again),
        TABLE_TEST(nothing_dirty_writes_nothing),
        TABLE_TEST(links_of_one_file_do_not_see_each_other),
        TABLE_TEST(stream_that_made_room_leaves_the_file),
        TABLE_TEST(forgotten_stream_leaves_the_file_also_after_a_rollback),
        TABLE_TEST(whole_table_may_change_in_one_transaction),
        TABLE_TEST(file_opened_anew_goes_on_with_what_the_intake_knows),
        TABLE_TEST(database_without_the_table_is_refused),
        TABLE_TEST(statements_go_by_the_primary_key),
    };
    return cmocka_run_group_tests_name("store: cursors of links", tests, NULL, NULL);
}
