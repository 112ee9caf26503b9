/* What retention may delete, and that it leaves the totals true. */
#include "store-testing.h"

#include "store/retention.h"

#define DAY_USEC (UINT64_C(86400) * USEC_PER_SEC)

static const uint64_t everything_is_safe = UINT64_MAX;

/* --- the decision --- */

static bool may_delete(RetentionRule rule, int64_t n_rows, uint64_t age_usec, uint64_t safe_until) {
    return retention_may_delete(&rule, true, n_rows, NOON.usec - age_usec, safe_until, NOON);
}

static void without_a_rule_everything_stays(void **state) {
    (void)state;
    assert_false(may_delete((RetentionRule){0}, 1000000000, 10000 * DAY_USEC, everything_is_safe));
}

static void rows_above_the_limit_go(void **state) {
    (void)state;
    RetentionRule rule = {.keep_rows = 100};
    assert_false(may_delete(rule, 100, 0, everything_is_safe));
    assert_true(may_delete(rule, 101, 0, everything_is_safe));
}

static void limit_of_rows_is_for_sensor_events_alone(void **state) {
    (void)state;
    RetentionRule rule = {.keep_rows = 1};
    assert_false(retention_may_delete(&rule, false, 1000, NOON.usec, everything_is_safe, NOON));
}

static void rows_older_than_the_limit_go(void **state) {
    (void)state;
    RetentionRule rule = {.keep_usec = DAY_USEC};
    assert_false(may_delete(rule, 1, DAY_USEC, everything_is_safe));
    assert_true(may_delete(rule, 1, DAY_USEC + 1, everything_is_safe));
}

static void rows_from_the_future_stay(void **state) {
    (void)state;
    RetentionRule rule = {.keep_usec = DAY_USEC};
    assert_false(retention_may_delete(&rule, true, 1, NOON.usec + 10 * DAY_USEC, everything_is_safe, NOON));
}

static void what_the_other_store_may_lack_stays_whatever_the_rule(void **state) {
    (void)state;
    RetentionRule rule = {.keep_rows = 1, .keep_usec = 1};
    uint64_t arrived = NOON.usec - DAY_USEC;
    assert_true(may_delete(rule, 1000, DAY_USEC, arrived));
    assert_false(may_delete(rule, 1000, DAY_USEC, arrived - 1));
    assert_false(may_delete(rule, 1000, DAY_USEC, 0));
}

/* --- carrying it out --- */

typedef struct Fixture {
    TestFile *file;
    sqlite3 *db;
    RecordWriter *writer;
    Problem problem;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    void *file;
    test_file_setup(&file);
    fixture = (Fixture){.file = file, .db = test_open(file)};
    fixture.writer = test_writer(fixture.db);
    test_store_events(fixture.file, fixture.writer, 1, 50);
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

static int step(Fixture *fixture, RetentionRule rule, uint64_t safe_until, int n_max) {
    return retention_step(fixture->writer, &rule, safe_until, NOON, n_max, &fixture->problem);
}

static void oldest_rows_are_deleted_a_few_at_a_time(void **state) {
    Fixture *fixture = *state;
    RetentionRule rule = {.keep_rows = 35};
    assert_int_equal(step(fixture, rule, everything_is_safe, 10), 10);
    assert_int_equal(step(fixture, rule, everything_is_safe, 10), 5);
    assert_int_equal(step(fixture, rule, everything_is_safe, 10), 0);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 35);
    assert_int_equal(test_integer(fixture->db, "SELECT min(seq) FROM sensor_events"), 16);
    assert_false(record_writer_has_transaction(fixture->writer));
}

static void totals_stay_true(void **state) {
    Fixture *fixture = *state;
    TestRecord record = test_record(fixture->file, "congestion_record",
                                    "\"interseccion\":\"INT-A1\",\"traffic_state\":\"CONGESTION\","
                                    "\"decision\":\"NO_ACTION\",\"timestamp\":\"2026-11-20T12:00:00Z\"");
    Wall long_ago = {NOON.usec};
    assert_int_equal(record_writer_insert(fixture->writer, &record.message, long_ago, &fixture->problem),
                     RECORD_NEW);
    assert_int_equal(record_writer_commit(fixture->writer, NOON, &fixture->problem), 0);
    RetentionRule rule = {.keep_rows = 20, .keep_usec = DAY_USEC};
    Wall later = {NOON.usec + 2 * DAY_USEC};
    assert_true(retention_step(fixture->writer, &rule, everything_is_safe, later, 40, &fixture->problem) >
                40);
    assert_int_equal(test_integer(fixture->db, "SELECT sensor_events FROM totals"), 10);
    assert_int_equal(
        test_integer(fixture->db, "SELECT congestion_detections + congestion_records FROM totals"), 0);
    assert_int_equal(
        test_integer(
            fixture->db,
            "SELECT event_set - (SELECT event_set(record_hash(producer_id, epoch, seq, '', '', '', '', "
            "'')) FROM sensor_events) FROM totals"),
        0);
}

static void nothing_is_deleted_while_nobody_says_what_is_safe(void **state) {
    Fixture *fixture = *state;
    assert_int_equal(step(fixture, (RetentionRule){.keep_rows = 1}, 0, 1000), 0);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 50);
}

static void deletion_stops_at_the_safe_mark(void **state) {
    Fixture *fixture = *state;
    uint64_t mark = record_writer_totals(fixture->writer)->committed_us;
    test_store_events(fixture->file, fixture->writer, 51, 80);
    assert_int_equal(step(fixture, (RetentionRule){.keep_rows = 1}, mark, 1000), 50);
    assert_int_equal(test_integer(fixture->db, "SELECT min(seq) FROM sensor_events"), 51);
}

static void failed_deletion_changes_nothing(void **state) {
    Fixture *fixture = *state;
    StoreTotals before = *record_writer_totals(fixture->writer);
    test_run(fixture->db, "PRAGMA query_only = ON");
    assert_true(step(fixture, (RetentionRule){.keep_rows = 1}, everything_is_safe, 1000) < 0);
    test_run(fixture->db, "PRAGMA query_only = OFF");
    assert_memory_equal(record_writer_totals(fixture->writer), &before, sizeof before);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 50);
}

#define RETENTION_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rule_everything_stays),
        cmocka_unit_test(rows_above_the_limit_go),
        cmocka_unit_test(limit_of_rows_is_for_sensor_events_alone),
        cmocka_unit_test(rows_older_than_the_limit_go),
        cmocka_unit_test(rows_from_the_future_stay),
        cmocka_unit_test(what_the_other_store_may_lack_stays_whatever_the_rule),
        RETENTION_TEST(oldest_rows_are_deleted_a_few_at_a_time),
        RETENTION_TEST(totals_stay_true),
        RETENTION_TEST(nothing_is_deleted_while_nobody_says_what_is_safe),
        RETENTION_TEST(deletion_stops_at_the_safe_mark),
        RETENTION_TEST(failed_deletion_changes_nothing),
    };
    return cmocka_run_group_tests_name("store: retention", tests, NULL, NULL);
}
