/* Lines of a recording: what is taken, what is refused and why, and that what is written reads back. */
#include "recording-test.h"

#include "wire/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static RecordingParser *parser;

static int make_parser(void **state) {
    (void)state;
    return recording_parser_new(&parser);
}

static int free_parser(void **state) {
    (void)state;
    parser = recording_parser_free(parser);
    return 0;
}

static RecordedEvent taken(const char *line) {
    RecordedEvent event;
    Refusal refusal;
    Problem problem = {.text = ""};
    int r = recording_parse_event(parser, line, strlen(line), &event, &refusal, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(r, 0);
    return event;
}

static void assert_refused(const char *line, Refusal refusal, const char *why) {
    RecordedEvent event = {.offset_usec = 4711};
    Refusal got;
    Problem problem;
    assert_int_equal(recording_parse_event(parser, line, strlen(line), &event, &got, &problem), -EBADMSG);
    assert_string_equal(refusal_words[got], refusal_words[refusal]);
    assert_int_equal(event.offset_usec, 4711);
    if (!strstr(problem.text, why))
        fail_msg("expected \"%s\" in: %s", why, problem.text);
}

static void assert_header_refused(const char *line, const char *why) {
    RecordingHeader header;
    Problem problem;
    assert_int_equal(recording_parse_header(parser, line, strlen(line), &header, &problem), -EBADMSG);
    if (!strstr(problem.text, why))
        fail_msg("expected \"%s\" in: %s", why, problem.text);
}

#define LOOP                                                                                                 \
    "{\"sensor_id\":\"ESP-A1-NS\",\"tipo_sensor\":\"espira_inductiva\",\"interseccion\":\"INT-A1\","         \
    "\"vehiculos_contados\":4,\"intervalo_segundos\":30}"
#define CAMERA                                                                                               \
    "{\"sensor_id\":\"CAM-A1-NS\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\",\"volumen\":3}"

static void an_event_has_its_offset_and_no_time(void **state) {
    (void)state;
    RecordedEvent event = taken("{\"t\":12.5,\"topic\":\"espira\",\"event\":" LOOP "}");
    assert_int_equal(event.offset_usec, 12500000);
    assert_int_equal(event.kind, SENSOR_INDUCTIVE);
    const LoopEvent *loop = &event.message.LOOP_EVENT;
    assert_true(loop->vehicles == 4);
    assert_false(message_has(loop, LoopEvent, timestamp) || message_has(loop, LoopEvent, started) ||
                 message_has(loop, LoopEvent, ended) || message_has(loop, LoopEvent, captured_usec));
    event = taken("{\"t\":0,\"topic\":\"camara\",\"event\":" CAMERA "}");
    assert_int_equal(event.offset_usec, 0);
    assert_false(message_has(&event.message.CAMERA_EVENT, CameraEvent, timestamp));
}

static void members_of_a_line_are_needed_and_of_their_type(void **state) {
    (void)state;
    assert_refused("{\"topic\":\"camara\",\"event\":" CAMERA "}", REFUSAL_MISSING_FIELD, "\"t\" is missing");
    assert_refused("{\"t\":1,\"event\":" CAMERA "}", REFUSAL_MISSING_FIELD, "\"topic\" is missing");
    assert_refused("{\"t\":1,\"topic\":\"camara\"}", REFUSAL_MISSING_FIELD, "\"event\" is missing");
    assert_refused("{\"t\":\"1\",\"topic\":\"camara\",\"event\":" CAMERA "}", REFUSAL_WRONG_TYPE,
                   "\"t\": expected a number");
    assert_refused("{\"t\":1,\"topic\":7,\"event\":" CAMERA "}", REFUSAL_WRONG_TYPE,
                   "\"topic\": expected string");
    assert_refused("{\"t\":1,\"topic\":\"camara\",\"event\":[]}", REFUSAL_WRONG_TYPE,
                   "\"event\": expected object");
}

static void an_offset_is_from_zero_to_a_hundred_years(void **state) {
    (void)state;
    assert_refused("{\"t\":-0.001,\"topic\":\"camara\",\"event\":" CAMERA "}", REFUSAL_OUT_OF_RANGE,
                   "\"t\": expected 0 to");
    assert_refused("{\"t\":3162240001,\"topic\":\"camara\",\"event\":" CAMERA "}", REFUSAL_OUT_OF_RANGE,
                   "\"t\": expected 0 to");
    assert_refused("{\"t\":1e400,\"topic\":\"camara\",\"event\":" CAMERA "}", REFUSAL_OUT_OF_RANGE,
                   "\"t\": expected 0 to");
    taken("{\"t\":3162240000,\"topic\":\"camara\",\"event\":" CAMERA "}");
}

static void times_and_identity_do_not_belong_into_a_recording(void **state) {
    (void)state;
    static const char *const members[] = {"\"timestamp\":\"2026-02-09T15:10:00Z\"",
                                          "\"timestamp_fin\":null",
                                          "\"timestamp_inicio\":1",
                                          "\"producer_id\":\"x\"",
                                          "\"epoch\":1",
                                          "\"seq\":1",
                                          "\"captured_us\":1"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        char line[512];
        snprintf(line, sizeof line, "{\"t\":1,\"topic\":\"camara\",\"event\":{%s,%s}", members[i],
                 &CAMERA[1]);
        assert_refused(line, REFUSAL_WRONG_TYPE, "the replay adds times and identity");
    }
}

static void an_event_must_be_one_of_the_wire(void **state) {
    (void)state;
    assert_refused("{\"t\":1,\"topic\":\"radar\",\"event\":" CAMERA "}", REFUSAL_UNKNOWN_TYPE, "radar");
    assert_refused("{\"t\":1,\"topic\":\"camara\",\"event\":{}}", REFUSAL_MISSING_FIELD, "sensor_id");
    assert_refused("{\"t\":1,\"topic\":\"espira\",\"event\":" CAMERA "}", REFUSAL_OUT_OF_RANGE,
                   "tipo_sensor");
}

static void a_line_is_one_whole_json_object(void **state) {
    (void)state;
    static const char *const lines[] = {"", "[]", "7", "{", "{\"t\":1", "{} {}", "nonsense", "{\"t\":\xff}"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_refused(lines[i], REFUSAL_NOT_JSON, "expected");
    /* the parser is as good as new afterwards */
    taken("{\"t\":1,\"topic\":\"camara\",\"event\":" CAMERA "}");
}

static void what_is_written_reads_back_the_same(void **state) {
    (void)state;
    static const char *const lines[] = {
        "{\"t\":12.000,\"topic\":\"camara\",\"event\":" CAMERA "}\n",
        "{\"t\":12.345,\"topic\":\"espira\",\"event\":" LOOP "}\n",
        "{\"t\":0.000001,\"topic\":\"gps\",\"event\":{\"sensor_id\":\"GPS-A1\",\"tipo_sensor\":\"gps\","
        "\"interseccion\":\"INT-A1\","
        "\"nivel_congestion\":\"NORMAL\",\"velocidad_promedio\":31.5}}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char line[512], text[512];
        Problem problem;
        size_t length = strlen(lines[i]) - 1; /* without the line feed */
        memcpy(text, lines[i], length);
        text[length] = '\0';
        RecordedEvent event = taken(text);
        int size = recording_format_event(&event, line, sizeof line, &problem);
        assert_string_equal(line, lines[i]);
        assert_int_equal(size, strlen(lines[i]));
    }
}

static void a_line_that_does_not_fit_is_not_written(void **state) {
    (void)state;
    char line[512], small[64];
    Problem problem;
    RecordedEvent event = taken("{\"t\":1,\"topic\":\"camara\",\"event\":" CAMERA "}");
    int size = recording_format_event(&event, line, sizeof line, &problem);
    char *exact = test_malloc((size_t)size + 1);
    assert_int_equal(recording_format_event(&event, exact, (size_t)size + 1, &problem), size);
    assert_int_equal(recording_format_event(&event, exact, (size_t)size, &problem), -ENOBUFS);
    test_free(exact);
    assert_int_equal(recording_format_event(&event, small, sizeof small, &problem), -ENOBUFS);
}

static void a_header_reads_back_the_same(void **state) {
    (void)state;
    RecordingHeader header = {.origin = "a \"test\"",
                              .duration_usec = 3600500000,
                              .has_seed = true,
                              .seed = -3,
                              .has_recorded_from = true,
                              .counts = {1, 2, 3}};
    RecordingHeader back;
    Problem problem;
    char line[1024];
    assert_int_equal(timestamp_parse("2012-10-02T09:00:00Z", 20, &header.recorded_from), 0);
    int size = recording_format_header(&header, line, sizeof line);
    assert_true(size > 0);
    assert_int_equal(recording_parse_header(parser, line, (size_t)size - 1, &back, &problem), 0);
    assert_string_equal(back.origin, header.origin);
    assert_int_equal(back.duration_usec, header.duration_usec);
    assert_int_equal(back.seed, -3);
    assert_int_equal(back.recorded_from.usec, header.recorded_from.usec);
    assert_memory_equal(back.counts, header.counts, sizeof header.counts);
}

#define HEAD "\"format\":\"traffic-recording\",\"version\":1,\"origin\":\"x\",\"duration\":1,"

static void a_header_without_its_members_is_refused(void **state) {
    (void)state;
    RecordingHeader header;
    Problem problem;
    const char *least = "{" HEAD "\"counts\":{}}";
    assert_int_equal(recording_parse_header(parser, least, strlen(least), &header, &problem), 0);
    assert_false(header.has_seed || header.has_recorded_from);
    assert_header_refused("{}", "\"format\" is missing");
    assert_header_refused("{" HEAD "\"x\":1}", "\"counts\" is missing");
    assert_header_refused("{\"format\":\"mp3\",\"version\":1,\"origin\":\"x\",\"duration\":1,\"counts\":{}}",
                          "got \"mp3\"");
    assert_header_refused(
        "{\"format\":\"traffic-recording\",\"version\":2,\"origin\":\"x\",\"duration\":1,\"counts\":{}}",
        "the recording is of version 2");
    assert_header_refused(
        "{\"format\":\"traffic-recording\",\"version\":1,\"origin\":\"x\",\"duration\":-1,\"counts\":{}}",
        "\"duration\": expected");
    assert_header_refused("{" HEAD "\"counts\":{\"gps\":-1}}", "whole number of gps events");
    assert_header_refused("{" HEAD "\"counts\":{},\"seed\":\"a\"}", "\"seed\": expected int");
    assert_header_refused("{" HEAD "\"counts\":{},\"recorded_from\":\"2012\"}", "YYYY-MM-DDTHH:MM:SSZ");
    assert_header_refused("{" HEAD "\"counts\":{},\"recorded_from\":null}", "YYYY-MM-DDTHH:MM:SSZ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_offset_and_no_time),
        cmocka_unit_test(members_of_a_line_are_needed_and_of_their_type),
        cmocka_unit_test(an_offset_is_from_zero_to_a_hundred_years),
        cmocka_unit_test(times_and_identity_do_not_belong_into_a_recording),
        cmocka_unit_test(an_event_must_be_one_of_the_wire),
        cmocka_unit_test(a_line_is_one_whole_json_object),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(a_line_that_does_not_fit_is_not_written),
        cmocka_unit_test(a_header_reads_back_the_same),
        cmocka_unit_test(a_header_without_its_members_is_refused),
    };
    return cmocka_run_group_tests(tests, make_parser, free_parser);
}
