/* What a flipped bit does to a record: each one inside a row is noticed when the file is opened, or changes
 * nothing that the record says. */
#include "store-testing.h"

#include "store/queries.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- a file with a row in each table --- */

static const char *const table_names[] = {"sensor_events", "congestion_history", "semaphore_states",
                                          "priority_actions"};

#define IDENTITY "\"timestamp\":\"2026-11-20T12:00:00Z\",\"producer_id\":\"unit@test\",\"epoch\":7,\"seq\":"
#define EVENT    "\"sensor_id\":\"E\",\"interseccion\":\"INT-A1\",\"tipo_sensor\":"

typedef struct SampleRecord {
    const char *type, *data;
} SampleRecord;

static const SampleRecord samples[] = {
    {"sensor_event", EVENT "\"espira_inductiva\",\"event_data\":{\"vehiculos_contados\":12},"
                           "\"captured_us\":1795176000123456," IDENTITY "300"},
    {"congestion_record", "\"interseccion\":\"INT-A1\",\"traffic_state\":\"CONGESTION\",\"decision\":"
                          "\"NO_ACTION\",\"details\":\"queue\",\"sensor_data\":{\"Q\":3}," IDENTITY "301"},
    {"semaphore_state",
     "\"interseccion\":\"INT-A1\",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\",\"reason\":"
     "\"plan\",\"cycle_duration_sec\":17.5,\"phase\":3,\"groups\":\"rGyr\"," IDENTITY "302"},
    {"priority_action", "\"action_type\":\"GREEN_WAVE\",\"target\":\"FILA_A\",\"reason\":\"ambulance\","
                        "\"requested_by\":\"unit\",\"affected_intersections\":[\"INT-A1\"]," IDENTITY "303"},
};

static void store_samples(TestFile *file, const SampleRecord *some, size_t n) {
    Problem problem = {0};
    sqlite3 *db = test_open(file);
    RecordWriter *writer = test_writer(db);
    for (size_t i = 0; i < n; i++) {
        TestRecord record = test_record(file, some[i].type, "%s", some[i].data);
        assert_int_equal(record_writer_insert(writer, &record.message, NOON, &problem), RECORD_NEW);
    }
    assert_int_equal(record_writer_commit(writer, NOON, &problem), 0);
    record_writer_free(writer);
    db_close(db);
}

/* The file as it is when nobody has it open. */
typedef struct Image {
    unsigned char *bytes;
    size_t size;
} Image;

static Image image_of(const TestFile *file) {
    struct stat status;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    Image image = {malloc((size_t)status.st_size), (size_t)status.st_size};
    assert_int_equal(read(fd, image.bytes, image.size), image.size);
    close(fd);
    return image;
}

static void put_image(const TestFile *file, const Image *image) {
    char name[120];
    (void)snprintf(name, sizeof name, "%s-wal", file->path);
    (void)unlink(name);
    (void)snprintf(name, sizeof name, "%s-shm", file->path);
    (void)unlink(name);
    int fd = open(file->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, image->bytes, image->size), image->size);
    close(fd);
}

/* 0 or what opening says; then *ret_problem tells why. */
static int try_to_open(const TestFile *file, sqlite3 **ret, Problem *problem) {
    int r = db_open(file->path, ret, problem);
    if (r < 0 && r != -EUCLEAN)
        fail_msg("expected damage, got %d: %s", r, problem->text);
    return r;
}

static void assert_damaged(const TestFile *file, const char *words) {
    Problem problem = {0};
    sqlite3 *db = NULL;
    if (try_to_open(file, &db, &problem) >= 0)
        fail_msg("not noticed: expected \"%s\"", words);
    if (!strstr(problem.text, words))
        fail_msg("expected \"%s\" in \"%s\"", words, problem.text);
}

/* What the records say: all columns but the row's place and its sum. */
static void read_records(sqlite3 *db, char *ret, size_t size) {
    FILE *out = fmemopen(ret, size, "w");
    for (size_t t = 0; t < ARRAY_LEN(table_names); t++) {
        char sql[80];
        sqlite3_stmt *rows;
        (void)snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY id", table_names[t]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
        while (sqlite3_step(rows) == SQLITE_ROW)
            for (int i = 1; i < sqlite3_column_count(rows); i++)
                if (strcmp(sqlite3_column_name(rows, i), "checksum") != 0)
                    fprintf(out, "%s=%s\n", sqlite3_column_name(rows, i),
                            (const char *)sqlite3_column_text(rows, i));
        sqlite3_finalize(rows);
    }
    fclose(out);
}

/* --- each bit --- */

/* Where the one row of a table lies, which is all that its only page has: the cells are at its end. */
static void find_row(const Image *image, sqlite3 *db, const char *table, size_t *ret_from, size_t *ret_to) {
    enum { PAGE_BYTES = 4096, LEAF_OF_A_TABLE = 0x0D };
    char sql[80];
    (void)snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
    size_t page = (size_t)(test_integer(db, sql) - 1) * PAGE_BYTES;
    const unsigned char *header = image->bytes + page;
    assert_int_equal(header[0], LEAF_OF_A_TABLE);
    assert_int_equal(header[3] << 8 | header[4], 1);
    *ret_from = page + (size_t)(header[5] << 8 | header[6]);
    *ret_to = page + PAGE_BYTES;
}

static bool flip_is_noticed(TestFile *file, Image *image, size_t at, int bit, const char *records) {
    char now[4096] = "";
    Problem problem = {0};
    sqlite3 *db = NULL;
    image->bytes[at] ^= (unsigned char)(1 << bit);
    put_image(file, image);
    image->bytes[at] ^= (unsigned char)(1 << bit);
    if (try_to_open(file, &db, &problem) < 0)
        return true;
    read_records(db, now, sizeof now);
    db_close(db);
    if (strcmp(now, records) != 0)
        fail_msg("bit %d of byte %zu: not noticed, and the records say\n%s", bit, at, now);
    return false;
}

static void each_bit_that_flips_in_a_row_is_noticed_or_harmless(void **state) {
    TestFile *file = *state;
    char records[4096] = "";
    store_samples(file, samples, ARRAY_LEN(samples));
    sqlite3 *db = test_open(file);
    read_records(db, records, sizeof records);
    size_t from[ARRAY_LEN(table_names)], to[ARRAY_LEN(table_names)];
    Image image = image_of(file);
    for (size_t t = 0; t < ARRAY_LEN(table_names); t++)
        find_row(&image, db, table_names[t], &from[t], &to[t]);
    db_close(db);
    for (size_t t = 0; t < ARRAY_LEN(table_names); t++) {
        size_t n_harmless = 0;
        for (size_t at = from[t]; at < to[t]; at++)
            n_harmless += !flip_is_noticed(file, &image, at, (int)(at % 8), records);
        assert_true(to[t] - from[t] > 100);
        assert_true(n_harmless < 8); /* of the row's number and the kind of its sum */
    }
    free(image.bytes);
}

/* The columns of the tables as they are: one that is added to the schema must be added to its sum. */
static void every_column_is_in_the_sum(void **state) {
    TestFile *file = *state;
    store_samples(file, samples, ARRAY_LEN(samples));
    Image image = image_of(file);
    for (size_t t = 0; t < ARRAY_LEN(table_names); t++) {
        char sql[256], columns[32][64];
        int n = 0;
        sqlite3_stmt *names;
        put_image(file, &image);
        sqlite3 *db = test_open(file);
        (void)snprintf(sql, sizeof sql,
                       "SELECT name FROM pragma_table_info('%s') WHERE name NOT IN ('id', 'checksum')",
                       table_names[t]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &names, NULL), SQLITE_OK);
        for (; sqlite3_step(names) == SQLITE_ROW; n++)
            (void)snprintf(columns[n], sizeof columns[n], "%s", (const char *)sqlite3_column_text(names, 0));
        sqlite3_finalize(names);
        db_close(db);
        assert_true(n >= 11);
        for (int i = 0; i < n; i++) {
            put_image(file, &image);
            db = test_open(file);
            (void)snprintf(sql, sizeof sql, "UPDATE %s SET %.63s = 77", table_names[t], columns[i]);
            test_run(db, sql);
            db_close(db);
            (void)snprintf(sql, sizeof sql, "row 1 of %s", table_names[t]);
            assert_damaged(file, sql);
        }
    }
    free(image.bytes);
}

static void row_that_lost_its_sum_is_damaged(void **state) {
    TestFile *file = *state;
    store_samples(file, samples, ARRAY_LEN(samples));
    sqlite3 *db = test_open(file);
    test_run(db, "UPDATE semaphore_states SET checksum = NULL");
    db_close(db);
    assert_damaged(file, "row 1 of semaphore_states");
}

static void text_that_moves_to_the_next_column_is_noticed(void **state) {
    TestFile *file = *state;
    store_samples(file, samples, ARRAY_LEN(samples));
    sqlite3 *db = test_open(file);
    test_run(db, "UPDATE semaphore_states SET state_ns = state_ns || 'R', state_ew = substr(state_ew, 2)");
    db_close(db);
    assert_damaged(file, "row 1 of semaphore_states");
}

/* --- what is whole --- */

/* Numbers that the columns keep as something else, and members that the schema fills in. */
static void whatever_is_stored_has_the_sum_of_what_was_bound(void **state) {
    static const SampleRecord some[] = {
        {"sensor_event", EVENT "\"camara\",\"timestamp\":\"2026-11-20T12:00:00Z\""},
        {"sensor_event", EVENT "\"camara\",\"event_data\":{},\"timestamp\":\"2026-11-20T12:00:00Z\""},
        {"sensor_event",
         EVENT "\"espira_inductiva\",\"event_data\":{\"vehiculos_contados\":2.5}," IDENTITY "1"},
        {"sensor_event",
         EVENT "\"espira_inductiva\",\"event_data\":{\"vehiculos_contados\":2.0}," IDENTITY "2"},
        {"sensor_event",
         EVENT "\"espira_inductiva\",\"event_data\":{\"vehiculos_contados\":\"2\"}," IDENTITY "3"},
        {"semaphore_state", "\"interseccion\":\"INT-A1\",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\","
                            "\"cycle_duration_sec\":15," IDENTITY "4"},
        {"semaphore_state",
         "\"interseccion\":\"INT-A1\",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\"," IDENTITY "5"},
        {"semaphore_state", "\"interseccion\":\"INT-A1\",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\","
                            "\"cycle_duration_sec\":1e2," IDENTITY "6"},
        {"semaphore_state", "\"interseccion\":\"INT-A1\",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\","
                            "\"cycle_duration_sec\":0.1," IDENTITY "7"},
        {"congestion_record", "\"interseccion\":\"INT-A1\",\"traffic_state\":\"NORMAL\",\"decision\":"
                              "\"NO_ACTION\"," IDENTITY "8"},
        {"congestion_record", "\"interseccion\":\"INT-A1\",\"traffic_state\":\"NORMAL\",\"decision\":"
                              "\"NO_ACTION\",\"details\":\"\",\"sensor_data\":null," IDENTITY "9"},
        {"priority_action", "\"action_type\":\"GREEN_WAVE\",\"target\":\"FILA_A\"," IDENTITY "10"},
    };
    TestFile *file = *state;
    store_samples(file, some, ARRAY_LEN(some));
    sqlite3 *db = test_open(file);
    assert_int_equal(test_integer(db, "SELECT count(checksum) FROM sensor_events"), 5);
    assert_int_equal(test_integer(db, "SELECT count(checksum) FROM semaphore_states"), 4);
    db_close(db);
}

/* Both sides of what is gathered for one call. */
static void texts_of_any_length_have_their_sum(void **state) {
    TestFile *file = *state;
    char data[700], text[600];
    memset(text, 'x', sizeof text);
    for (int size = 300, n = 1; size < 524; size += 10, n++) {
        (void)snprintf(data, sizeof data, EVENT "\"camara\",\"event_data\":{\"t\":\"%.*s\"}," IDENTITY "%d",
                       size, text, n);
        store_samples(file, &(SampleRecord){"sensor_event", data}, 1);
    }
    db_close(test_open(file));
    sqlite3 *db = test_open(file);
    test_run(db, "UPDATE sensor_events SET event_data = replace(event_data, 'xx\"', 'xy\"') WHERE id = 20");
    db_close(db);
    assert_damaged(file, "row 20 of sensor_events");
}

/* --- older files --- */

static void rows_from_before_the_sums_are_not_checked_and_those_behind_them_are(void **state) {
    TestFile *file = *state;
    sqlite3 *db;
    Problem problem = {0};
    assert_int_equal(sqlite3_open(file->path, &db), SQLITE_OK);
    sqlite3_close(db);
    db = test_open(file);
    test_run(db, "DROP TABLE unsummed; PRAGMA user_version = 4;"
                 "ALTER TABLE sensor_events DROP COLUMN checksum;"
                 "ALTER TABLE congestion_history DROP COLUMN checksum;"
                 "ALTER TABLE semaphore_states DROP COLUMN checksum;"
                 "ALTER TABLE semaphore_states DROP COLUMN phase;"
                 "ALTER TABLE semaphore_states DROP COLUMN groups;"
                 "ALTER TABLE priority_actions DROP COLUMN checksum;"
                 "INSERT INTO semaphore_states (interseccion, state_ns, state_ew, timestamp, created_at, "
                 "created_us) VALUES ('INT-A1', 'GREEN', 'RED', '2026-11-20T11:00:00Z', '', 1);"
                 "UPDATE totals SET semaphore_changes = 1");
    db_close(db);
    store_samples(file, samples, ARRAY_LEN(samples));
    db = test_open(file);
    assert_int_equal(test_integer(db, "PRAGMA user_version"), traffic_schema.n_steps);
    assert_int_equal(test_integer(db, "SELECT checksum IS NULL FROM semaphore_states WHERE id = 1"), 1);
    assert_int_equal(test_integer(db, "SELECT checksum IS NULL FROM semaphore_states WHERE id = 2"), 0);
    test_run(db, "UPDATE semaphore_states SET reason = 'another' WHERE id = 1");
    db_close(db);
    db = test_open(file);
    assert_int_equal(db_run(db, "UPDATE semaphore_states SET reason = 'another' WHERE id = 2", &problem), 0);
    db_close(db);
    assert_damaged(file, "row 2 of semaphore_states");
}

/* --- the totals --- */

static void totals_that_are_not_those_of_the_rows_are_damage(void **state) {
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"UPDATE totals SET sensor_events = 2", "sensor_events has 1 rows, the totals say 2"},
        {"UPDATE totals SET congestion_records = 0", "congestion_history has 1 rows"},
        {"UPDATE totals SET semaphore_changes = -1", "semaphore_states has 1 rows"},
        {"UPDATE totals SET priority_actions = 65537", "priority_actions has 1 rows"},
        {"UPDATE totals SET congestion_detections = 0", "1 rows say CONGESTION"},
        {"UPDATE totals SET green_waves = 3", "1 rows are green waves"},
        {"UPDATE totals SET event_set = event_set + 1", "not those of the totals"},
        {"DELETE FROM priority_actions", "priority_actions has 0 rows"},
    };
    TestFile *file = *state;
    store_samples(file, samples, ARRAY_LEN(samples));
    Image image = image_of(file);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_image(file, &image);
        sqlite3 *db = test_open(file);
        test_run(db, cases[i].sql);
        db_close(db);
        assert_damaged(file, cases[i].words);
    }
    free(image.bytes);
}

/* --- copying --- */

static void damaged_row_is_not_copied(void **state) {
    TestFile *file = *state;
    Problem problem = {0};
    Reader *reader = NULL;
    QueryJob *job = NULL;
    store_samples(file, samples, ARRAY_LEN(samples));
    sqlite3 *db = test_open(file);
    RecordWriter *writer = test_writer(db);
    test_store_events(file, writer, 1, 5);
    record_writer_free(writer);
    test_run(db, "UPDATE sensor_events SET event_data = '{\"vehiculos_contados\":13}' WHERE id = 4");
    assert_int_equal(reader_new(file->path, &reader, &problem), 0);
    Query query = {.present = 0};
    (void)snprintf(query.command, sizeof query.command, "COPY_RECORDS");
    (void)snprintf(query.table, sizeof query.table, "sensor_event");
    query.present = 1U << Query_has_command | 1U << Query_has_table;
    assert_int_equal(query_begin(reader, &query, NULL, &job, &problem), 0);
    int r = QUERY_MORE;
    while (r == QUERY_MORE)
        r = query_step(job, 1, &problem);
    assert_int_equal(r, -EUCLEAN);
    assert_non_null(strstr(problem.text, "row 4"));
    query_free(job);
    reader_free(reader);
    db_close(db);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, test_file_setup, test_file_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(each_bit_that_flips_in_a_row_is_noticed_or_harmless),
        FILE_TEST(every_column_is_in_the_sum),
        FILE_TEST(row_that_lost_its_sum_is_damaged),
        FILE_TEST(text_that_moves_to_the_next_column_is_noticed),
        FILE_TEST(whatever_is_stored_has_the_sum_of_what_was_bound),
        FILE_TEST(texts_of_any_length_have_their_sum),
        FILE_TEST(rows_from_before_the_sums_are_not_checked_and_those_behind_them_are),
        FILE_TEST(totals_that_are_not_those_of_the_rows_are_damage),
        FILE_TEST(damaged_row_is_not_copied),
    };
    return cmocka_run_group_tests_name("store: checksums of rows", tests, NULL, NULL);
}
