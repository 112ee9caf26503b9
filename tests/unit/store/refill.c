/* Filling an empty file from another one, through the frames that carry it: afterwards both hold the same,
 * whatever happened in between. */
#include "store-testing.h"

#include "store/hash.h"
#include "store/queries.h"
#include "store/refill.h"
#include "wire/endpoints.h"
#include "wire/json-tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCER EVENT_COPY_PRODUCER "primary@test"

typedef struct Side {
    TestFile *file;
    sqlite3 *db;
    RecordWriter *writer;
    Reader *reader;
} Side;

typedef struct Fixture {
    Side from, to;
    Decoder *replies, *requests;
    JsonTokens *page;
    Problem problem;
    char reply[REPLY_MAX_BYTES], request[FRAME_MAX_BYTES + 1];
} Fixture;

static void side_open(Side *side) {
    Problem problem = {0};
    void *file;
    test_file_setup(&file);
    *side = (Side){.file = file, .db = test_open(file)};
    side->writer = test_writer(side->db);
    assert_int_equal(reader_new(side->file->path, &side->reader, &problem), 0);
}

static void side_close(Side *side) {
    void *file = side->file;
    reader_free(side->reader);
    record_writer_free(side->writer);
    db_close(side->db);
    test_file_teardown(&file);
}

static int setup(void **state) {
    Fixture *fixture = calloc(1, sizeof *fixture);
    side_open(&fixture->from);
    side_open(&fixture->to);
    decoder_new(&fixture->replies);
    json_tokens_new(&fixture->page);
    decoder_new(&fixture->requests);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    Fixture *fixture = *state;
    side_close(&fixture->from);
    side_close(&fixture->to);
    decoder_free(fixture->replies);
    json_tokens_free(fixture->page);
    decoder_free(fixture->requests);
    free(fixture);
    return 0;
}

/* --- what there is to copy --- */

static void insert(Side *side, const char *type, const char *members) {
    Problem problem = {0};
    TestRecord record = test_record(side->file, type, "%s", members);
    if (record_writer_insert(side->writer, &record.message, NOON, &problem) != RECORD_NEW)
        fail_msg("%s: %s", members, problem.text);
    assert_int_equal(record_writer_commit(side->writer, NOON, &problem), 0);
}

#define AT_A1    "\"interseccion\":\"INT-A1\",\"timestamp\":\"2026-11-20T12:00:00Z\""
#define NUMBERED ",\"producer_id\":\"x@test\",\"epoch\":3,\"seq\":"

/* Each kind, with and without identity, with and without what may be left out. */
static void insert_every_kind(Side *side) {
    insert(side, "sensor_event",
           AT_A1 ",\"sensor_id\":\"CAM \\\"1\\\"\",\"tipo_sensor\":\"camara\",\"event_data\":{ \"volumen\": "
                 "1.50e1 , \"x\":"
                 "[1,{\"y\":\"],}\\\"\"}]}" NUMBERED "1,\"captured_us\":9007199254740993");
    insert(side, "sensor_event", AT_A1 ",\"sensor_id\":\"GPS\",\"tipo_sensor\":\"gps\"");
    insert(side, "congestion_record",
           AT_A1
           ",\"traffic_state\":\"CONGESTION\",\"decision\":\"EXTEND_GREEN\",\"details\":\"Q=12 \\u00e1\","
           "\"sensor_data\":{\"Q\":12}" NUMBERED "2");
    insert(side, "congestion_record", AT_A1 ",\"traffic_state\":\"NORMAL\",\"decision\":\"NO_ACTION\"");
    insert(side, "semaphore_state",
           AT_A1 ",\"state_ns\":\"GREEN\",\"state_ew\":\"RED\",\"reason\":\"plan\",\"cycle_duration_sec\":15."
                 "5" NUMBERED "3");
    insert(side, "semaphore_state", AT_A1 ",\"state_ns\":\"RED\",\"state_ew\":\"RED\"");
    insert(side, "priority_action",
           "\"timestamp\":\"2026-11-20T12:00:00Z\",\"action_type\":\"GREEN_WAVE\",\"target\":\"B\","
           "\"reason\":\"ambulance\","
           "\"requested_by\":\"op\",\"affected_intersections\":[\"INT-B1\"]" NUMBERED "4");
    insert(side, "priority_action",
           "\"timestamp\":\"2026-11-20T12:00:00Z\",\"action_type\":\"FORCE\",\"target\":\"INT-A1\"");
}

/* --- the way of a copy --- */

static Query decode_query(Fixture *fixture, const char *frame, size_t size) {
    Message message;
    Refusal refusal;
    if (message_decode(fixture->requests, MESSAGE_FAMILY_QUERY, frame, size, &message, &refusal,
                       &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    return message.QUERY;
}

typedef struct Page {
    JsonText records; /* valid until the next page */
    int64_t last_id;
    bool is_done;
    int n_passed_over;
} Page;

static const JsonToken *member(const JsonTokens *page, const char *name) {
    uint32_t hint = 0;
    const JsonToken *value = json_tokens_member(page, json_tokens_root(page), name, &hint);
    assert_non_null(value);
    return value;
}

static int64_t whole_number(const JsonTokens *page, const char *name) {
    int64_t number = 0;
    assert_true(json_tokens_whole_number(page, member(page, name), &number));
    return number;
}

/* As the reply that the other side decodes. */
static Page copy(Fixture *fixture, const char *table, int64_t after_id, int limit) {
    char text[256];
    int size =
        snprintf(text, sizeof text,
                 "{\"command\":\"COPY_RECORDS\",\"table\":\"%s\",\"after_id\":%" PRId64 ",\"limit\":%d}",
                 table, after_id, limit);
    Query asked = decode_query(fixture, text, (size_t)size);
    QueryJob *job = NULL;
    if (query_begin(fixture->from.reader, &asked, PRODUCER, &job, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    while (query_step(job, 1000, &fixture->problem) == QUERY_MORE)
        ;
    Message message = {.tag = MESSAGE_REPLY};
    message_set(&message.REPLY, Reply, status, REPLY_OK);
    message_set(&message.REPLY, Reply, data, query_data(job));
    size = message_encode(&message, fixture->reply, sizeof fixture->reply, &fixture->problem);
    query_free(job);
    Refusal refusal;
    if (size < 0 || message_decode(fixture->replies, MESSAGE_FAMILY_REPLY, fixture->reply, (size_t)size,
                                   &message, &refusal, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    JsonText data = message.REPLY.data;
    if (json_tokens_read(fixture->page, data.text, data.size, &refusal, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    return (Page){
        .records = json_tokens_source(fixture->page, member(fixture->page, "records")),
        .last_id = whole_number(fixture->page, "last_id"),
        .is_done = member(fixture->page, "done")->kind == JSON_TRUE,
        .n_passed_over = (int)whole_number(fixture->page, "passed_over"),
    };
}

static bool everything(const Message *record, void *userdata, Problem *problem) {
    (void)record, (void)userdata, (void)problem;
    return true;
}

/* As the request that the filled store decodes. */
static RefillCounts fill(Fixture *fixture, JsonText records, bool is_last) {
    Message message = {.tag = MESSAGE_QUERY};
    message_set_text(&message.QUERY, Query, command, "TAKE_RECORDS");
    message_set(&message.QUERY, Query, records, records);
    message_set(&message.QUERY, Query, is_last, is_last);
    int size = message_encode(&message, fixture->request, sizeof fixture->request, &fixture->problem);
    if (size < 0 || size > FRAME_MAX_BYTES)
        fail_msg("%d bytes: %s", size, fixture->problem.text);
    Query query = decode_query(fixture, fixture->request, (size_t)size);
    RefillSpec spec = {
        .records = query.records, .is_last = query.is_last, .arrival = NOON, .may_take = everything};
    RefillCounts counts;
    if (refill_take(fixture->to.writer, fixture->to.file->decoder, &spec, &counts, &fixture->problem) < 0)
        fail_msg("%s", fixture->problem.text);
    return counts;
}

static RefillCounts copy_all(Fixture *fixture, int limit) {
    static const char *const tables[] = {"sensor_event", "congestion_history", "semaphore_state",
                                         "priority_actions"};
    RefillCounts sum = {0};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        Page page = {0};
        do {
            page = copy(fixture, tables[i], page.last_id, limit);
            RefillCounts counts = fill(fixture, page.records, page.is_done && i + 1 == ARRAY_LEN(tables));
            sum.n_taken += counts.n_taken;
            sum.n_repeated += counts.n_repeated;
            sum.n_refused += counts.n_refused;
        } while (!page.is_done);
    }
    return sum;
}

/* The rows of both, but for when they arrived, their numbers, and identities that only a copy has. */
static void assert_same_rows(Fixture *fixture) {
    static const char *const members[][2] = {
        {"sensor_events",
         "sensor_id, tipo_sensor, interseccion, timestamp, event_data, captured_us, vehicles"},
        {"congestion_history", "interseccion, traffic_state, decision, details, sensor_data, timestamp"},
        {"semaphore_states", "interseccion, state_ns, state_ew, reason, cycle_duration_sec, timestamp"},
        {"priority_actions", "action_type, target, reason, requested_by, affected_intersections, timestamp"},
    };
    char sql[1024];
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS other", fixture->from.file->path);
    test_run(fixture->to.db, sql);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        for (int k = 0; k < 2; k++) {
            (void)snprintf(sql, sizeof sql,
                           "SELECT count(*) FROM (SELECT %s FROM %s.%s EXCEPT SELECT %s FROM %s.%s)",
                           members[i][1], k ? "main" : "other", members[i][0], members[i][1],
                           k ? "other" : "main", members[i][0]);
            if (test_integer(fixture->to.db, sql) != 0)
                fail_msg("%s", sql);
        }
    }
    test_run(fixture->to.db, "DETACH other");
    StoreTotals from = *record_writer_totals(fixture->from.writer),
                to = *record_writer_totals(fixture->to.writer);
    assert_int_equal(from.event_set, to.event_set);
    assert_int_equal(from.sensor_events, to.sensor_events);
    assert_int_equal(from.congestion_records, to.congestion_records);
    assert_int_equal(from.congestion_detections, to.congestion_detections);
    assert_int_equal(from.semaphore_changes, to.semaphore_changes);
    assert_int_equal(from.priority_actions, to.priority_actions);
    assert_int_equal(from.green_waves, to.green_waves);
}

/* --- wanting one --- */

static void new_file_wants_a_refill_until_the_last_page(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->from);
    assert_true(record_writer_totals(fixture->to.writer)->needs_refill);
    fill(fixture, copy(fixture, "sensor_event", 0, 1000).records, false);
    assert_true(record_writer_totals(fixture->to.writer)->needs_refill);
    assert_int_equal(test_integer(fixture->to.db, "SELECT needs_refill FROM totals"), 1);
    fill(fixture, (JsonText){"[]", 2}, true);
    assert_false(record_writer_totals(fixture->to.writer)->needs_refill);
    assert_int_equal(test_integer(fixture->to.db, "SELECT needs_refill FROM totals"), 0);
}

static void wanting_ends_with_the_commit_not_before(void **state) {
    Fixture *fixture = *state;
    RefillSpec spec = {.records = {"[]", 2}, .is_last = true, .arrival = NOON, .may_take = everything};
    RefillCounts counts = {.n_taken = 77};
    test_run(fixture->to.db, "PRAGMA query_only = ON");
    assert_int_equal(
        refill_take(fixture->to.writer, fixture->to.file->decoder, &spec, &counts, &fixture->problem),
        -EROFS);
    assert_true(record_writer_totals(fixture->to.writer)->needs_refill);
    assert_false(record_writer_has_transaction(fixture->to.writer));
    assert_int_equal(counts.n_taken, 77);
    test_run(fixture->to.db, "PRAGMA query_only = OFF");
}

static void records_that_come_meanwhile_do_not_end_it(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->to);
    assert_int_equal(test_integer(fixture->to.db, "SELECT needs_refill FROM totals"), 1);
}

/* --- copying --- */

static void copy_is_the_same_whatever_the_size_of_its_pages(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->from);
    test_store_events(fixture->from.file, fixture->from.writer, 1, 20);
    RefillCounts counts = copy_all(fixture, 3);
    assert_int_equal(counts.n_taken, 28);
    assert_int_equal(counts.n_repeated + counts.n_refused, 0);
    assert_same_rows(fixture);
}

static void copy_that_begins_again_takes_nothing_twice(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->from);
    fill(fixture, copy(fixture, "sensor_event", 0, 1).records, false);
    fill(fixture, copy(fixture, "congestion_record", 0, 2).records, false);
    RefillCounts counts = copy_all(fixture, 1000);
    assert_int_equal(counts.n_taken, 5);
    assert_int_equal(counts.n_repeated, 3);
    assert_same_rows(fixture);
    assert_int_equal(copy_all(fixture, 2).n_taken, 0);
    assert_same_rows(fixture);
}

static void what_came_over_its_link_already_is_a_repeat(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->from.file, fixture->from.writer, 1, 10);
    test_store_events(fixture->to.file, fixture->to.writer, 6, 12);
    RefillCounts counts = copy_all(fixture, 1000);
    assert_int_equal(counts.n_taken, 5);
    assert_int_equal(counts.n_repeated, 5);
    assert_int_equal(test_integer(fixture->to.db, "SELECT count(*) FROM sensor_events"), 12);
}

static void copy_back_into_its_origin_gives_nothing_new(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->from);
    copy_all(fixture, 1000);
    /* The origin lost everything and is filled from its copy: still the same set. */
    uint64_t set = record_writer_totals(fixture->from.writer)->event_set;
    Side swap = fixture->from;
    fixture->from = fixture->to;
    side_close(&swap);
    side_open(&fixture->to);
    assert_int_equal(copy_all(fixture, 1000).n_taken, 8);
    assert_same_rows(fixture);
    assert_int_equal(record_writer_totals(fixture->to.writer)->event_set, set);
}

static void rows_without_identity_get_one_that_no_other_file_gives(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->from);
    copy_all(fixture, 1000);
    assert_int_equal(test_integer(fixture->to.db,
                                  "SELECT count(*) FROM sensor_events WHERE producer_id = '" PRODUCER
                                  "' AND seq = 2 AND epoch > 0"),
                     1);
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "SELECT epoch = %" PRId64 " FROM sensor_events WHERE producer_id = '" PRODUCER "'",
                   test_integer(fixture->from.db, "SELECT made_at FROM totals"));
    assert_int_equal(test_integer(fixture->to.db, sql), 1);
}

/* What is deleted must be taken out of the set again as it was put in. */
static void copied_events_leave_the_set_as_they_came(void **state) {
    Fixture *fixture = *state;
    insert_every_kind(&fixture->from);
    copy_all(fixture, 1000);
    assert_int_equal(
        test_integer(fixture->to.db,
                     "SELECT event_set - (SELECT event_set(record_hash(producer_id, epoch, seq, sensor_id, "
                     "tipo_sensor, interseccion, timestamp, event_data)) FROM sensor_events) FROM totals"),
        0);
}

/* --- bounds --- */

static void insert_large(Side *side, int n, size_t size) {
    Problem problem = {0};
    Message record;
    Refusal refusal;
    char *frame = malloc(size + 1024);
    char *filler = malloc(size + 1);
    memset(filler, 'x', size);
    filler[size] = '\0';
    int bytes =
        snprintf(frame, size + 1024,
                 "{\"type\":\"sensor_event\",\"data\":{" AT_A1 ",\"sensor_id\":\"S\",\"tipo_sensor\":\"gps\","
                 "\"event_data\":{\"x\":\"%s\"}" NUMBERED "%d}}",
                 filler, n);
    if (message_decode(side->file->decoder, MESSAGE_FAMILY_RECORD, frame, (size_t)bytes, &record, &refusal,
                       &problem) < 0)
        fail_msg("%s", problem.text);
    assert_int_equal(record_writer_insert(side->writer, &record, NOON, &problem), RECORD_NEW);
    assert_int_equal(record_writer_commit(side->writer, NOON, &problem), 0);
    free(filler);
    free(frame);
}

static void page_has_at_most_so_many_bytes(void **state) {
    Fixture *fixture = *state;
    for (int n = 1; n <= 12; n++)
        insert_large(&fixture->from, n, 10000);
    Page page = copy(fixture, "sensor_event", 0, 1000);
    assert_int_equal(page.last_id, 4);
    assert_false(page.is_done);
    assert_true(page.records.size <= QUERY_COPY_BYTES + 2);
    assert_int_equal(copy_all(fixture, 1000).n_taken, 12);
    assert_same_rows(fixture);
}

static void record_larger_than_a_page_travels_alone(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->from.file, fixture->from.writer, 1, 1);
    insert_large(&fixture->from, 2, 60000);
    insert_large(&fixture->from, 3, 10);
    assert_int_equal(copy(fixture, "sensor_event", 0, 1000).last_id, 1);
    assert_int_equal(copy(fixture, "sensor_event", 1, 1000).last_id, 2);
    assert_int_equal(copy_all(fixture, 1000).n_taken, 3);
    assert_same_rows(fixture);
}

static void record_that_no_frame_can_carry_on_is_passed_over_and_counted(void **state) {
    Fixture *fixture = *state;
    insert_large(&fixture->from, 1, 10);
    insert_large(&fixture->from, 2, FRAME_MAX_BYTES - 300);
    insert_large(&fixture->from, 3, 10);
    Page page = copy(fixture, "sensor_event", 0, 1000);
    assert_int_equal(page.n_passed_over, 1);
    assert_int_equal(page.last_id, 3);
    assert_true(page.is_done);
    assert_int_equal(fill(fixture, page.records, false).n_taken, 2);
}

static void insert_deep(Side *side, int depth) {
    char members[512];
    int at = snprintf(members, sizeof members,
                      AT_A1 ",\"sensor_id\":\"S\",\"tipo_sensor\":\"gps\",\"event_data\":{\"x\":");
    for (int i = 1; i < depth; i++)
        members[at++] = '[';
    members[at++] = '1';
    for (int i = 1; i < depth; i++)
        members[at++] = ']';
    (void)snprintf(members + at, sizeof members - (size_t)at, "}" NUMBERED "%d", depth);
    insert(side, "sensor_event", members);
}

static void record_as_deep_as_the_decoder_follows_a_copy_is_copied(void **state) {
    Fixture *fixture = *state;
    insert_deep(&fixture->from, 10);
    assert_int_equal(copy_all(fixture, 1000).n_taken, 1);
    assert_same_rows(fixture);
    insert_deep(&fixture->from, 11);
    Page page = copy(fixture, "sensor_event", 1, 1000);
    assert_int_equal(page.n_passed_over, 1);
    assert_int_equal(page.last_id, 2);
    assert_true(page.is_done);
}

static void page_ends_at_its_limit_and_says_whether_there_is_more(void **state) {
    Fixture *fixture = *state;
    test_store_events(fixture->from.file, fixture->from.writer, 1, 4);
    Page page = copy(fixture, "sensor_event", 0, 3);
    assert_int_equal(page.last_id, 3);
    assert_false(page.is_done);
    page = copy(fixture, "sensor_event", 0, 4);
    assert_int_equal(page.last_id, 4);
    assert_true(page.is_done);
    page = copy(fixture, "sensor_event", 4, 4);
    assert_int_equal(page.last_id, 4);
    assert_true(page.is_done);
    assert_int_equal(page.records.size, 2);
}

/* --- refusals --- */

static void table_that_is_none_is_refused(void **state) {
    Fixture *fixture = *state;
    static const char *const requests[] = {"{\"command\":\"COPY_RECORDS\",\"table\":\"totals\"}",
                                           "{\"command\":\"COPY_RECORDS\"}"};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        Query asked = decode_query(fixture, requests[i], strlen(requests[i]));
        QueryJob *job = NULL;
        assert_int_equal(query_begin(fixture->from.reader, &asked, PRODUCER, &job, &fixture->problem),
                         -EINVAL);
        assert_non_null(strstr(fixture->problem.text, "sensor_event"));
    }
}

static bool nothing_of_d4(const Message *record, void *userdata, Problem *problem) {
    (void)userdata;
    if (record->tag != MESSAGE_SENSOR_EVENT_RECORD ||
        strcmp(record->SENSOR_EVENT_RECORD.intersection, "INT-D4") != 0)
        return true;
    problem_set(problem, -EBADMSG, "not D4");
    return false;
}

static void what_is_no_record_is_refused_and_the_others_are_taken(void **state) {
    Fixture *fixture = *state;
    static const char records[] =
        "[ {\"type\":\"semaphore_state\",\"data\":{" AT_A1 ",\"state_ns\":\"RED\",\"state_ew\":\"RED\"}} , 5,"
        "{\"type\":\"zz\",\"data\":{}},\"],\", [], "
        "{\"type\":\"sensor_event\",\"data\":{\"sensor_id\":\"S\",\"tipo_sensor\":"
        "\"gps\",\"interseccion\":\"INT-D4\",\"timestamp\":\"2026-11-20T12:00:00Z\"}}, "
        "{\"type\":\"sensor_event\",\"data\":{"
        "\"sensor_id\":\"S\",\"tipo_sensor\":\"gps\"," AT_A1 "}}]";
    RefillSpec spec = {.records = {records, sizeof records - 1}, .arrival = NOON, .may_take = nothing_of_d4};
    RefillCounts counts = {0};
    assert_int_equal(
        refill_take(fixture->to.writer, fixture->to.file->decoder, &spec, &counts, &fixture->problem), 0);
    assert_int_equal(counts.n_taken, 2);
    assert_int_equal(counts.n_refused, 5);
    assert_true(fixture->problem.text[0] != '\0');
    assert_int_equal(test_integer(fixture->to.db, "SELECT count(*) FROM sensor_events"), 1);
}

static void what_is_no_array_is_refused(void **state) {
    Fixture *fixture = *state;
    static const char *const texts[] = {"{}", ""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        RefillSpec spec = {.records = {texts[i], strlen(texts[i])}, .arrival = NOON, .may_take = everything};
        RefillCounts counts;
        assert_int_equal(
            refill_take(fixture->to.writer, fixture->to.file->decoder, &spec, &counts, &fixture->problem),
            -EINVAL);
        assert_non_null(strstr(fixture->problem.text, "array"));
    }
}

#define REFILL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        REFILL_TEST(new_file_wants_a_refill_until_the_last_page),
        REFILL_TEST(wanting_ends_with_the_commit_not_before),
        REFILL_TEST(records_that_come_meanwhile_do_not_end_it),
        REFILL_TEST(copy_is_the_same_whatever_the_size_of_its_pages),
        REFILL_TEST(copy_that_begins_again_takes_nothing_twice),
        REFILL_TEST(what_came_over_its_link_already_is_a_repeat),
        REFILL_TEST(copy_back_into_its_origin_gives_nothing_new),
        REFILL_TEST(rows_without_identity_get_one_that_no_other_file_gives),
        REFILL_TEST(copied_events_leave_the_set_as_they_came),
        REFILL_TEST(page_has_at_most_so_many_bytes),
        REFILL_TEST(record_larger_than_a_page_travels_alone),
        REFILL_TEST(record_that_no_frame_can_carry_on_is_passed_over_and_counted),
        REFILL_TEST(record_as_deep_as_the_decoder_follows_a_copy_is_copied),
        REFILL_TEST(page_ends_at_its_limit_and_says_whether_there_is_more),
        REFILL_TEST(table_that_is_none_is_refused),
        REFILL_TEST(what_is_no_record_is_refused_and_the_others_are_taken),
        REFILL_TEST(what_is_no_array_is_refused),
    };
    return cmocka_run_group_tests_name("store: refill", tests, NULL, NULL);
}
