/* Records into rows: defaults, identities, totals. */
#include "store-testing.h"

#include "store/hash.h"
#include "store/row-batch.h"

#include <errno.h>
#include <string.h>

#define EVENT_SET_OF_ROWS                                                                                    \
    "SELECT event_set(record_hash(producer_id, epoch, seq, sensor_id, tipo_sensor, interseccion, "           \
    "timestamp, "                                                                                            \
    "event_data)) FROM sensor_events"

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

static int insert(Fixture *fixture, const TestRecord *record) {
    return record_writer_insert(fixture->writer, &record->message, NOON, &fixture->problem);
}

static void commit(Fixture *fixture) {
    assert_int_equal(record_writer_commit(fixture->writer, NOON, &fixture->problem), 0);
}

static void assert_column(Fixture *fixture, const char *sql, const char *expected) {
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(fixture->db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
    sqlite3_finalize(statement);
}

static void every_member_of_an_event_has_its_column(void **state) {
    Fixture *fixture = *state;
    TestRecord record = test_record(
        fixture->file, "sensor_event",
        "\"sensor_id\":\"CAM-B2\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-B2\","
        "\"timestamp\":\"2026-11-20T11:59:58Z\",\"event_data\":{\"volumen\":12,\"nota\":\"a\\\"b\"},"
        "\"producer_id\":\"sensor-camera@pc1\",\"epoch\":5,\"seq\":9,\"captured_us\":1795175998500000");
    assert_int_equal(insert(fixture, &record), RECORD_NEW);
    assert_column(fixture, "SELECT sensor_id FROM sensor_events", "CAM-B2");
    assert_column(fixture, "SELECT tipo_sensor FROM sensor_events", "camara");
    assert_column(fixture, "SELECT interseccion FROM sensor_events", "INT-B2");
    assert_column(fixture, "SELECT timestamp FROM sensor_events", "2026-11-20T11:59:58Z");
    assert_column(fixture, "SELECT event_data FROM sensor_events", "{\"volumen\":12,\"nota\":\"a\\\"b\"}");
    assert_column(fixture, "SELECT created_at FROM sensor_events", "2026-11-20T12:00:00Z");
    assert_column(fixture, "SELECT producer_id FROM sensor_events", "sensor-camera@pc1");
    assert_int_equal(test_integer(fixture->db, "SELECT epoch * 100 + seq FROM sensor_events"), 509);
    assert_int_equal(test_integer(fixture->db, "SELECT captured_us FROM sensor_events"),
                     INT64_C(1795175998500000));
    assert_column(fixture, "SELECT vehicles FROM sensor_events", NULL);
}

static void members_left_out_get_the_defaults_of_the_wire(void **state) {
    Fixture *fixture = *state;
    TestRecord records[] = {
        test_record(fixture->file, "sensor_event",
                    "\"sensor_id\":\"C\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\","
                    "\"timestamp\":\"2026-11-20T12:00:00Z\""),
        test_record(fixture->file, "congestion_record",
                    "\"interseccion\":\"INT-A1\",\"traffic_state\":\"NORMAL\",\"decision\":\"NO_ACTION\","
                    "\"timestamp\":\"2026-11-20T12:00:00Z\""),
        test_record(fixture->file, "semaphore_state",
                    "\"interseccion\":\"INT-A1\",\"state_ns\":\"RED\",\"state_ew\":\"GREEN\","
                    "\"timestamp\":\"2026-11-20T12:00:00Z\""),
        test_record(
            fixture->file, "priority_action",
            "\"action_type\":\"GREEN_WAVE\",\"target\":\"row_B\",\"timestamp\":\"2026-11-20T12:00:00Z\""),
    };
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        assert_int_equal(insert(fixture, &records[i]), RECORD_NEW);
    assert_column(fixture, "SELECT event_data FROM sensor_events", "{}");
    assert_column(fixture, "SELECT details FROM congestion_history", "");
    assert_column(fixture, "SELECT sensor_data FROM congestion_history", NULL);
    assert_column(fixture, "SELECT reason FROM semaphore_states", "");
    assert_column(fixture, "SELECT cycle_duration_sec FROM semaphore_states", "15");
    assert_column(fixture, "SELECT reason FROM priority_actions", "");
    assert_column(fixture, "SELECT requested_by FROM priority_actions", "system");
    assert_column(fixture, "SELECT affected_intersections FROM priority_actions", "[]");
}

static void vehicles_are_taken_from_loops_that_counted_a_number(void **state) {
    static const struct {
        const char *kind, *data, *expected;
    } cases[] = {
        {"espira_inductiva", "{\"vehiculos_contados\":17}", "17"},
        {"espira_inductiva", "{\"vehiculos_contados\":2.5}", "2.5"},
        {"espira_inductiva", "{\"vehiculos_contados\":0}", "0"},
        {"espira_inductiva", "{\"vehiculos_contados\":\"17\"}", NULL},
        {"espira_inductiva", "{}", NULL},
        {"espira_inductiva", "[1]", NULL},
        {"camara", "{\"vehiculos_contados\":17}", NULL},
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        TestRecord record =
            test_record(fixture->file, "sensor_event",
                        "\"sensor_id\":\"E\",\"tipo_sensor\":\"%s\",\"interseccion\":\"INT-A1\","
                        "\"timestamp\":\"2026-11-20T12:00:00Z\",\"event_data\":%s",
                        cases[i].kind, cases[i].data);
        assert_int_equal(insert(fixture, &record), RECORD_NEW);
        assert_column(fixture, "SELECT vehicles FROM sensor_events ORDER BY id DESC LIMIT 1",
                      cases[i].expected);
    }
}

/* --- many at once --- */

static void add(Fixture *fixture, int n) {
    TestRecord record = test_event(fixture->file, n);
    assert_int_equal(record_writer_add(fixture->writer, &record.message, NOON, &fixture->problem), 0);
}

/* Whether SQLite shows after each row what became of it is the batch's subtle thing: repeats first, last, alone and in
 * rows, in a full batch and in what the commit takes. */
static void repeats_among_many_are_told_from_the_others(void **state) {
    static const int repeated[] = {
        1, 2, 3, 17, 40, 41, ROW_BATCH_ROWS, ROW_BATCH_ROWS + 1, ROW_BATCH_ROWS + 9};
    Fixture *fixture = *state;
    int n_all = ROW_BATCH_ROWS + 9;
    for (size_t i = 0; i < ARRAY_LEN(repeated); i++)
        test_store_events(fixture->file, fixture->writer, repeated[i], repeated[i]);
    for (int n = 1; n <= n_all; n++)
        add(fixture, n);
    commit(fixture);
    const RecordCounts *counts = record_writer_counts(fixture->writer);
    assert_int_equal(counts->stored[0], n_all - (int)ARRAY_LEN(repeated));
    assert_int_equal(counts->repeats, ARRAY_LEN(repeated));
    assert_int_equal(counts->refused, 0);
    assert_int_equal(record_writer_totals(fixture->writer)->sensor_events, n_all);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), n_all);
    assert_true(record_writer_totals(fixture->writer)->event_set ==
                (uint64_t)test_integer(fixture->db, EVENT_SET_OF_ROWS));
}

static void repeat_in_one_batch_is_one(void **state) {
    Fixture *fixture = *state;
    add(fixture, 1);
    add(fixture, 1);
    commit(fixture);
    assert_int_equal(record_writer_counts(fixture->writer)->repeats, 1);
    assert_int_equal(record_writer_totals(fixture->writer)->sensor_events, 1);
}

static void table_that_refuses_a_record_takes_the_others(void **state) {
    Fixture *fixture = *state;
    test_run(fixture->db, "ALTER TABLE sensor_events ADD COLUMN odd INTEGER CHECK (seq NOT IN (1, 5))");
    for (int n = 1; n <= 9; n++)
        add(fixture, n);
    commit(fixture);
    assert_int_equal(record_writer_counts(fixture->writer)->refused, 2);
    assert_non_null(strstr(record_writer_counts(fixture->writer)->why_refused.text, "CHECK constraint"));
    assert_int_equal(record_writer_counts(fixture->writer)->stored[0], 7);
    assert_int_equal(record_writer_totals(fixture->writer)->sensor_events, 7);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 7);
}

static void rollback_forgets_what_is_in_no_table_yet(void **state) {
    Fixture *fixture = *state;
    add(fixture, 1);
    record_writer_rollback(fixture->writer);
    add(fixture, 2);
    commit(fixture);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events WHERE seq = 2"), 1);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 1);
}

/* --- identities --- */

static void repeated_identity_changes_nothing(void **state) {
    Fixture *fixture = *state;
    TestRecord record = test_event(fixture->file, 1);
    assert_int_equal(insert(fixture, &record), RECORD_NEW);
    StoreTotals before = *record_writer_totals(fixture->writer);
    assert_int_equal(insert(fixture, &record), RECORD_REPEAT);
    commit(fixture);
    assert_int_equal(insert(fixture, &record), RECORD_REPEAT);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 1);
    assert_int_equal(record_writer_totals(fixture->writer)->sensor_events, 1);
    assert_true(record_writer_totals(fixture->writer)->event_set == before.event_set);
}

static void each_part_of_the_identity_matters(void **state) {
    static const char *const identities[] = {
        "\"producer_id\":\"a\",\"epoch\":1,\"seq\":1", "\"producer_id\":\"b\",\"epoch\":1,\"seq\":1",
        "\"producer_id\":\"a\",\"epoch\":2,\"seq\":1", "\"producer_id\":\"a\",\"epoch\":1,\"seq\":2"};
    Fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        TestRecord record =
            test_record(fixture->file, "semaphore_state",
                        "\"interseccion\":\"INT-A1\",\"state_ns\":\"RED\",\"state_ew\":\"GREEN\","
                        "\"timestamp\":\"2026-11-20T12:00:00Z\",%s",
                        identities[i]);
        assert_int_equal(insert(fixture, &record), RECORD_NEW);
        assert_int_equal(insert(fixture, &record), RECORD_REPEAT);
    }
}

static void records_of_older_peers_have_no_identity_and_all_are_stored(void **state) {
    Fixture *fixture = *state;
    TestRecord record =
        test_record(fixture->file, "sensor_event",
                    "\"sensor_id\":\"C\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\","
                    "\"timestamp\":\"2026-11-20T12:00:00Z\"");
    assert_int_equal(insert(fixture, &record), RECORD_NEW);
    assert_int_equal(insert(fixture, &record), RECORD_NEW);
    assert_int_equal(record_writer_totals(fixture->writer)->sensor_events, 2);
    assert_true(record_writer_totals(fixture->writer)->event_set ==
                (uint64_t)test_integer(fixture->db, EVENT_SET_OF_ROWS));
}

static void same_events_in_another_order_have_the_same_set(void **state) {
    Fixture *fixture = *state;
    uint64_t sum = 0;
    for (int n = 20; n >= 1; n--) {
        EventIdentity identity = {.producer = "loop@test", .epoch = 7, .sequence = n};
        sum += event_hash(&identity);
    }
    test_store_events(fixture->file, fixture->writer, 1, 20);
    assert_true(record_writer_totals(fixture->writer)->event_set == sum);
    assert_true((uint64_t)test_integer(fixture->db, EVENT_SET_OF_ROWS) == sum);
}

static void one_event_more_or_another_gives_another_set(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 20);
    uint64_t of_20 = record_writer_totals(fixture->writer)->event_set;
    test_store_events(fixture->file, fixture->writer, 21, 21);
    assert_true(record_writer_totals(fixture->writer)->event_set != of_20);
    /* {20, 23} against {21, 22}: sums of the numbers alone would be equal */
    EventIdentity ids[] = {{.producer = "p", .sequence = 20},
                           {.producer = "p", .sequence = 23},
                           {.producer = "p", .sequence = 21},
                           {.producer = "p", .sequence = 22}};
    assert_true(event_hash(&ids[0]) + event_hash(&ids[1]) != event_hash(&ids[2]) + event_hash(&ids[3]));
}

/* --- totals and transactions --- */

static void totals_count_what_their_names_say(void **state) {
    Fixture *fixture = *state;
    static const char *const states[] = {"NORMAL", "CONGESTION", "GREEN_WAVE", "CONGESTION"};
    static const char *const actions[] = {"GREEN_WAVE", "FORCE_SEMAPHORE"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        TestRecord record = test_record(fixture->file, "congestion_record",
                                        "\"interseccion\":\"INT-A1\",\"traffic_state\":\"%s\","
                                        "\"decision\":\"NO_ACTION\",\"timestamp\":\"2026-11-20T12:00:00Z\"",
                                        states[i]);
        assert_int_equal(insert(fixture, &record), RECORD_NEW);
    }
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        TestRecord record = test_record(
            fixture->file, "priority_action",
            "\"action_type\":\"%s\",\"target\":\"row_B\",\"timestamp\":\"2026-11-20T12:00:00Z\"", actions[i]);
        assert_int_equal(insert(fixture, &record), RECORD_NEW);
    }
    commit(fixture);
    assert_int_equal(test_integer(fixture->db, "SELECT congestion_detections FROM totals"), 2);
    assert_int_equal(test_integer(fixture->db, "SELECT congestion_records FROM totals"), 4);
    assert_int_equal(test_integer(fixture->db, "SELECT green_waves FROM totals"), 1);
    assert_int_equal(test_integer(fixture->db, "SELECT priority_actions FROM totals"), 2);
}

static void rollback_takes_rows_and_totals_back_to_the_last_commit(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 5);
    StoreTotals committed = *record_writer_totals(fixture->writer);
    TestRecord record = test_event(fixture->file, 6);
    assert_int_equal(insert(fixture, &record), RECORD_NEW);
    assert_int_equal(record_writer_totals(fixture->writer)->sensor_events, 6);
    record_writer_rollback(fixture->writer);
    assert_memory_equal(record_writer_totals(fixture->writer), &committed, sizeof committed);
    assert_int_equal(test_integer(fixture->db, "SELECT count(*) FROM sensor_events"), 5);
}

static void totals_survive_closing(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 5);
    StoreTotals before = *record_writer_totals(fixture->writer);
    record_writer_free(fixture->writer);
    db_close(fixture->db);
    fixture->db = test_open(fixture->file);
    fixture->writer = test_writer(fixture->db);
    assert_memory_equal(record_writer_totals(fixture->writer), &before, sizeof before);
}

static void arrivals_stay_in_order_when_the_clock_goes_back(void **state) {
    Fixture *fixture = *state;
    Wall earlier = {NOON.usec - 3600 * USEC_PER_SEC};
    TestRecord first = test_event(fixture->file, 1);
    assert_int_equal(insert(fixture, &first), RECORD_NEW);
    commit(fixture);
    TestRecord second = test_event(fixture->file, 2);
    assert_int_equal(record_writer_insert(fixture->writer, &second.message, earlier, &fixture->problem),
                     RECORD_NEW);
    assert_int_equal(record_writer_commit(fixture->writer, earlier, &fixture->problem), 0);
    assert_true(test_integer(fixture->db, "SELECT created_us FROM sensor_events WHERE seq = 2") >
                test_integer(fixture->db, "SELECT created_us FROM sensor_events WHERE seq = 1"));
    assert_column(fixture, "SELECT created_at FROM sensor_events WHERE seq = 2", "2026-11-20T11:00:00Z");
    assert_true(record_writer_totals(fixture->writer)->committed_us > NOON.usec);
}

static void row_after_a_commit_lies_behind_its_mark(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 1);
    uint64_t mark = record_writer_totals(fixture->writer)->committed_us;
    test_store_events(fixture->file, fixture->writer, 2, 2);
    assert_true((uint64_t)test_integer(fixture->db, "SELECT created_us FROM sensor_events WHERE seq = 1") <=
                mark);
    assert_true((uint64_t)test_integer(fixture->db, "SELECT created_us FROM sensor_events WHERE seq = 2") >
                mark);
}

static void message_that_is_no_record_is_refused(void **state) {
    Fixture *fixture = *state;
    Message beat = {.tag = MESSAGE_HEARTBEAT};
    assert_int_equal(record_writer_insert(fixture->writer, &beat, NOON, &fixture->problem), -EINVAL);
}

#define WRITER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WRITER_TEST(every_member_of_an_event_has_its_column),
        WRITER_TEST(members_left_out_get_the_defaults_of_the_wire),
        WRITER_TEST(vehicles_are_taken_from_loops_that_counted_a_number),
        WRITER_TEST(repeats_among_many_are_told_from_the_others),
        WRITER_TEST(repeat_in_one_batch_is_one),
        WRITER_TEST(table_that_refuses_a_record_takes_the_others),
        WRITER_TEST(rollback_forgets_what_is_in_no_table_yet),
        WRITER_TEST(repeated_identity_changes_nothing),
        WRITER_TEST(each_part_of_the_identity_matters),
        WRITER_TEST(records_of_older_peers_have_no_identity_and_all_are_stored),
        WRITER_TEST(same_events_in_another_order_have_the_same_set),
        WRITER_TEST(one_event_more_or_another_gives_another_set),
        WRITER_TEST(totals_count_what_their_names_say),
        WRITER_TEST(rollback_takes_rows_and_totals_back_to_the_last_commit),
        WRITER_TEST(totals_survive_closing),
        WRITER_TEST(arrivals_stay_in_order_when_the_clock_goes_back),
        WRITER_TEST(row_after_a_commit_lies_behind_its_mark),
        WRITER_TEST(message_that_is_no_record_is_refused),
    };
    return cmocka_run_group_tests_name("store: records", tests, NULL, NULL);
}
