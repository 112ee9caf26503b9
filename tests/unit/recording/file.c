/* Recordings as files: streamed, plain or compressed, good or damaged. */
#include "recording-test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER                                                                                               \
    "{\"format\":\"traffic-recording\",\"version\":1,\"origin\":\"test\",\"duration\":60,\"counts\":{"       \
    "\"gps\":2}}\n"
#define GPS(t)                                                                                               \
    "{\"t\":" #t ",\"topic\":\"gps\",\"event\":{\"sensor_id\":\"GPS-A1\",\"tipo_sensor\":\"gps\","           \
    "\"interseccion\":\"INT-A1\","                                                                           \
    "\"velocidad_promedio\":31.5}}"

static RecordingReader *opened(const char *path) {
    RecordingReader *reader = NULL;
    Problem problem = {.text = ""};
    int r = recording_reader_open(path, &reader, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(r, 0);
    return reader;
}

static int next(RecordingReader *reader, RecordedEvent *ret, Problem *problem) {
    Refusal refusal;
    problem->text[0] = '\0';
    return recording_reader_next(reader, ret, &refusal, problem);
}

static void assert_opening_fails(const char *path, int error, const char *why) {
    RecordingReader *reader = NULL;
    Problem problem;
    assert_int_equal(recording_reader_open(path, &reader, &problem), error);
    assert_null(reader);
    if (!strstr(problem.text, why))
        fail_msg("expected \"%s\" in: %s", why, problem.text);
}

/* A writer's file with `n` GPS events, one each second. */
static const char *written(const char *name, int n) {
    RecordingHeader header = {
        .origin = "test", .duration_usec = 3600 * USEC_PER_SEC, .counts = {[SENSOR_GPS] = (uint64_t)n}};
    RecordingWriter *writer;
    Problem problem = {.text = ""};
    const char *path = test_path(name);
    assert_int_equal(recording_writer_open(path, &header, &writer, &problem), 0);
    for (int i = 0; i < n; i++) {
        RecordedEvent event = {
            .offset_usec = (uint64_t)i * USEC_PER_SEC, .kind = SENSOR_GPS, .message.tag = MESSAGE_GPS_EVENT};
        event_set_place(&event.message, "GPS-A1", "INT-A1");
        event.message.GPS_EVENT.speed_kmh = i % 50;
        message_mark(&event.message.GPS_EVENT, GpsEvent, speed_kmh);
        assert_int_equal(recording_writer_add(writer, &event, &problem), 0);
    }
    assert_int_equal(recording_writer_finish(writer, &problem), 0);
    recording_writer_free(writer);
    return path;
}

static void plain_files_are_read_with_line_numbers(void **state) {
    (void)state;
    RecordingReader *reader = opened(test_text("plain.jsonl", HEADER GPS(1) "\n" GPS(2) "\n"));
    RecordedEvent event;
    Problem problem;
    assert_string_equal(recording_reader_header(reader)->origin, "test");
    assert_int_equal(recording_reader_line(reader), 1);
    assert_int_equal(next(reader, &event, &problem), 1);
    assert_int_equal(recording_reader_line(reader), 2);
    assert_int_equal(next(reader, &event, &problem), 1);
    assert_int_equal(event.offset_usec, 2 * USEC_PER_SEC);
    assert_int_equal(next(reader, &event, &problem), 0);
    assert_int_equal(recording_reader_line(reader), 3);
    recording_reader_free(reader);
}

static void a_last_line_without_a_line_feed_counts(void **state) {
    (void)state;
    RecordingReader *reader = opened(test_text("last.jsonl", HEADER GPS(1)));
    RecordedEvent event;
    Problem problem;
    assert_int_equal(next(reader, &event, &problem), 1);
    assert_int_equal(next(reader, &event, &problem), 0);
    recording_reader_free(reader);
}

static void a_bad_line_costs_only_itself(void **state) {
    (void)state;
    static const char *const bad[] = {"", "nonsense", "{\"t\":3}", GPS(0.5), GPS(60.001)};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[2048];
        RecordedEvent event;
        Problem problem;
        snprintf(text, sizeof text, HEADER GPS(1) "\n%s\n" GPS(60) "\n", bad[i]);
        RecordingReader *reader = opened(test_text("bad.jsonl", text));
        assert_int_equal(next(reader, &event, &problem), 1);
        assert_int_equal(next(reader, &event, &problem), -EBADMSG);
        assert_int_equal(recording_reader_line(reader), 3);
        assert_true(problem.text[0] != '\0');
        assert_int_equal(next(reader, &event, &problem), 1);
        assert_int_equal(recording_reader_line(reader), 4);
        assert_int_equal(next(reader, &event, &problem), 0);
        recording_reader_free(reader);
    }
}

static void an_overlong_line_or_a_nul_costs_only_its_line(void **state) {
    (void)state;
    static char text[RECORDING_LINE_MAX_BYTES + 4096];
    RecordedEvent event;
    Problem problem;
    size_t used = (size_t)snprintf(text, sizeof text, HEADER);
    memset(text + used, 'x', RECORDING_LINE_MAX_BYTES + 1);
    used += RECORDING_LINE_MAX_BYTES + 1;
    used += (size_t)snprintf(text + used, sizeof text - used, "\n%s\n", GPS(1));
    size_t nul = used + 5;
    used += (size_t)snprintf(text + used, sizeof text - used, "%s\n%s\n", GPS(2), GPS(3));
    text[nul] = '\0';
    RecordingReader *reader = opened(test_file("long.jsonl", text, used));
    assert_int_equal(next(reader, &event, &problem), -EBADMSG);
    assert_non_null(strstr(problem.text, "expected a line of at most 16384 bytes, got 16385"));
    assert_int_equal(next(reader, &event, &problem), 1);
    assert_int_equal(event.offset_usec, 1 * USEC_PER_SEC);
    assert_int_equal(next(reader, &event, &problem), -EBADMSG);
    assert_int_equal(next(reader, &event, &problem), 1);
    assert_int_equal(event.offset_usec, 3 * USEC_PER_SEC);
    assert_int_equal(next(reader, &event, &problem), 0);
    recording_reader_free(reader);
}

static void what_is_no_recording_is_refused_when_opened(void **state) {
    (void)state;
    assert_opening_fails(test_path("absent.jsonl"), -ENOENT, "No such file");
    assert_opening_fails(test_text("empty.jsonl", ""), -EBADMSG, "the file is empty");
    assert_opening_fails(test_text("other.jsonl", GPS(1) "\n"), -EBADMSG,
                         "expected the header of a recording");
}

static void compressed_files_are_written_and_read_as_well(void **state) {
    (void)state;
    const char *path = written("some.jsonl.gz", 500);
    size_t size;
    char *bytes = read_whole(path, &size);
    assert_int_equal((unsigned char)bytes[0], 0x1f); /* gzip's mark */
    assert_memory_equal(bytes + 4, "\0\0\0\0", 4);   /* and no time of making */
    free(bytes);
    RecordingReader *reader = opened(path);
    RecordedEvent event;
    Problem problem;
    int n = 0;
    for (int r; (r = next(reader, &event, &problem)) != 0; n++)
        assert_int_equal(r, 1);
    assert_int_equal(n, 500);
    recording_reader_free(reader);
}

static void the_same_events_give_the_same_bytes(void **state) {
    (void)state;
    size_t first_size, second_size;
    char *first = read_whole(written("first.jsonl.gz", 500), &first_size);
    char *second = read_whole(written("second.jsonl.gz", 500), &second_size);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    free(first);
    free(second);
}

static void a_cut_off_compressed_file_ends_with_an_error(void **state) {
    (void)state;
    size_t size;
    char *bytes = read_whole(written("whole.jsonl.gz", 3600), &size);
    RecordingReader *reader = opened(test_file("cut.jsonl.gz", bytes, size / 2));
    RecordedEvent event;
    Problem problem;
    int r, n = 0;
    while ((r = next(reader, &event, &problem)) == 1)
        n++;
    assert_int_equal(r, -EIO);
    assert_in_range(n, 1, 3599);
    assert_non_null(strstr(problem.text, "cannot be read beyond line"));
    recording_reader_free(reader);
    free(bytes);
}

static void rewinding_starts_again_behind_the_header(void **state) {
    (void)state;
    static const char *const names[] = {"again.jsonl", "again.jsonl.gz"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        RecordingReader *reader = opened(written(names[i], 100));
        RecordedEvent event;
        Problem problem;
        for (int turn = 0; turn < 3; turn++) {
            for (int n = 0; n < 100; n++) {
                assert_int_equal(next(reader, &event, &problem), 1);
                assert_int_equal(event.offset_usec, (uint64_t)n * USEC_PER_SEC);
            }
            assert_int_equal(next(reader, &event, &problem), 0);
            assert_int_equal(recording_reader_rewind(reader, &problem), 0);
        }
        recording_reader_free(reader);
    }
}

static void an_unfinished_file_leaves_nothing_behind(void **state) {
    (void)state;
    RecordingHeader header = {.origin = "test", .duration_usec = 1};
    RecordingWriter *writer;
    Problem problem;
    assert_int_equal(recording_writer_open(test_path("unfinished.jsonl"), &header, &writer, &problem), 0);
    assert_int_equal(access(test_path("unfinished.jsonl.partial"), F_OK), 0);
    assert_int_not_equal(access(test_path("unfinished.jsonl"), F_OK), 0);
    recording_writer_free(writer);
    assert_int_not_equal(access(test_path("unfinished.jsonl.partial"), F_OK), 0);
    assert_int_not_equal(access(test_path("unfinished.jsonl"), F_OK), 0);
}

static void an_event_no_reader_would_take_is_not_written(void **state) {
    (void)state;
    RecordingHeader header = {.origin = "test", .duration_usec = 1};
    RecordingWriter *writer;
    RecordedEvent event = {.kind = SENSOR_GPS, .message.tag = MESSAGE_GPS_EVENT};
    Problem problem;
    event_set_place(&event.message, "GPS-A1", "INT-A1");
    event.message.GPS_EVENT.speed_kmh = 301;
    message_mark(&event.message.GPS_EVENT, GpsEvent, speed_kmh);
    assert_int_equal(recording_writer_open(test_path("bad-event.jsonl"), &header, &writer, &problem), 0);
    assert_int_equal(recording_writer_add(writer, &event, &problem), -EINVAL);
    assert_non_null(strstr(problem.text, "velocidad_promedio"));
    recording_writer_free(writer);
}

static void a_directory_that_cannot_be_written_is_named(void **state) {
    (void)state;
    RecordingHeader header = {.origin = "test", .duration_usec = 1};
    RecordingWriter *writer = NULL;
    Problem problem;
    assert_int_equal(recording_writer_open(test_path("absent/file.jsonl"), &header, &writer, &problem),
                     -ENOENT);
    assert_null(writer);
    assert_non_null(strstr(problem.text, "absent/file.jsonl"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files_are_read_with_line_numbers),
        cmocka_unit_test(a_last_line_without_a_line_feed_counts),
        cmocka_unit_test(a_bad_line_costs_only_itself),
        cmocka_unit_test(an_overlong_line_or_a_nul_costs_only_its_line),
        cmocka_unit_test(what_is_no_recording_is_refused_when_opened),
        cmocka_unit_test(compressed_files_are_written_and_read_as_well),
        cmocka_unit_test(the_same_events_give_the_same_bytes),
        cmocka_unit_test(a_cut_off_compressed_file_ends_with_an_error),
        cmocka_unit_test(rewinding_starts_again_behind_the_header),
        cmocka_unit_test(an_unfinished_file_leaves_nothing_behind),
        cmocka_unit_test(an_event_no_reader_would_take_is_not_written),
        cmocka_unit_test(a_directory_that_cannot_be_written_is_named),
    };
    return cmocka_run_group_tests(tests, make_test_directory, remove_test_directory);
}
