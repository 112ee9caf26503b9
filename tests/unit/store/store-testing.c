#include "store-testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int test_file_setup(void **state) {
    TestFile *file = calloc(1, sizeof *file);
    assert_non_null(file);
    strcpy(file->directory, "/tmp/store-test-XXXXXX");
    assert_non_null(mkdtemp(file->directory));
    (void)snprintf(file->path, sizeof file->path, "%s/traffic.db", file->directory);
    assert_int_equal(decoder_new(&file->decoder), 0);
    *state = file;
    return 0;
}

int test_file_teardown(void **state) {
    TestFile *file = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", file->directory);
    assert_int_equal(system(command), 0);
    decoder_free(file->decoder);
    free(file);
    return 0;
}

TestRecord test_record(TestFile *file, const char *type, const char *data, ...) {
    TestRecord record = {.size = 0};
    Refusal refusal;
    Problem problem = {0};
    char members[768];
    va_list arguments;
    va_start(arguments, data);
    (void)vsnprintf(members, sizeof members, data, arguments);
    va_end(arguments);
    record.size =
        (size_t)snprintf(record.frame, sizeof record.frame, "{\"type\":\"%s\",\"data\":{%s}}", type, members);
    if (message_decode(file->decoder, MESSAGE_FAMILY_RECORD, record.frame, record.size, &record.message,
                       &refusal, &problem) < 0)
        fail_msg("%s: %s", record.frame, problem.text);
    return record;
}

TestRecord test_event(TestFile *file, int n) {
    int second = n - 1;
    return test_record(
        file, "sensor_event",
        "\"sensor_id\":\"ESP-A1\",\"tipo_sensor\":\"espira_inductiva\",\"interseccion\":\"INT-A1\","
        "\"timestamp\":\"2026-11-20T%02d:%02d:%02dZ\",\"event_data\":{\"vehiculos_contados\":%d,"
        "\"intervalo_segundos\":30},\"producer_id\":\"loop@test\",\"epoch\":7,\"seq\":%d",
        12 + second / 3600, second / 60 % 60, second % 60, n % 30, n);
}

sqlite3 *test_open(const TestFile *file) {
    sqlite3 *db = NULL;
    Problem problem = {0};
    if (db_open(file->path, &db, &problem) < 0)
        fail_msg("%s", problem.text);
    return db;
}

RecordWriter *test_writer(sqlite3 *db) {
    RecordWriter *writer = NULL;
    Problem problem = {0};
    if (record_writer_new(db, &writer, &problem) < 0)
        fail_msg("%s", problem.text);
    return writer;
}

int64_t test_integer(sqlite3 *db, const char *sql) {
    int64_t value = 0;
    Problem problem = {0};
    if (db_read_integer(db, sql, &value, &problem) < 0)
        fail_msg("%s: %s", sql, problem.text);
    return value;
}

void test_run(sqlite3 *db, const char *sql) {
    Problem problem = {0};
    if (db_run(db, sql, &problem) < 0)
        fail_msg("%s", problem.text);
}

static int assert_plan(sqlite3 *db, const char *sql) {
    sqlite3_stmt *plan;
    char explain[1024];
    int n = 0;
    (void)snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    for (; sqlite3_step(plan) == SQLITE_ROW; n++) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        if (strncmp(step, "SEARCH", 6) != 0 || !strstr(step, "PRIMARY KEY"))
            fail_msg("%s: %s", sql, step);
    }
    sqlite3_finalize(plan);
    return n;
}

int test_search_by_primary_key(sqlite3 *db) {
    const char *sql[64];
    int n_statements = 0, n_searching = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
        assert_true(n_statements < (int)ARRAY_LEN(sql));
        sql[n_statements++] = sqlite3_sql(s);
    }
    for (int i = 0; i < n_statements; i++)
        n_searching += assert_plan(db, sql[i]) > 0;
    return n_searching;
}

void test_store_events(TestFile *file, RecordWriter *writer, int first, int last) {
    Problem problem = {0};
    for (int n = first; n <= last; n++) {
        TestRecord record = test_event(file, n);
        assert_int_equal(record_writer_insert(writer, &record.message, NOON, &problem), RECORD_NEW);
    }
    assert_int_equal(record_writer_commit(writer, NOON, &problem), 0);
}
