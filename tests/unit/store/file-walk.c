/* Reading a store's file in pieces: what is damaged is found wherever it is, and what is written meanwhile is
 * neither taken for damage nor kept waiting. */
#include "store-testing.h"

#include "store/file-walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_EVENTS = 310, N_OTHERS = 115, PIECE = 50, PAGE_BYTES = 4096 };

/* --- a file of many pieces --- */

static void insert(RecordWriter *writer, const Message *record) {
    Problem problem = {0};
    if (record_writer_insert(writer, record, NOON, &problem) != RECORD_NEW)
        fail_msg("%s", problem.text);
}

static void commit(RecordWriter *writer) {
    Problem problem = {0};
    assert_int_equal(record_writer_commit(writer, NOON, &problem), 0);
}

/* The n-th record of each other table, somewhere in the middle of the indexes. */
static void store_others(TestFile *file, RecordWriter *writer, int n) {
    static const struct {
        const char *type, *members;
        bool has_place;
    } others[] = {
        {"congestion_record",
         "\"traffic_state\":\"CONGESTION\",\"decision\":\"NO_ACTION\",\"details\":\"a queue up to the next "
         "one\"",
         true},
        {"semaphore_state",
         "\"state_ns\":\"GREEN\",\"state_ew\":\"RED\",\"reason\":\"the plan of the weekdays, second phase\"",
         true},
        {"priority_action",
         "\"action_type\":\"GREEN_WAVE\",\"target\":\"FILA_A\",\"reason\":\"an ambulance from the north\"",
         false},
    };
    char place[50], identity[150];
    (void)snprintf(place, sizeof place, ",\"interseccion\":\"INT-%c%d\"", 'A' + n % 5, n % 7);
    (void)snprintf(
        identity, sizeof identity,
        ",\"timestamp\":\"2026-11-20T12:%02d:00Z\",\"producer_id\":\"others@test\",\"epoch\":7,\"seq\":%d",
        n % 60, n);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        TestRecord record = test_record(file, others[i].type, "%s%s%s", others[i].members,
                                        others[i].has_place ? place : "", identity);
        insert(writer, &record.message);
    }
}

/* Some events are larger than a page. */
static void store_event(TestFile *file, RecordWriter *writer, int n) {
    static char text[6000];
    TestRecord record = test_event(file, n);
    if (n % 100 == 50) {
        int size = snprintf(text, sizeof text, "{\"vehiculos_contados\":1,\"detail\":\"%05000d\"}", n);
        record.message.SENSOR_EVENT_RECORD.event_data = (JsonText){.text = text, .size = (size_t)size};
    }
    insert(writer, &record.message);
}

static void truncate_log(sqlite3 *db) {
    assert_int_equal(test_integer(db, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
}

/* Everything is in the file, nothing in its log. */
static sqlite3 *open_filled(TestFile *file) {
    sqlite3 *db = test_open(file);
    RecordWriter *writer = test_writer(db);
    for (int n = 1; n <= N_EVENTS; n++)
        store_event(file, writer, n);
    for (int n = 1; n <= N_OTHERS; n++)
        store_others(file, writer, n);
    commit(writer);
    record_writer_free(writer);
    truncate_log(db);
    return db;
}

/* --- walking --- */

enum { STEPS_MAX = 20000 }; /* what would not end fails */

typedef void (*BetweenFn)(int n_steps, void *userdata);

/* 0 or what the walk ended with, and how many steps it had. */
static int walk_between(const TestFile *file, int n_max, BetweenFn between, void *userdata, int *ret_steps,
                        Problem *problem) {
    sqlite3 *reader = NULL;
    FileWalk *walk = NULL;
    int n = 0, r = db_open_reader(file->path, &reader, problem);
    if (r >= 0)
        r = file_walk_new(reader, &walk, problem);
    while (r >= 0 && (r = file_walk_step(walk, n_max, problem)) == WALK_MORE) {
        assert_true(++n < STEPS_MAX);
        if (between)
            between(n, userdata);
    }
    file_walk_free(walk);
    db_close(reader);
    *ret_steps = n + 1;
    return r == WALK_DONE ? 0 : r;
}

static int walk_all(const TestFile *file, int n_max, Problem *problem) {
    int ignored;
    return walk_between(file, n_max, NULL, NULL, &ignored, problem);
}

static void assert_whole(const TestFile *file, int n_max) {
    Problem problem = {0};
    if (walk_all(file, n_max, &problem) != 0)
        fail_msg("pieces of %d: %s", n_max, problem.text);
}

static void assert_damaged(const TestFile *file, const char *words) {
    Problem problem = {0};
    assert_int_equal(walk_all(file, PIECE, &problem), -EUCLEAN);
    if (!strstr(problem.text, words))
        fail_msg("expected '%s' in '%s'", words, problem.text);
}

static void whole_file_is_whole_in_pieces_of_any_size(void **state) {
    TestFile *file = *state;
    sqlite3 *db = open_filled(file);
    for (int n_max = 1; n_max <= N_EVENTS + 1; n_max += n_max < 4 ? 1 : 49)
        assert_whole(file, n_max);
    assert_whole(file, N_EVENTS); /* a piece that ends with the table */
    db_close(db);
}

static void file_without_rows_is_whole(void **state) {
    sqlite3 *db = test_open(*state);
    assert_whole(*state, PIECE);
    db_close(db);
}

/* --- damage --- */

static void row_that_is_not_what_was_written_is_found_wherever_a_piece_ends(void **state) {
    static const int ids[] = {1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, N_EVENTS};
    TestFile *file = *state;
    char sql[200], words[100];
    sqlite3 *db = open_filled(file);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        (void)snprintf(sql, sizeof sql,
                       "BEGIN; UPDATE sensor_events SET sensor_id = 'X' WHERE id = %d; COMMIT", ids[i]);
        (void)snprintf(words, sizeof words, "row %d of sensor_events is not what was written", ids[i]);
        test_run(db, sql);
        assert_damaged(file, words);
        (void)snprintf(sql, sizeof sql, "UPDATE sensor_events SET sensor_id = 'ESP-A1' WHERE id = %d",
                       ids[i]);
        test_run(db, sql);
    }
    assert_whole(file, PIECE);
    db_close(db);
}

static void totals_that_are_not_those_of_the_rows_are_found(void **state) {
    static const char *const totals[] = {"sensor_events",     "congestion_detections", "green_waves",
                                         "semaphore_changes", "priority_actions",      "congestion_records",
                                         "event_set"};
    TestFile *file = *state;
    char sql[100];
    sqlite3 *db = open_filled(file);
    for (size_t i = 0; i < ARRAY_LEN(totals); i++) {
        (void)snprintf(sql, sizeof sql, "UPDATE totals SET %s = %s + 1", totals[i], totals[i]);
        test_run(db, sql);
        assert_damaged(file, "the totals");
        (void)snprintf(sql, sizeof sql, "UPDATE totals SET %s = %s - 1", totals[i], totals[i]);
        test_run(db, sql);
    }
    assert_whole(file, PIECE);
    db_close(db);
}

typedef struct Page {
    int number;
    char name[64], kind[16];
} Page;

enum { PAGES_MAX = 1000 };

/* Of the tables of records, the totals and every index that there is. */
static int list_pages(sqlite3 *db, Page *ret) {
    sqlite3_stmt *statement;
    int n = 0;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT pageno, name, pagetype FROM dbstat WHERE name NOT IN "
                                        "('sqlite_schema', 'intake', 'unsummed')",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    for (; sqlite3_step(statement) == SQLITE_ROW; n++) {
        assert_true(n < PAGES_MAX);
        ret[n].number = sqlite3_column_int(statement, 0);
        (void)snprintf(ret[n].name, sizeof ret[n].name, "%s", sqlite3_column_text(statement, 1));
        (void)snprintf(ret[n].kind, sizeof ret[n].kind, "%s", sqlite3_column_text(statement, 2));
    }
    sqlite3_finalize(statement);
    return n;
}

static void swap_bytes(int fd, off_t at, void *bytes, size_t size) {
    char there[PAGE_BYTES];
    assert_int_equal(pread(fd, there, size, at), size);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    memcpy(bytes, there, size);
}

static void page_that_was_overwritten_is_found_whichever_it_is(void **state) {
    TestFile *file = *state;
    static Page pages[PAGES_MAX];
    char bytes[PAGE_BYTES];
    int n_inner = 0, n_overflow = 0;
    sqlite3 *db = open_filled(file);
    int n_pages = list_pages(db, pages), fd = open(file->path, O_RDWR | O_CLOEXEC);
    for (int i = 0; i < n_pages; i++) {
        Problem problem = {0};
        off_t at = (off_t)(pages[i].number - 1) * PAGE_BYTES;
        memset(bytes, 0xA5, sizeof bytes);
        swap_bytes(fd, at, bytes, sizeof bytes);
        if (walk_all(file, PIECE, &problem) != -EUCLEAN)
            fail_msg("page %d, %s of %s: '%s'", pages[i].number, pages[i].kind, pages[i].name, problem.text);
        swap_bytes(fd, at, bytes, sizeof bytes);
        n_inner += strcmp(pages[i].kind, "internal") == 0;
        n_overflow += strcmp(pages[i].kind, "overflow") == 0;
    }
    assert_true(n_pages > 40 && n_inner > 4 && n_overflow > 0);
    assert_whole(file, PIECE);
    close(fd);
    db_close(db);
}

/* What a damaged index says of its order may lead a search anywhere. */
static void walk_ends_whatever_a_damaged_page_says(void **state) {
    TestFile *file = *state;
    static Page pages[PAGES_MAX];
    unsigned seed = 20261127, n_found = 0;
    sqlite3 *db = open_filled(file);
    int n_pages = list_pages(db, pages), fd = open(file->path, O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 100; i++) {
        Problem problem = {0};
        off_t page = (off_t)(pages[rand_r(&seed) % (unsigned)n_pages].number - 1) * PAGE_BYTES;
        off_t at = page + rand_r(&seed) % PAGE_BYTES;
        char byte = (char)rand_r(&seed);
        swap_bytes(fd, at, &byte, 1);
        n_found += walk_all(file, 10, &problem) == -EUCLEAN;
        swap_bytes(fd, at, &byte, 1);
    }
    assert_true(n_found > 15);
    close(fd);
    db_close(db);
}

/* Also where a search for what follows it leads back to where the walk has been. */
static void entry_that_is_not_in_its_place_is_found_where_a_piece_ends(void **state) {
    TestFile *file = *state;
    static Page pages[PAGES_MAX];
    char bytes[PAGE_BYTES], *place;
    int n_changed = 0;
    sqlite3 *db = open_filled(file);
    assert_int_equal(test_integer(db, "SELECT timestamp = '2026-11-20T12:00:49Z' FROM sensor_events "
                                      "ORDER BY timestamp LIMIT 1 OFFSET 49"),
                     1); /* the last of the first PIECE */
    int n_pages = list_pages(db, pages), fd = open(file->path, O_RDWR | O_CLOEXEC);
    for (int i = 0; i < n_pages; i++) {
        off_t at = (off_t)(pages[i].number - 1) * PAGE_BYTES;
        if (strcmp(pages[i].name, "sensor_events_by_time") != 0)
            continue;
        assert_int_equal(pread(fd, bytes, sizeof bytes, at), sizeof bytes);
        for (; (place = memmem(bytes, sizeof bytes, "2026-11-20T12:00:49Z", 20)); n_changed++)
            place[12] = '1';
        assert_int_equal(pwrite(fd, bytes, sizeof bytes, at), sizeof bytes);
    }
    assert_true(n_changed > 0);
    assert_damaged(file, "an entry of sensor_events_by_time is not in its place");
    close(fd);
    db_close(db);
}

/* A row that came while the schema did not know of an index; then the index is back. */
static void index_that_lacks_an_entry_is_found(void **state) {
    static const char *const names[] = {"sensor_events_by_intersection", "sensor_events_by_time",
                                        "sensor_events_identity"};
    TestFile *file = *state;
    sqlite3 *db = open_filled(file);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char sql[300], words[100];
        (void)snprintf(sql, sizeof sql,
                       "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = '%s';"
                       "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = '%s';"
                       "PRAGMA writable_schema = RESET",
                       names[i], names[i]);
        test_run(db, sql);
        RecordWriter *writer = test_writer(db);
        store_event(file, writer, N_EVENTS + 1 + (int)i);
        commit(writer);
        record_writer_free(writer);
        test_run(db, "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept;"
                     "PRAGMA writable_schema = RESET; DROP TABLE kept");
        (void)snprintf(words, sizeof words, "%s has %d entries for %d rows", names[i], N_EVENTS + (int)i,
                       N_EVENTS + 1 + (int)i);
        assert_damaged(file, words);
        (void)snprintf(sql, sizeof sql, "REINDEX %s", names[i]);
        test_run(db, sql);
        assert_whole(file, PIECE);
    }
    db_close(db);
}

/* --- what is no damage --- */

typedef struct Appending {
    TestFile *file;
    sqlite3 *db;
    RecordWriter *writer;
    int n_events, n_others;
} Appending;

/* Faster than the walk goes. */
static void append(int n_steps, void *userdata) {
    Appending *appending = userdata;
    (void)n_steps;
    for (int i = 0; i < 2 * PIECE; i++)
        store_event(appending->file, appending->writer, ++appending->n_events);
    store_others(appending->file, appending->writer, ++appending->n_others);
    commit(appending->writer);
    truncate_log(appending->db); /* which a view that has not ended does not allow */
}

static void rows_that_come_between_two_pieces_are_no_damage_and_the_log_begins_anew(void **state) {
    TestFile *file = *state;
    Problem problem = {0};
    int n_steps;
    sqlite3 *db = open_filled(file);
    Appending appending = {file, db, test_writer(db), N_EVENTS, N_OTHERS};
    if (walk_between(file, PIECE, append, &appending, &n_steps, &problem) != 0)
        fail_msg("step %d: %s", n_steps, problem.text);
    record_writer_free(appending.writer);
    assert_true(n_steps > 3 * N_EVENTS / PIECE);
    assert_whole(file, PIECE);
    db_close(db);
}

/* Peers may leave out any part of an identity. */
static void identities_that_lack_a_part_have_their_entries_too(void **state) {
    TestFile *file = *state;
    sqlite3 *db = open_filled(file);
    RecordWriter *writer = test_writer(db);
    for (int n = 1; n <= 4 * PIECE; n++) {
        TestRecord record = test_event(file, N_EVENTS + n);
        if (n % 4 < 2)
            record.message.SENSOR_EVENT_RECORD.present &= ~(1U << SensorEventRecord_has_producer);
        if (n % 2)
            record.message.SENSOR_EVENT_RECORD.present &= ~(1U << SensorEventRecord_has_epoch);
        insert(writer, &record.message);
    }
    commit(writer);
    record_writer_free(writer);
    assert_int_equal(test_integer(db, "SELECT count(*) FROM sensor_events WHERE producer_id IS NULL "
                                      "AND seq IS NOT NULL"),
                     2 * PIECE);
    for (int n_max = 1; n_max < 10; n_max++)
        assert_whole(file, n_max);
    db_close(db);
}

/* --- cost --- */

static int assert_search(unsigned kind, void *userdata, void *statement, void *unused) {
    int *n_searches = userdata;
    char sql[1200];
    sqlite3_stmt *plan;
    (void)kind, (void)unused;
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", sqlite3_sql(statement));
    if (!strstr(sql, "> ?"))
        return 0; /* an index's beginning */
    assert_int_equal(sqlite3_prepare_v2(sqlite3_db_handle(statement), sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        if (strncmp(step, "SEARCH", 6) != 0 && !strstr(step, "SUBQUERY"))
            fail_msg("%s: %s", sqlite3_sql(statement), step);
        *n_searches += strstr(step, "COVERING INDEX") != NULL;
    }
    sqlite3_finalize(plan);
    return 0;
}

static void no_piece_reads_what_lies_before_it(void **state) {
    TestFile *file = *state;
    Problem problem = {0};
    sqlite3 *db = open_filled(file);
    FileWalk *walk = NULL;
    int n_searches = 0, r;
    assert_int_equal(file_walk_new(db, &walk, &problem), 0);
    sqlite3_trace_v2(db, SQLITE_TRACE_STMT, assert_search, &n_searches);
    while ((r = file_walk_step(walk, PIECE, &problem)) == WALK_MORE)
        ;
    assert_int_equal(r, WALK_DONE);
    assert_true(n_searches > 20);
    file_walk_free(walk);
    db_close(db);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, test_file_setup, test_file_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(whole_file_is_whole_in_pieces_of_any_size),
        FILE_TEST(file_without_rows_is_whole),
        FILE_TEST(row_that_is_not_what_was_written_is_found_wherever_a_piece_ends),
        FILE_TEST(totals_that_are_not_those_of_the_rows_are_found),
        FILE_TEST(page_that_was_overwritten_is_found_whichever_it_is),
        FILE_TEST(walk_ends_whatever_a_damaged_page_says),
        FILE_TEST(entry_that_is_not_in_its_place_is_found_where_a_piece_ends),
        FILE_TEST(index_that_lacks_an_entry_is_found),
        FILE_TEST(rows_that_come_between_two_pieces_are_no_damage_and_the_log_begins_anew),
        FILE_TEST(identities_that_lack_a_part_have_their_entries_too),
        FILE_TEST(no_piece_reads_what_lies_before_it),
    };
    return cmocka_run_group_tests_name("store: reading a file in pieces", tests, NULL, NULL);
}
