/* Every question of the Queries table that a database answers: what it says, how it refuses, and that it
 * scans no table. */
#include "store-testing.h"

#include "store/queries.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Fixture {
    TestFile *file;
    sqlite3 *db;
    RecordWriter *writer;
    Reader *reader;
    Problem problem;
} Fixture;

static int setup(void **state) {
    static Fixture fixture;
    void *file;
    test_file_setup(&file);
    fixture = (Fixture){.file = file, .db = test_open(file)};
    fixture.writer = test_writer(fixture.db);
    assert_int_equal(reader_new(fixture.file->path, &fixture.reader, &fixture.problem), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    void *file = fixture->file;
    reader_free(fixture->reader);
    record_writer_free(fixture->writer);
    db_close(fixture->db);
    return test_file_teardown(&file);
}

static void store(Fixture *fixture, const char *type, const char *data, ...)
    __attribute__((format(printf, 3, 4)));

static void store(Fixture *fixture, const char *type, const char *data, ...) {
    char members[700];
    va_list arguments;
    va_start(arguments, data);
    (void)vsnprintf(members, sizeof members, data, arguments);
    va_end(arguments);
    TestRecord record = test_record(fixture->file, type, "%s", members);
    assert_int_equal(record_writer_insert(fixture->writer, &record.message, NOON, &fixture->problem),
                     RECORD_NEW);
}

static void commit(Fixture *fixture) {
    assert_int_equal(record_writer_commit(fixture->writer, NOON, &fixture->problem), 0);
}

static void store_camera(Fixture *fixture, const char *intersection, const char *time, const char *data) {
    store(fixture, "sensor_event",
          "\"sensor_id\":\"CAM\",\"tipo_sensor\":\"camara\",\"interseccion\":\"%s\","
          "\"timestamp\":\"2026-11-20T%sZ\",\"event_data\":%s",
          intersection, time, data);
}

static void store_state(Fixture *fixture, const char *intersection, const char *time,
                        const char *traffic_state) {
    store(fixture, "congestion_record",
          "\"interseccion\":\"%s\",\"traffic_state\":\"%s\",\"decision\":\"NO_ACTION\",\"details\":\"d\","
          "\"sensor_data\":{\"Q\":3},\"timestamp\":\"2026-11-20T%sZ\"",
          intersection, traffic_state, time);
}

/* A query from the JSON a peer sends. */
static Query query(Fixture *fixture, const char *text) {
    Message message;
    Refusal refusal;
    if (message_decode(fixture->file->decoder, MESSAGE_FAMILY_QUERY, text, strlen(text), &message, &refusal,
                       &fixture->problem) < 0)
        fail_msg("%s: %s", text, fixture->problem.text);
    return message.QUERY;
}

/* The data member, taken in steps of `n_rows`. */
static json_object *ask_in_steps(Fixture *fixture, const char *text, int n_rows, int *ret_n_steps) {
    Query asked = query(fixture, text);
    QueryJob *job = NULL;
    if (query_begin(fixture->reader, &asked, "\"added\":1", &job, &fixture->problem) < 0)
        fail_msg("%s: %s", text, fixture->problem.text);
    int r, n_steps = 1;
    while ((r = query_step(job, n_rows, &fixture->problem)) == QUERY_MORE)
        n_steps++;
    assert_int_equal(r, QUERY_DONE);
    JsonText data = query_data(job);
    assert_int_equal(strlen(data.text), data.size);
    json_object *object = json_tokener_parse(data.text);
    if (!object)
        fail_msg("no JSON: %s", data.text);
    query_free(job);
    if (ret_n_steps)
        *ret_n_steps = n_steps;
    return object;
}

static json_object *ask(Fixture *fixture, const char *text) {
    return ask_in_steps(fixture, text, 1000, NULL);
}

static json_object *member(json_object *object, const char *path) {
    json_object *value = NULL;
    if (json_pointer_get(object, path, &value) < 0)
        fail_msg("%s is not in %s", path, json_object_to_json_string(object));
    return value;
}

static const char *text_at(json_object *object, const char *path) {
    return json_object_get_string(member(object, path));
}

static int64_t integer_at(json_object *object, const char *path) {
    return json_object_get_int64(member(object, path));
}

static size_t length_at(json_object *object, const char *path) {
    return json_object_array_length(member(object, path));
}

static void assert_refused(Fixture *fixture, const char *text, int error, const char *word) {
    Query asked = query(fixture, text);
    QueryJob *job = NULL;
    assert_int_equal(query_begin(fixture->reader, &asked, NULL, &job, &fixture->problem), error);
    assert_null(job);
    if (!strstr(fixture->problem.text, word))
        fail_msg("expected \"%s\" in \"%s\"", word, fixture->problem.text);
}

/* --- the planner --- */

static void no_statement_scans_or_sorts(void **state) {
    Fixture *fixture = *state;
    for (int i = 0; i < READ_STATEMENT_COUNT; i++) {
        char sql[2048];
        sqlite3_stmt *plan;
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", reader_sql((ReadStatement)i));
        assert_int_equal(sqlite3_prepare_v2(reader_db(fixture->reader), sql, -1, &plan, NULL), SQLITE_OK);
        int n_lines = 0;
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *line = (const char *)sqlite3_column_text(plan, 3);
            bool is_subquery = strncmp(line, "SCALAR SUBQUERY ", 16) == 0; /* of one line, which follows */
            n_lines += is_subquery ? -1 : 1;
            if (!is_subquery && strncmp(line, "SEARCH ", 7) != 0)
                fail_msg("%s\n%s", line, reader_sql((ReadStatement)i));
        }
        assert_int_equal(n_lines, 1);
        sqlite3_finalize(plan);
    }
}

static void counts_of_the_city_never_touch_the_table(void **state) {
    Fixture *fixture = *state;
    char sql[2048];
    sqlite3_stmt *plan;
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", reader_sql(READ_COUNTS));
    assert_int_equal(sqlite3_prepare_v2(reader_db(fixture->reader), sql, -1, &plan, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(plan), SQLITE_ROW);
    assert_non_null(
        strstr((const char *)sqlite3_column_text(plan, 3), "COVERING INDEX sensor_events_by_time"));
    sqlite3_finalize(plan);
}

/* --- one intersection --- */

static void unheard_intersection_has_no_readings_and_is_normal(void **state) {
    Fixture *fixture = *state;
    json_object *data = ask(fixture, "{\"command\":\"QUERY_INTERSECTION\",\"interseccion\":\"INT-D4\"}");
    assert_string_equal(text_at(data, "/intersection"), "INT-D4");
    assert_null(member(data, "/current_readings/Q"));
    assert_null(member(data, "/current_readings/last_updated"));
    assert_string_equal(text_at(data, "/current_readings/traffic_state"), "NORMAL");
    assert_null(member(data, "/semaphore_state"));
    assert_int_equal(integer_at(data, "/recent_events_count"), 0);
    assert_int_equal(length_at(data, "/recent_events"), 0);
    json_object_put(data);
}

static void readings_are_the_newest_of_each_kind(void **state) {
    Fixture *fixture = *state;
    store_camera(fixture, "INT-A1", "12:00:00", "{\"volumen\":4,\"velocidad_promedio\":50}");
    store_camera(fixture, "INT-A1", "12:00:10", "{\"volumen\":9}");
    store(fixture, "sensor_event",
          "\"sensor_id\":\"GPS\",\"tipo_sensor\":\"gps\",\"interseccion\":\"INT-A1\","
          "\"timestamp\":\"2026-11-20T12:00:05Z\",\"event_data\":{\"velocidad_promedio\":33.5}");
    store(fixture, "sensor_event",
          "\"sensor_id\":\"ESP\",\"tipo_sensor\":\"espira_inductiva\",\"interseccion\":\"INT-A1\","
          "\"timestamp\":\"2026-11-20T12:00:00Z\",\"event_data\":{\"vehiculos_contados\":20,\"intervalo_"
          "segundos\":60}");
    store_camera(fixture, "INT-B1", "12:30:00", "{\"volumen\":99}");
    store_state(fixture, "INT-A1", "12:00:00", "CONGESTION");
    store_state(fixture, "INT-A1", "12:00:20", "GREEN_WAVE");
    commit(fixture);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_INTERSECTION\",\"interseccion\":\"INT-A1\"}");
    assert_int_equal(integer_at(data, "/current_readings/Q"), 9);
    assert_string_equal(text_at(data, "/current_readings/Vp"), "33.5");
    assert_int_equal(integer_at(data, "/current_readings/D"), 10);
    assert_string_equal(text_at(data, "/current_readings/traffic_state"), "GREEN_WAVE");
    assert_string_equal(text_at(data, "/current_readings/last_updated"), "2026-11-20T12:00:10Z");
    json_object_put(data);
}

static void readings_are_found_behind_many_views(void **state) {
    Fixture *fixture = *state;
    store_camera(fixture, "INT-A1", "12:00:00", "{\"volumen\":4,\"velocidad_promedio\":50}");
    for (int second = 0; second < 300; second++)
        store(fixture, "sensor_event",
              "\"sensor_id\":\"CAM\",\"tipo_sensor\":\"camara_vista\",\"interseccion\":\"INT-A1\","
              "\"timestamp\":\"2026-11-20T12:01:%02dZ\",\"event_data\":{\"vehiculos_en_vista\":7}",
              second % 60);
    commit(fixture);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_INTERSECTION\",\"interseccion\":\"INT-A1\"}");
    assert_int_equal(integer_at(data, "/current_readings/Q"), 4);
    assert_string_equal(text_at(data, "/current_readings/last_updated"), "2026-11-20T12:00:00Z");
    assert_int_equal(length_at(data, "/recent_events"), 5);
    json_object_put(data);
}

static void lights_are_the_newest_row_and_flat(void **state) {
    Fixture *fixture = *state;
    store(fixture, "semaphore_state",
          "\"interseccion\":\"INT-A1\",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\",\"timestamp\":\"2026-11-"
          "20T12:00:30Z\","
          "\"reason\":\"plan \\\"x\\\"\",\"cycle_duration_sec\":25");
    store(fixture, "semaphore_state",
          "\"interseccion\":\"INT-A1\",\"state_ns\":\"RED\",\"state_ew\":\"GREEN\",\"timestamp\":\"2026-11-"
          "20T12:00:00Z\"");
    commit(fixture);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_INTERSECTION\",\"interseccion\":\"INT-A1\"}");
    assert_string_equal(text_at(data, "/semaphore_state/state_ns"), "GREEN");
    assert_string_equal(text_at(data, "/semaphore_state/state_ew"), "RED");
    assert_string_equal(text_at(data, "/semaphore_state/reason"), "plan \"x\"");
    assert_string_equal(text_at(data, "/semaphore_state/cycle_duration_sec"), "25");
    assert_string_equal(text_at(data, "/semaphore_state/created_at"), "2026-11-20T12:00:00Z");
    assert_int_equal(integer_at(data, "/semaphore_state/id"), 1);
    json_object_put(data);
}

static void recent_events_are_five_rows_counted_up_to_ten(void **state) {
    static const struct {
        int stored, count;
        size_t rows;
    } cases[] = {{4, 4, 4}, {5, 5, 5}, {6, 6, 5}, {10, 10, 5}, {11, 10, 5}};
    Fixture *fixture = *state;
    int n = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_store_events(fixture->file, fixture->writer, n + 1, cases[i].stored);
        n = cases[i].stored;
        json_object *data = ask(fixture, "{\"command\":\"QUERY_INTERSECTION\",\"interseccion\":\"INT-A1\"}");
        assert_int_equal(integer_at(data, "/recent_events_count"), cases[i].count);
        assert_int_equal(length_at(data, "/recent_events"), cases[i].rows);
        assert_int_equal(integer_at(data, "/recent_events/0/seq"), n);
        json_object_put(data);
    }
}

static void event_data_is_a_string_of_json(void **state) {
    Fixture *fixture = *state;
    store_camera(fixture, "INT-A1", "12:00:00", "{\"volumen\":4,\"nota\":\"ñ \\\"q\\\" \\n\"}");
    commit(fixture);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_INTERSECTION\",\"interseccion\":\"INT-A1\"}");
    assert_true(json_object_is_type(member(data, "/recent_events/0/event_data"), json_type_string));
    json_object *event = json_tokener_parse(text_at(data, "/recent_events/0/event_data"));
    assert_string_equal(text_at(event, "/nota"), "ñ \"q\" \n");
    json_object_put(event);
    json_object_put(data);
}

static void question_about_no_intersection_is_refused(void **state) {
    assert_refused(*state, "{\"command\":\"QUERY_INTERSECTION\"}", -EINVAL, "interseccion");
}

/* --- pages --- */

static void history_range_is_inclusive_at_both_ends(void **state) {
    Fixture *fixture = *state;
    for (int i = 0; i < 5; i++) {
        char time[16];
        (void)snprintf(time, sizeof time, "12:00:0%d", i);
        store_state(fixture, i % 2 ? "INT-B1" : "INT-A1", time, "CONGESTION");
    }
    commit(fixture);
    json_object *data =
        ask(fixture, "{\"command\":\"QUERY_HISTORY\",\"timestamp_inicio\":\"2026-11-20T12:00:01Z\","
                     "\"timestamp_fin\":\"2026-11-20T12:00:03Z\"}");
    assert_int_equal(length_at(data, "/records"), 3);
    assert_string_equal(text_at(data, "/records/0/timestamp"), "2026-11-20T12:00:03Z");
    assert_string_equal(text_at(data, "/records/2/timestamp"), "2026-11-20T12:00:01Z");
    assert_string_equal(text_at(data, "/records/0/sensor_data"), "{\"Q\":3}");
    json_object_put(data);
    data = ask(fixture, "{\"command\":\"QUERY_HISTORY\",\"interseccion\":\"INT-B1\"}");
    assert_int_equal(length_at(data, "/records"), 2);
    json_object_put(data);
}

static void empty_history_is_an_empty_list(void **state) {
    json_object *data = ask(*state, "{\"command\":\"QUERY_HISTORY\",\"interseccion\":null}");
    assert_int_equal(length_at(data, "/records"), 0);
    assert_false(json_object_get_boolean(member(data, "/more")));
    json_object_put(data);
}

static void page_has_at_most_a_hundred_rows(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 101);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_EVENTS\",\"limit\":1000}");
    assert_int_equal(length_at(data, "/events"), 100);
    assert_true(json_object_get_boolean(member(data, "/more")));
    json_object_put(data);
    data = ask(fixture, "{\"command\":\"QUERY_EVENTS\",\"limit\":3,\"interseccion\":\"INT-A1\"}");
    assert_int_equal(length_at(data, "/events"), 3);
    json_object_put(data);
}

/* Asks page after page and expects events newest..1, each once. */
static void assert_pages_cover(Fixture *fixture, const char *more_members, int newest, int limit) {
    int expected = newest;
    for (int64_t before_id = 0; expected > 0;) {
        char text[256], place[64] = "";
        if (before_id)
            (void)snprintf(place, sizeof place, ",\"before_id\":%" PRId64, before_id);
        (void)snprintf(text, sizeof text, "{\"command\":\"QUERY_EVENTS\",\"limit\":%d%s%s}", limit, place,
                       more_members);
        json_object *data = ask(fixture, text);
        size_t n = length_at(data, "/events");
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++) {
            json_object *row = json_object_array_get_idx(member(data, "/events"), i);
            assert_int_equal(integer_at(row, "/seq"), expected--);
            before_id = integer_at(row, "/id");
        }
        json_object_put(data);
    }
}

static void pages_follow_each_other_without_gap_or_repetition(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 250);
    assert_pages_cover(fixture, "", 250, 100);
    assert_pages_cover(fixture, ",\"interseccion\":\"INT-A1\"", 250, 7);
}

static void rows_of_one_second_are_paged_as_well(void **state) {
    Fixture *fixture = *state;
    for (int n = 1; n <= 30; n++)
        store(fixture, "sensor_event",
              "\"sensor_id\":\"C\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\","
              "\"timestamp\":\"2026-11-20T12:00:00Z\",\"producer_id\":\"p\",\"epoch\":1,\"seq\":%d",
              n);
    commit(fixture);
    assert_pages_cover(fixture, "", 30, 7);
    assert_pages_cover(fixture, ",\"interseccion\":\"INT-A1\",\"timestamp_fin\":\"2026-11-20T12:00:00Z\"", 30,
                       10);
}

/* An event that came late lies where its time is, not where its id is. */
static void pages_go_by_time_also_when_events_came_late(void **state) {
    Fixture *fixture = *state;
    store_camera(fixture, "INT-A1", "12:00:02", "{}");
    store_camera(fixture, "INT-A1", "12:00:00", "{}");
    store_camera(fixture, "INT-A1", "12:00:01", "{}");
    commit(fixture);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_EVENTS\",\"limit\":2}");
    assert_int_equal(integer_at(data, "/events/0/id"), 1);
    assert_int_equal(integer_at(data, "/events/1/id"), 3);
    json_object_put(data);
    data = ask(fixture, "{\"command\":\"QUERY_EVENTS\",\"before_id\":3}");
    assert_int_equal(length_at(data, "/events"), 1);
    assert_int_equal(integer_at(data, "/events/0/id"), 2);
    json_object_put(data);
}

static void page_before_a_row_outside_the_range_begins_at_its_end(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 10);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_EVENTS\",\"before_id\":9,"
                                     "\"timestamp_fin\":\"2026-11-20T12:00:03Z\"}");
    assert_int_equal(integer_at(data, "/events/0/seq"), 4);
    json_object_put(data);
}

static void unknown_place_to_go_on_from_is_refused(void **state) {
    assert_refused(*state, "{\"command\":\"QUERY_EVENTS\",\"before_id\":77}", -ENOENT, "77");
    assert_refused(*state, "{\"command\":\"QUERY_HISTORY\",\"before_id\":77}", -ENOENT, "77");
}

static void backward_range_is_refused(void **state) {
    static const char range[] =
        "\"timestamp_inicio\":\"2026-11-20T12:00:01Z\",\"timestamp_fin\":\"2026-11-20T12:00:00Z\"";
    static const char *const commands[] = {"QUERY_HISTORY", "QUERY_EVENTS", "COUNT_EVENTS"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "{\"command\":\"%s\",\"interval_sec\":60,%s}", commands[i], range);
        assert_refused(*state, text, -EINVAL, "2026-11-20T12:00:01Z");
    }
}

static void kinds_are_told_apart_in_bounded_steps(void **state) {
    Fixture *fixture = *state;
    store_camera(fixture, "INT-A1", "11:00:00", "{}");
    commit(fixture);
    test_store_events(fixture->file, fixture->writer, 1, 95);
    int n_steps;
    json_object *data =
        ask_in_steps(fixture, "{\"command\":\"QUERY_EVENTS\",\"tipo_sensor\":\"camara\"}", 10, &n_steps);
    assert_int_equal(length_at(data, "/events"), 1);
    assert_string_equal(text_at(data, "/events/0/tipo_sensor"), "camara");
    assert_int_equal(n_steps, 10);
    json_object_put(data);
}

static void page_of_large_rows_ends_before_it_exceeds_a_reply(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 100);
    test_run(fixture->db, "UPDATE sensor_events SET event_data = '\"' || printf('%.*c', 30000, 'x') || '\"'");
    json_object *data = ask(fixture, "{\"command\":\"QUERY_EVENTS\"}");
    size_t n = length_at(data, "/events");
    assert_true(n < 40 && n > 25);
    assert_true(json_object_get_boolean(member(data, "/more")));
    json_object_put(data);
}

/* --- counts --- */

/* Event n is of second n - 1 after noon: the first one ends the minute before. */
static void counts_per_interval_are_exact_and_include_its_end(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 150);
    int64_t expected[4] = {0};
    for (int n = 1; n <= 150; n++)
        expected[(n - 2 + 60) / 60] += n % 30;
    json_object *data = ask_in_steps(fixture, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":60}", 7, NULL);
    assert_int_equal(length_at(data, "/counts"), 4);
    assert_string_equal(text_at(data, "/counts/0/from"), "2026-11-20T11:59:00Z");
    assert_string_equal(text_at(data, "/counts/3/from"), "2026-11-20T12:02:00Z");
    assert_int_equal(integer_at(data, "/counts/0/events"), 1);
    assert_int_equal(integer_at(data, "/counts/1/events"), 60);
    assert_int_equal(integer_at(data, "/counts/3/events"), 29);
    assert_int_equal(integer_at(data, "/counts/0/vehicles"), expected[0]);
    assert_int_equal(integer_at(data, "/counts/1/vehicles"), expected[1]);
    assert_int_equal(integer_at(data, "/counts/2/vehicles"), expected[2]);
    assert_int_equal(integer_at(data, "/counts/3/vehicles"), expected[3]);
    json_object_put(data);
}

static void counts_follow_range_intersection_and_kind(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 100);
    store_camera(fixture, "INT-A1", "12:00:30", "{}");
    store_camera(fixture, "INT-B1", "12:00:30", "{}");
    commit(fixture);
    static const struct {
        const char *members;
        int64_t events;
    } cases[] = {
        {"", 102},
        {",\"interseccion\":\"INT-A1\"", 101},
        {",\"tipo_sensor\":\"camara\"", 2},
        {",\"interseccion\":\"INT-A1\",\"tipo_sensor\":\"camara\"", 1},
        {",\"timestamp_inicio\":\"2026-11-20T12:00:29Z\",\"timestamp_fin\":\"2026-11-20T12:00:30Z\"", 3},
        {",\"interseccion\":\"INT-A1\",\"timestamp_inicio\":\"2026-11-20T12:01:38Z\"", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":86400%s}",
                       cases[i].members);
        json_object *data = ask(fixture, text);
        assert_int_equal(length_at(data, "/counts"), 1);
        assert_int_equal(integer_at(data, "/counts/0/events"), cases[i].events);
        assert_string_equal(text_at(data, "/counts/0/from"), "2026-11-20T00:00:00Z");
        json_object_put(data);
    }
    json_object *data =
        ask(fixture, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":60,\"tipo_sensor\":\"gps\"}");
    assert_int_equal(length_at(data, "/counts"), 0);
    json_object_put(data);
}

static void interval_that_is_missing_or_broken_is_refused(void **state) {
    assert_refused(*state, "{\"command\":\"COUNT_EVENTS\"}", -EINVAL, "interval_sec");
    assert_refused(*state, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":1.5}", -EINVAL, "1.5");
}

static void more_intervals_than_fit_are_asked_for_again(void **state) {
    Fixture *fixture = *state;
    test_run(fixture->db, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 8002) "
                          "INSERT INTO sensor_events (sensor_id, tipo_sensor, interseccion, timestamp, "
                          "created_at, created_us, vehicles) "
                          "SELECT 'E', 'espira_inductiva', 'INT-A1', strftime('%Y-%m-%dT%H:%M:%SZ', "
                          "1795176000 + 60 * i, 'unixepoch'), "
                          "'', i, 1 FROM n");
    json_object *data = ask(fixture, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":60}");
    assert_int_equal(length_at(data, "/counts"), QUERY_INTERVALS_MAX);
    char text[256];
    (void)snprintf(text, sizeof text,
                   "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":60,\"timestamp_inicio\":\"%s\"}",
                   text_at(data, "/next"));
    json_object_put(data);
    data = ask(fixture, text);
    assert_int_equal(length_at(data, "/counts"), 3);
    assert_false(json_object_object_get_ex(data, "next", NULL));
    json_object_put(data);
}

/* --- the city --- */

static void status_lists_what_is_congested_now(void **state) {
    Fixture *fixture = *state;
    store_state(fixture, "INT-A1", "12:00:00", "CONGESTION");
    store_state(fixture, "INT-B1", "12:00:00", "CONGESTION");
    store_state(fixture, "INT-B1", "12:00:01", "NORMAL");
    store_state(fixture, "INT-C1", "12:00:01", "GREEN_WAVE");
    store_state(fixture, "INT-C1", "12:00:00", "CONGESTION");
    store_state(fixture, "INT-D1", "12:00:00", "CONGESTION");
    test_store_events(fixture->file, fixture->writer, 1, 3);
    int n_steps;
    json_object *data = ask_in_steps(fixture, "{\"command\":\"SYSTEM_STATUS\"}", 4, &n_steps);
    assert_int_equal(n_steps, 5); /* an intersection a step */
    assert_string_equal(
        json_object_to_json_string_ext(member(data, "/currently_congested"), JSON_C_TO_STRING_PLAIN),
        "[\"INT-A1\",\"INT-D1\"]");
    assert_string_equal(
        json_object_to_json_string_ext(member(data, "/currently_green_wave"), JSON_C_TO_STRING_PLAIN),
        "[\"INT-C1\"]");
    assert_int_equal(integer_at(data, "/db_summary/total_congestion_detections"), 4);
    assert_int_equal(integer_at(data, "/db_summary/total_sensor_events"), 3);
    assert_int_equal(integer_at(data, "/db_summary/total_green_waves"), 0);
    assert_int_equal(integer_at(data, "/db_summary/total_semaphore_changes"), 0);
    assert_int_equal(integer_at(data, "/event_set/count"), 3);
    assert_int_equal(strlen(text_at(data, "/event_set/hash")), 16);
    assert_int_equal(integer_at(data, "/added"), 1);
    json_object_put(data);
}

static void status_of_an_empty_store_has_empty_lists(void **state) {
    json_object *data = ask(*state, "{\"command\":\"SYSTEM_STATUS\"}");
    assert_int_equal(length_at(data, "/currently_congested"), 0);
    assert_int_equal(length_at(data, "/currently_green_wave"), 0);
    assert_string_equal(text_at(data, "/event_set/hash"), "0000000000000000");
    json_object_put(data);
}

static void what_no_database_answers_is_refused(void **state) {
    assert_refused(*state, "{\"command\":\"FORCE_GREEN_WAVE\",\"row\":\"B\"}", -ENOTSUP, "FORCE_GREEN_WAVE");
    assert_refused(*state, "{\"command\":\"query_history\"}", -ENOTSUP, "query_history");
}

/* --- side by side --- */

static void two_questions_of_a_kind_do_not_disturb_each_other(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 40);
    Query asked = query(fixture, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":3600}");
    QueryJob *jobs[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++)
        assert_int_equal(query_begin(fixture->reader, &asked, NULL, &jobs[i], &fixture->problem), 0);
    bool is_done[2] = {false, false};
    while (!is_done[0] || !is_done[1])
        for (int i = 0; i < 2; i++)
            if (!is_done[i])
                is_done[i] = query_step(jobs[i], 3, &fixture->problem) == QUERY_DONE;
    assert_string_equal(query_data(jobs[0]).text, query_data(jobs[1]).text);
    query_free(jobs[1]);
    query_free(jobs[0]);
}

static void records_are_committed_while_a_question_is_half_answered(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 40);
    Query asked = query(fixture, "{\"command\":\"COUNT_EVENTS\",\"interval_sec\":86400}");
    QueryJob *job = NULL;
    assert_int_equal(query_begin(fixture->reader, &asked, NULL, &job, &fixture->problem), 0);
    assert_int_equal(query_step(job, 10, &fixture->problem), QUERY_MORE);
    test_store_events(fixture->file, fixture->writer, 41, 60);
    while (query_step(job, 10, &fixture->problem) == QUERY_MORE)
        ;
    assert_non_null(strstr(query_data(job).text, "\"events\":40")); /* as it was when it was asked */
    query_free(job);
}

static void abandoned_question_gives_its_statement_back(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->file, fixture->writer, 1, 40);
    Query asked = query(fixture, "{\"command\":\"QUERY_EVENTS\",\"limit\":5}");
    QueryJob *job = NULL;
    assert_int_equal(query_begin(fixture->reader, &asked, NULL, &job, &fixture->problem), 0);
    assert_int_equal(query_step(job, 2, &fixture->problem), QUERY_MORE);
    query_free(job);
    json_object *data = ask(fixture, "{\"command\":\"QUERY_EVENTS\"}");
    assert_int_equal(length_at(data, "/events"), 40);
    json_object_put(data);
}

#define QUERY_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        QUERY_TEST(no_statement_scans_or_sorts),
        QUERY_TEST(counts_of_the_city_never_touch_the_table),
        QUERY_TEST(unheard_intersection_has_no_readings_and_is_normal),
        QUERY_TEST(readings_are_the_newest_of_each_kind),
        QUERY_TEST(readings_are_found_behind_many_views),
        QUERY_TEST(lights_are_the_newest_row_and_flat),
        QUERY_TEST(recent_events_are_five_rows_counted_up_to_ten),
        QUERY_TEST(event_data_is_a_string_of_json),
        QUERY_TEST(question_about_no_intersection_is_refused),
        QUERY_TEST(history_range_is_inclusive_at_both_ends),
        QUERY_TEST(empty_history_is_an_empty_list),
        QUERY_TEST(page_has_at_most_a_hundred_rows),
        QUERY_TEST(pages_follow_each_other_without_gap_or_repetition),
        QUERY_TEST(rows_of_one_second_are_paged_as_well),
        QUERY_TEST(pages_go_by_time_also_when_events_came_late),
        QUERY_TEST(page_before_a_row_outside_the_range_begins_at_its_end),
        QUERY_TEST(unknown_place_to_go_on_from_is_refused),
        QUERY_TEST(backward_range_is_refused),
        QUERY_TEST(kinds_are_told_apart_in_bounded_steps),
        QUERY_TEST(page_of_large_rows_ends_before_it_exceeds_a_reply),
        QUERY_TEST(counts_per_interval_are_exact_and_include_its_end),
        QUERY_TEST(counts_follow_range_intersection_and_kind),
        QUERY_TEST(interval_that_is_missing_or_broken_is_refused),
        QUERY_TEST(more_intervals_than_fit_are_asked_for_again),
        QUERY_TEST(status_lists_what_is_congested_now),
        QUERY_TEST(status_of_an_empty_store_has_empty_lists),
        QUERY_TEST(what_no_database_answers_is_refused),
        QUERY_TEST(two_questions_of_a_kind_do_not_disturb_each_other),
        QUERY_TEST(records_are_committed_while_a_question_is_half_answered),
        QUERY_TEST(abandoned_question_gives_its_statement_back),
    };
    return cmocka_run_group_tests_name("store: queries", tests, NULL, NULL);
}
