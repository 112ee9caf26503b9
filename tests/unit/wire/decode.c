/* The decoder: what it takes, what it refuses and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/endpoints.h"
#include "wire/messages.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHEN      "\"timestamp\":\"2026-03-01T10:00:00Z\""
#define WHEN_USEC (UINT64_C(1772359200) * USEC_PER_SEC)

static Decoder *decoder;

static int open_decoder(void **state) {
    (void)state;
    return decoder_new(&decoder);
}

static int close_decoder(void **state) {
    (void)state;
    decoder = decoder_free(decoder);
    return 0;
}

static Message taken(MessageFamily family, const char *frame) {
    Message message;
    Refusal refusal;
    Problem problem = {{0}};
    if (message_decode(decoder, family, frame, strlen(frame), &message, &refusal, &problem) < 0)
        fail_msg("%s: refused: %s: %s", frame, refusal_words[refusal], problem.text);
    return message;
}

static Problem refused_bytes(MessageFamily family, const void *frame, size_t size, Refusal expected) {
    Message message, before;
    Refusal refusal = REFUSAL_STALE;
    Problem problem = {{0}};
    memset(&message, 0x5A, sizeof message);
    memset(&before, 0x5A, sizeof before);
    int r = message_decode(decoder, family, frame, size, &message, &refusal, &problem);
    if (r != -EBADMSG || refusal != expected)
        fail_msg("%.*s: expected %s, got %d %s: %s", (int)(size < 200 ? size : 200), (const char *)frame,
                 refusal_words[expected], r, refusal_words[refusal], problem.text);
    assert_memory_equal(&message, &before, sizeof before);
    assert_int_not_equal(*problem.text, '\0');
    return problem;
}

static Problem refused(MessageFamily family, const char *frame, Refusal expected) {
    return refused_bytes(family, frame, strlen(frame), expected);
}

/* --- what is taken --- */

static void camera_event_of_the_first_implementation_is_taken(void **state) {
    (void)state;
    Message m =
        taken(MESSAGE_FAMILY_EVENT,
              "camara {\"sensor_id\": \"CAM-A1\", \"tipo_sensor\": \"camara\", \"interseccion\": \"INT-A1\", "
              "\"volumen\": 12, \"velocidad_promedio\": 14.5, " WHEN "}");
    assert_int_equal(m.tag, MESSAGE_CAMERA_EVENT);
    assert_string_equal(m.CAMERA_EVENT.sensor_id, "CAM-A1");
    assert_string_equal(m.CAMERA_EVENT.intersection, "INT-A1");
    assert_true(m.CAMERA_EVENT.queue_vehicles == 12);
    assert_true(m.CAMERA_EVENT.speed_kmh == 14.5);
    assert_int_equal(m.CAMERA_EVENT.timestamp.usec, WHEN_USEC);
    assert_true(message_has(&m.CAMERA_EVENT, CameraEvent, queue_vehicles));
    assert_false(message_has(&m.CAMERA_EVENT, CameraEvent, sequence));
}

static void loop_and_gps_events_of_the_first_implementation_are_taken(void **state) {
    (void)state;
    Message loop = taken(
        MESSAGE_FAMILY_EVENT,
        "espira {\"sensor_id\":\"ESP-B2\",\"tipo_sensor\":\"espira_inductiva\",\"interseccion\":\"INT-B2\","
        "\"vehiculos_contados\":30,\"intervalo_segundos\":30,\"timestamp_inicio\":"
        "\"2026-03-01T09:59:30Z\",\"timestamp_fin\":\"2026-03-01T10:00:00Z\"}");
    assert_int_equal(loop.tag, MESSAGE_LOOP_EVENT);
    assert_true(loop.LOOP_EVENT.vehicles == 30);
    assert_int_equal(loop.LOOP_EVENT.ended.usec, WHEN_USEC);
    assert_false(message_has(&loop.LOOP_EVENT, LoopEvent, timestamp));

    Message gps = taken(MESSAGE_FAMILY_EVENT,
                        "gps {\"sensor_id\":\"GPS-C3\",\"tipo_sensor\":\"gps\",\"interseccion\":"
                        "\"INT-C3\",\"nivel_congestion\":\"ALTA\",\"velocidad_promedio\":9," WHEN "}");
    assert_int_equal(gps.tag, MESSAGE_GPS_EVENT);
    assert_int_equal(gps.GPS_EVENT.level, LEVEL_HIGH);
}

static void views_and_passages_are_taken(void **state) {
    (void)state;
    Message view =
        taken(MESSAGE_FAMILY_EVENT,
              "vista {\"sensor_id\":\"CAM-B2-NS\",\"tipo_sensor\":\"camara_vista\",\"interseccion\":"
              "\"INT-B2\",\"vehiculos_en_vista\":3,\"vehiculos\":[[4.5,0],[12,13.5]]," WHEN "}");
    assert_int_equal(view.tag, MESSAGE_VIEW_EVENT);
    assert_int_equal(view.VIEW_EVENT.vehicles, 3);
    assert_string_equal(view.VIEW_EVENT.placed.text, "[[4.5,0],[12,13.5]]");

    Message passage =
        taken(MESSAGE_FAMILY_EVENT,
              "paso {\"sensor_id\":\"ESP-B2-NS\",\"tipo_sensor\":\"espira_paso\",\"interseccion\":"
              "\"INT-B2\",\"velocidad\":48.5,\"captured_us\":1772359200250000," WHEN "}");
    assert_int_equal(passage.tag, MESSAGE_PASSAGE_EVENT);
    assert_true(passage.PASSAGE_EVENT.speed_kmh == 48.5);
    assert_int_equal(passage.PASSAGE_EVENT.captured_usec, 1772359200250000);
}

static void a_view_counts_up_to_a_thousand(void **state) {
    (void)state;
    char frame[300];
    static const char *const good[] = {"0", "1000", "3.0"}, *const bad[] = {"-1", "1001", "1.5"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        snprintf(frame, sizeof frame,
                 "vista {\"sensor_id\":\"S\",\"tipo_sensor\":\"camara_vista\",\"interseccion\":\"I\","
                 "\"vehiculos_en_vista\":%s," WHEN "}",
                 good[i]);
        taken(MESSAGE_FAMILY_EVENT, frame);
        snprintf(frame, sizeof frame,
                 "vista {\"sensor_id\":\"S\",\"tipo_sensor\":\"camara_vista\",\"interseccion\":\"I\","
                 "\"vehiculos_en_vista\":%s," WHEN "}",
                 bad[i]);
        refused(MESSAGE_FAMILY_EVENT, frame, REFUSAL_OUT_OF_RANGE);
    }
}

static void identity_may_be_text_or_an_integer(void **state) {
    (void)state;
    Message m = taken(MESSAGE_FAMILY_EVENT,
                      "gps "
                      "{\"sensor_id\":\"G\",\"tipo_sensor\":\"gps\",\"interseccion\":\"INT-C3\",\"velocidad_"
                      "promedio\":9," WHEN
                      ",\"producer_id\":1234567890123456789,\"epoch\":3.0,\"seq\":9223372036854775807}");
    assert_string_equal(m.GPS_EVENT.producer, "1234567890123456789");
    assert_int_equal(m.GPS_EVENT.epoch, 3);
    assert_int_equal(m.GPS_EVENT.sequence, INT64_MAX);
}

static void query_with_every_unused_member_null_is_taken(void **state) {
    (void)state;
    Message m =
        taken(MESSAGE_FAMILY_QUERY,
              "{\"command\":\"FORCE_GREEN_WAVE\",\"interseccion\":null,\"timestamp_inicio\":null,\"timestamp_"
              "fin\":null,"
              "\"row\":\"B\",\"column\":2,\"new_state\":null,\"reason\":\"\",\"timestamp\":1772359200}");
    assert_string_equal(m.QUERY.command, "FORCE_GREEN_WAVE");
    assert_string_equal(m.QUERY.row, "B");
    assert_int_equal(m.QUERY.column, 2);
    assert_string_equal(m.QUERY.timestamp, "1772359200");
    assert_false(message_has(&m.QUERY, Query, intersection));
    assert_false(message_has(&m.QUERY, Query, reason));
}

static void absent_members_are_zero_whatever_the_decoder_held_before(void **state) {
    (void)state;
    taken(MESSAGE_FAMILY_QUERY, "{\"command\":\"QUERY_HISTORY\",\"interseccion\":\"INT-A1\",\"limit\":7}");
    Message m = taken(MESSAGE_FAMILY_QUERY, "{\"command\":\"HEALTH_CHECK\"}");
    assert_string_equal(m.QUERY.intersection, "");
    assert_int_equal(m.QUERY.limit, 0);
}

static void unknown_members_are_ignored(void **state) {
    (void)state;
    taken(MESSAGE_FAMILY_COMMAND,
          "{\"interseccion\":\"INT-A1\",\"new_state\":\"RED\",\"x\":{\"interseccion\":[1,null,true]}}");
}

static void blanks_around_and_inside_are_json(void **state) {
    (void)state;
    taken(MESSAGE_FAMILY_COMMAND, " \t\r\n{ \"interseccion\" : \"INT-A1\" ,\n\"new_state\":\"RED\" } \n");
}

static void escaped_names_and_values_are_what_they_stand_for(void **state) {
    (void)state;
    Message m = taken(MESSAGE_FAMILY_COMMAND,
                      "{\"\\u0069nterseccion\":\"INT\\u002dA1\",\"new_state\":\"GREE\\u004e\","
                      "\"reason\":\"Bol\\u00edvar \\ud83d\\ude00 \\\"x\\\\\\/\"}");
    assert_string_equal(m.SIGNAL_COMMAND.intersection, "INT-A1");
    assert_int_equal(m.SIGNAL_COMMAND.new_state, COLOUR_GREEN);
    assert_string_equal(m.SIGNAL_COMMAND.reason, "Bol\xC3\xADvar \xF0\x9F\x98\x80 \"x\\/");
}

static void nested_text_is_kept_byte_for_byte(void **state) {
    (void)state;
    Message m = taken(MESSAGE_FAMILY_RECORD,
                      "{\"x\":{\"data\":1},\"data\": "
                      "{\"sensor_id\":\"C\",\"tipo_sensor\":\"gps\",\"interseccion\":\"INT-A1\","
                      "\"event\\u005fdata\" : {\"a\": 1.50,\"b\":[\"}\", \"\\u00ed\"]} ," WHEN
                      "},\"type\":\"sensor_event\"}");
    assert_int_equal(m.tag, MESSAGE_SENSOR_EVENT_RECORD);
    assert_string_equal(m.SENSOR_EVENT_RECORD.event_data.text, "{\"a\": 1.50,\"b\":[\"}\", \"\\u00ed\"]}");
    assert_int_equal(m.SENSOR_EVENT_RECORD.event_data.size, strlen(m.SENSOR_EVENT_RECORD.event_data.text));
}

static void nested_text_outlives_the_frame_it_came_in(void **state) {
    (void)state;
    char frame[] = "{\"status\":\"OK\",\"data\":[1,2,3]}";
    Message m = taken(MESSAGE_FAMILY_REPLY, frame);
    memset(frame, 'x', sizeof frame);
    assert_string_equal(m.REPLY.data.text, "[1,2,3]");
}

static void every_record_type_is_told_by_its_word(void **state) {
    (void)state;
    static const struct {
        const char *frame;
        MessageTag tag;
    } records[] = {
        {"{\"type\":\"congestion_record\",\"data\":{\"interseccion\":\"I\",\"traffic_state\":\"CONGESTION\","
         "\"decision\":"
         "\"EXTEND_GREEN\",\"sensor_data\":null," WHEN "}}",
         MESSAGE_CONGESTION_RECORD},
        {"{\"type\":\"semaphore_state\",\"data\":{\"interseccion\":\"I\",\"state_ns\":\"RED\",\"state_ew\":"
         "\"GREEN\"," WHEN "}}",
         MESSAGE_SEMAPHORE_RECORD},
        {"{\"type\":\"priority_action\",\"data\":{\"action_type\":\"GREEN_WAVE\",\"target\":\"row_B\","
         "\"affected_intersections\":[\"INT-B1\"]," WHEN "}}",
         MESSAGE_PRIORITY_RECORD},
    };
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        assert_int_equal(taken(MESSAGE_FAMILY_RECORD, records[i].frame).tag, records[i].tag);
}

/* --- what is refused --- */

static void refusal_names_the_member_what_was_expected_and_what_came(void **state) {
    (void)state;
    Problem p = refused(
        MESSAGE_FAMILY_EVENT,
        "camara "
        "{\"sensor_id\":\"C\",\"tipo_sensor\":\"camara\",\"interseccion\":\"I\",\"volumen\":\"doce\"," WHEN
        "}",
        REFUSAL_WRONG_TYPE);
    assert_string_equal(p.text,
                        "camara event: member \"volumen\": expected a number from 0 to 10000, got \"doce\"");

    p = refused(MESSAGE_FAMILY_COMMAND, "{\"interseccion\":\"INT-A1\"}", REFUSAL_MISSING_FIELD);
    assert_string_equal(p.text,
                        "signal command: member \"new_state\" is missing: expected one of RED, GREEN");

    p = refused(MESSAGE_FAMILY_COMMAND, "{\"interseccion\":\"INT-A1\",\"new_state\":\"AMBER\"}",
                REFUSAL_OUT_OF_RANGE);
    assert_string_equal(p.text,
                        "signal command: member \"new_state\": expected one of RED, GREEN, got \"AMBER\"");

    p = refused(MESSAGE_FAMILY_EVENT, "radar {}", REFUSAL_UNKNOWN_TYPE);
    assert_string_equal(p.text,
                        "event: expected one of camara, espira, gps, vista, paso, tick, got \"radar\"");
}

static void untrusted_text_is_shortened_and_made_printable(void **state) {
    (void)state;
    char frame[400] = "{\"interseccion\":\"INT-A1\",\"new_state\":\"\xE2\x80\xAE";
    memset(frame + strlen(frame), 'y', 200);
    strcat(frame, "\"}");
    Problem p = refused(MESSAGE_FAMILY_COMMAND, frame, REFUSAL_OUT_OF_RANGE);
    assert_non_null(strstr(p.text, "got \"\\xe2\\x80\\xaeyyyy"));
    assert_non_null(strstr(p.text, "yyy..."));
    assert_null(strstr(p.text, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"));
}

static void control_characters_never_get_into_a_text(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_COMMAND,
            "{\"interseccion\":\"INT-A1\",\"new_state\":\"RED\",\"reason\":\"a\\nb\"}", REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_COMMAND,
            "{\"interseccion\":\"INT-A1\",\"new_state\":\"RED\",\"reason\":\"\\u001b[2J\"}",
            REFUSAL_OUT_OF_RANGE);
}

static void null_counts_as_absent_and_so_as_missing_where_required(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_COMMAND, "{\"interseccion\":null,\"new_state\":\"RED\"}", REFUSAL_MISSING_FIELD);
    refused(MESSAGE_FAMILY_COMMAND, "{\"interseccion\":\"\",\"new_state\":\"RED\"}", REFUSAL_OUT_OF_RANGE);
}

#define SENSOR_MEMBERS(type) "\"sensor_id\":\"S\"", "\"tipo_sensor\":\"" type "\"", "\"interseccion\":\"I\""

/* Everything that is required of each message, and nothing else. */
static const struct {
    MessageFamily family;
    const char *before, *members[6], *after;
} required[] = {
    {MESSAGE_FAMILY_EVENT, "camara {", {SENSOR_MEMBERS("camara"), WHEN}, "}"},
    {MESSAGE_FAMILY_EVENT,
     "espira {",
     {SENSOR_MEMBERS("espira_inductiva"), "\"vehiculos_contados\":1", "\"intervalo_segundos\":30"},
     "}"},
    {MESSAGE_FAMILY_EVENT, "gps {", {SENSOR_MEMBERS("gps"), "\"velocidad_promedio\":9", WHEN}, "}"},
    {MESSAGE_FAMILY_EVENT,
     "vista {",
     {SENSOR_MEMBERS("camara_vista"), "\"vehiculos_en_vista\":0", WHEN},
     "}"},
    {MESSAGE_FAMILY_EVENT, "paso {", {SENSOR_MEMBERS("espira_paso"), WHEN}, "}"},
    {MESSAGE_FAMILY_EVENT, "tick {", {"\"k\":1", "\"t_us\":1000000"}, "}"},
    {MESSAGE_FAMILY_STEP, "{", {"\"report\":\"DONE\"", "\"k\":1"}, "}"},
    {MESSAGE_FAMILY_MISSED, "{", {"\"report\":\"MISSED\"", "\"epoch\":1", "\"after_seq\":0"}, "}"},
    {MESSAGE_FAMILY_COMMAND, "{", {"\"interseccion\":\"I\"", "\"new_state\":\"RED\""}, "}"},
    {MESSAGE_FAMILY_REPORT,
     "{",
     {"\"report\":\"CHANGE\"", "\"interseccion\":\"I\"", "\"state_ns\":\"RED\"", "\"state_ew\":\"RED\"",
      WHEN},
     "}"},
    {MESSAGE_FAMILY_RECORD, "{\"type\":\"sensor_event\",\"data\":{", {SENSOR_MEMBERS("gps"), WHEN}, "}}"},
    {MESSAGE_FAMILY_RECORD,
     "{\"type\":\"congestion_record\",\"data\":{",
     {"\"interseccion\":\"I\"", "\"traffic_state\":\"NORMAL\"", "\"decision\":\"NO_ACTION\"", WHEN},
     "}}"},
    {MESSAGE_FAMILY_RECORD,
     "{\"type\":\"semaphore_state\",\"data\":{",
     {"\"interseccion\":\"I\"", "\"state_ns\":\"RED\"", "\"state_ew\":\"RED\"", WHEN},
     "}}"},
    {MESSAGE_FAMILY_RECORD,
     "{\"type\":\"priority_action\",\"data\":{",
     {"\"action_type\":\"GREEN_WAVE\"", "\"target\":\"row_B\"", WHEN},
     "}}"},
    {MESSAGE_FAMILY_QUERY, "{", {"\"command\":\"HEALTH_CHECK\""}, "}"},
    {MESSAGE_FAMILY_REPLY, "{", {"\"status\":\"OK\""}, "}"},
    {MESSAGE_FAMILY_HEARTBEAT,
     "{",
     {"\"role\":\"primary\"", "\"boot_id\":\"b\"", "\"epoch\":1", "\"seq\":1"},
     "}"},
    {MESSAGE_FAMILY_ACK, "{", {"\"stream\":\"9f0c61d2a7b3e845\"", "\"position\":1", "\"epoch\":1"}, "}"},
};

static void every_member_that_is_required_is_missed(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        const char *const *members = required[i].members;
        for (size_t without = 0; without == 0 || members[without - 1]; without++) {
            char frame[400];
            int used = snprintf(frame, sizeof frame, "%s\"x\":0", required[i].before);
            for (size_t m = 0; members[m]; m++)
                if (m != without)
                    used += snprintf(frame + used, sizeof frame - (size_t)used, ",%s", members[m]);
            strcpy(frame + used, required[i].after);
            if (members[without])
                refused(required[i].family, frame, REFUSAL_MISSING_FIELD);
            else
                taken(required[i].family, frame); /* with all of them */
        }
    }
}

static void an_acknowledgement_says_how_far_and_whether_something_is_missing(void **state) {
    (void)state;
    Message m = taken(MESSAGE_FAMILY_ACK,
                      "{\"stream\":\"9f0c61d2a7b3e845\",\"position\":9223372036854775807,\"epoch\":0}");
    assert_int_equal(m.tag, MESSAGE_ACK);
    assert_string_equal(m.ACK.stream, "9f0c61d2a7b3e845");
    assert_int_equal(m.ACK.position, INT64_MAX);
    assert_int_equal(m.ACK.epoch, 0);
    assert_false(message_has(&m.ACK, Ack, asks));
    m = taken(MESSAGE_FAMILY_ACK, "{\"stream\":\"s\",\"position\":0,\"epoch\":7,\"asks\":true}");
    assert_true(message_has(&m.ACK, Ack, asks) && m.ACK.asks);
    assert_int_equal(m.ACK.position, 0);

    refused(MESSAGE_FAMILY_ACK, "{\"stream\":\"s\",\"position\":-1,\"epoch\":7}", REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_ACK, "{\"stream\":\"s\",\"position\":1,\"epoch\":-1}", REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_ACK, "{\"stream\":\"s\",\"position\":9223372036854775808,\"epoch\":7}",
            REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_ACK, "{\"stream\":\"9f0c61d2a7b3e8456\",\"position\":1,\"epoch\":7}",
            REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_ACK, "{\"stream\":7,\"position\":1,\"epoch\":7}", REFUSAL_WRONG_TYPE);
    refused(MESSAGE_FAMILY_ACK, "{\"stream\":\"s\",\"position\":1,\"epoch\":7,\"asks\":1}",
            REFUSAL_WRONG_TYPE);
}

static void values_of_the_wrong_type_are_refused(void **state) {
    (void)state;
    static const char *const members[] = {
        "\"interseccion\":5",
        "\"command\":{}",
        "\"timestamp_inicio\":5",
        "\"timestamp_inicio\":\"yesterday\"",
        "\"timestamp_inicio\":\"2026-02-30T00:00:00Z\"",
        "\"column\":\"2\"",
        "\"column\":true",
        "\"duration_override_sec\":\"30\"",
        "\"duration_override_sec\":[30]",
        "\"direction\":0",
        "\"query_id\":1.5",
        "\"query_id\":[]",
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        char frame[200];
        snprintf(frame, sizeof frame, "{%s%s}", strstr(members[i], "command") ? "" : "\"command\":\"X\",",
                 members[i]);
        refused(MESSAGE_FAMILY_QUERY, frame, REFUSAL_WRONG_TYPE);
    }
    refused(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"data\":5}", REFUSAL_WRONG_TYPE);
    refused(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"data\":\"{}\"}", REFUSAL_WRONG_TYPE);
    refused(MESSAGE_FAMILY_HEARTBEAT,
            "{\"role\":\"primary\",\"boot_id\":\"b\",\"epoch\":1,\"seq\":1,\"can_commit\":1}",
            REFUSAL_WRONG_TYPE);
}

static void numbers_are_taken_up_to_their_limits_and_not_beyond(void **state) {
    (void)state;
    static const struct {
        const char *number;
        bool fits;
    } durations[] = {{"0", true},     {"-0.0", true},  {"3600", true},   {"3600.0", true},
                     {"3.6e3", true}, {"-1", false},   {"-1e-9", false}, {"3600.001", false},
                     {"3601", false}, {"1e308", false}};
    static const struct {
        const char *number;
        bool fits;
    } columns[] = {{"0", true},        {"1000000", true}, {"1e6", true},   {"-1", false},
                   {"1000001", false}, {"1.5", false},    {"1e17", false}, {"9999999999999999999", false}};
    char frame[200];
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        snprintf(frame, sizeof frame, "{\"command\":\"X\",\"duration_override_sec\":%s}",
                 durations[i].number);
        if (durations[i].fits)
            taken(MESSAGE_FAMILY_QUERY, frame);
        else
            refused(MESSAGE_FAMILY_QUERY, frame, REFUSAL_OUT_OF_RANGE);
    }
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        snprintf(frame, sizeof frame, "{\"command\":\"X\",\"column\":%s}", columns[i].number);
        if (columns[i].fits)
            taken(MESSAGE_FAMILY_QUERY, frame);
        else
            refused(MESSAGE_FAMILY_QUERY, frame, REFUSAL_OUT_OF_RANGE);
    }
}

static void integer_above_int64_is_out_of_range_not_bent(void **state) {
    (void)state;
    static const char start[] = "{\"role\":\"primary\",\"boot_id\":\"b\",\"epoch\":1,\"seq\":";
    char frame[200];
    snprintf(frame, sizeof frame, "%s9223372036854775807}", start);
    assert_int_equal(taken(MESSAGE_FAMILY_HEARTBEAT, frame).HEARTBEAT.sequence, INT64_MAX);
    snprintf(frame, sizeof frame, "%s9223372036854775808}", start);
    refused(MESSAGE_FAMILY_HEARTBEAT, frame, REFUSAL_OUT_OF_RANGE);
    snprintf(frame, sizeof frame, "%s9223372036854775808.0}", start);
    refused(MESSAGE_FAMILY_HEARTBEAT, frame, REFUSAL_OUT_OF_RANGE);
    snprintf(frame, sizeof frame, "%s18446744073709551616}", start);
    refused(MESSAGE_FAMILY_HEARTBEAT, frame, REFUSAL_OUT_OF_RANGE);
}

static void numbers_beyond_a_double_are_refused_wherever_they_are(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"data\":[{\"x\":1e400}]}", REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"unknown\":-1e400}", REFUSAL_OUT_OF_RANGE);
    taken(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"data\":[{\"x\":1e308}]}");
}

static void text_is_taken_up_to_its_limit_in_bytes(void **state) {
    (void)state;
    char frame[200];
    snprintf(frame, sizeof frame, "{\"command\":\"X\",\"row\":\"%s\"}", "123456789012345");
    assert_string_equal(taken(MESSAGE_FAMILY_QUERY, frame).QUERY.row, "123456789012345");
    snprintf(frame, sizeof frame, "{\"command\":\"X\",\"row\":\"%s\"}", "1234567890123456");
    refused(MESSAGE_FAMILY_QUERY, frame, REFUSAL_OUT_OF_RANGE);
    snprintf(frame, sizeof frame, "{\"command\":\"X\",\"row\":\"%s\"}", "12345678901234\xC3\xAD");
    refused(MESSAGE_FAMILY_QUERY, frame, REFUSAL_OUT_OF_RANGE);
}

static void event_whose_sensor_type_contradicts_its_topic_is_refused(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_EVENT,
            "gps {\"sensor_id\":\"C\",\"tipo_sensor\":\"camara\",\"interseccion\":\"I\"," WHEN "}",
            REFUSAL_OUT_OF_RANGE);
    refused(MESSAGE_FAMILY_EVENT,
            "gps {\"sensor_id\":\"C\",\"tipo_sensor\":1,\"interseccion\":\"I\"," WHEN "}",
            REFUSAL_WRONG_TYPE);
    refused(MESSAGE_FAMILY_EVENT, "gps {\"sensor_id\":\"C\",\"interseccion\":\"I\"," WHEN "}",
            REFUSAL_MISSING_FIELD);
}

static void topics_are_compared_whole(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_EVENT, "camara_x {}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_EVENT, "camar {}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_EVENT, "camara{}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_EVENT, " {}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_EVENT, "", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_EVENT, "{\"sensor_id\":\"C\"}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_EVENT, "camara", REFUSAL_NOT_JSON);
    refused(MESSAGE_FAMILY_EVENT, "camara ", REFUSAL_NOT_JSON);
}

static void records_need_a_known_type_and_an_object_of_data(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_RECORD, "{\"data\":{}}", REFUSAL_MISSING_FIELD);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":\"sensor_event\"}", REFUSAL_MISSING_FIELD);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":\"sensor_event\",\"data\":null}", REFUSAL_MISSING_FIELD);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":5,\"data\":{}}", REFUSAL_WRONG_TYPE);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":\"sensor_event\",\"data\":[]}", REFUSAL_WRONG_TYPE);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":\"sqlite_master\",\"data\":{}}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":\"\",\"data\":{}}", REFUSAL_UNKNOWN_TYPE);
    refused(MESSAGE_FAMILY_RECORD, "{\"type\":\"sensor_event\",\"data\":{}}", REFUSAL_MISSING_FIELD);
}

static void what_is_not_one_json_object_is_refused(void **state) {
    (void)state;
    static const char *const frames[] = {
        "",
        " ",
        "[]",
        "5",
        "\"x\"",
        "null",
        "true",
        "{",
        "{}x",
        "{}{}",
        "{} null",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":tru}",
        "PING",
        "{\"a\":[1,]}",
        "{\"a\":1e}",
        "{\"a\":\"\\x\"}",
        "{\"a\":TRUE}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":1 2}",
        "{\"a\":[1}",
        "<html>",
        "\x1f\x8b",
    };
    for (size_t i = 0; i < ARRAY_LEN(frames); i++)
        if (strcmp(frames[i], "\x1f\x8b") != 0)
            refused(MESSAGE_FAMILY_QUERY, frames[i], REFUSAL_NOT_JSON);
    refused(MESSAGE_FAMILY_QUERY, "\x1f\x8b", REFUSAL_NOT_UTF8);
    refused(MESSAGE_FAMILY_QUERY, "\xEF\xBB\xBF{\"command\":\"X\"}", REFUSAL_NOT_JSON);
}

static void trailing_nul_is_refused(void **state) {
    (void)state;
    static const char frame[] = "{\"command\":\"HEALTH_CHECK\"}";
    taken(MESSAGE_FAMILY_QUERY, frame);
    refused_bytes(MESSAGE_FAMILY_QUERY, frame, sizeof frame, REFUSAL_NOT_JSON);
}

static void bytes_that_are_not_utf8_are_refused_first(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_QUERY, "{\"command\":\"\xFF\"}", REFUSAL_NOT_UTF8);
    refused(MESSAGE_FAMILY_QUERY, "{\"command\":\"\xED\xA0\x80\"}", REFUSAL_NOT_UTF8);
    refused(MESSAGE_FAMILY_QUERY, "{\"command\":\"\xC0\xAF\"}", REFUSAL_NOT_UTF8);
    refused(MESSAGE_FAMILY_QUERY, "{\"command\":\"\\ud800\"}", REFUSAL_NOT_UTF8);
    refused(MESSAGE_FAMILY_EVENT, "camara\xC3 {}", REFUSAL_NOT_UTF8);
    Problem p = refused(MESSAGE_FAMILY_EVENT, "camara {\"sensor_id\":\"\xFF\"}", REFUSAL_NOT_UTF8);
    assert_string_equal(p.text, "event: expected UTF-8, got \"\\xff\"}\" at byte 21");
}

static void repeated_members_are_refused_at_every_depth(void **state) {
    (void)state;
    refused(MESSAGE_FAMILY_QUERY, "{\"command\":\"A\",\"command\":\"B\"}", REFUSAL_NOT_JSON);
    refused(MESSAGE_FAMILY_QUERY, "{\"command\":\"A\",\"comm\\u0061nd\":\"A\"}", REFUSAL_NOT_JSON);
    refused(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"data\":[{\"a\":1,\"a\":1}]}", REFUSAL_NOT_JSON);
    taken(MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\",\"data\":[{\"a\":1},{\"a\":1}]}");
}

/* {"status":"OK","data":[[...1...]]} with `depth` objects and arrays around the 1. */
static void nest(char *frame, size_t size, int depth) {
    size_t used = (size_t)snprintf(frame, size, "{\"status\":\"OK\",\"data\":");
    size_t n_arrays = (size_t)depth - 1;
    memset(frame + used, '[', n_arrays);
    frame[used + n_arrays] = '1';
    memset(frame + used + n_arrays + 1, ']', n_arrays);
    strcpy(frame + used + 2 * n_arrays + 1, "}");
}

static void nesting_ends_at_fifteen_levels(void **state) {
    (void)state;
    char frame[30100];
    nest(frame, sizeof frame, 15);
    taken(MESSAGE_FAMILY_REPLY, frame);
    nest(frame, sizeof frame, 16);
    Problem p = refused(MESSAGE_FAMILY_REPLY, frame, REFUSAL_NOT_JSON);
    assert_non_null(strstr(p.text, "nesting too deep"));
    nest(frame, sizeof frame, 15000);
    refused(MESSAGE_FAMILY_REPLY, frame, REFUSAL_NOT_JSON);
}

/* Else it would be acknowledged to its sensor and refused by the stores. */
static void an_event_is_taken_as_deep_as_a_record_and_a_copy_of_it_can_be(void **state) {
    (void)state;
    static const char begin[] = "gps {\"sensor_id\":\"C\",\"tipo_sensor\":\"gps\",\"interseccion\":\"I\","
                                "\"velocidad_promedio\":9," WHEN ",\"more\":";
    static const char arrays[] = "[[[[[[[[[[5]]]]]]]]]]}";
    char frame[512];
    (void)snprintf(frame, sizeof frame, "%s%.9s\"]]]]]]]]]]\"%s", begin, arrays, arrays + 12);
    taken(MESSAGE_FAMILY_EVENT, frame);
    (void)snprintf(frame, sizeof frame, "%s%s", begin, arrays);
    Problem p = refused(MESSAGE_FAMILY_EVENT, frame, REFUSAL_TOO_LARGE);
    assert_non_null(strstr(p.text, "at most 10 objects and arrays inside each other, got 11"));
}

/* A valid query, event or reply, filled up with blanks to `size` bytes. */
static char *padded(const char *frame, size_t size) {
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text, frame, strlen(frame));
    return text;
}

static void frames_are_taken_up_to_the_limit_of_their_family(void **state) {
    (void)state;
    static const struct {
        MessageFamily family;
        const char *frame;
        size_t max_bytes;
    } limits[] = {
        {MESSAGE_FAMILY_EVENT,
         "gps "
         "{\"sensor_id\":\"C\",\"tipo_sensor\":\"gps\",\"interseccion\":\"I\",\"velocidad_promedio\":9," WHEN
         "}",
         EVENT_MAX_BYTES},
        {MESSAGE_FAMILY_QUERY, "{\"command\":\"X\"}", FRAME_MAX_BYTES},
        {MESSAGE_FAMILY_REPLY, "{\"status\":\"OK\"}", REPLY_MAX_BYTES},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        Message message;
        Refusal refusal;
        Problem problem;
        char *frame = padded(limits[i].frame, limits[i].max_bytes + 1);
        assert_int_equal(message_decode(decoder, limits[i].family, frame, limits[i].max_bytes, &message,
                                        &refusal, &problem),
                         0);
        refused_bytes(limits[i].family, frame, limits[i].max_bytes + 1, REFUSAL_TOO_LARGE);
        free(frame);
    }
}

static void a_refused_frame_leaves_the_decoder_as_good_as_new(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        refused(MESSAGE_FAMILY_QUERY, "{\"command\":{\"open\":[", REFUSAL_NOT_JSON);
        taken(MESSAGE_FAMILY_QUERY, "{\"command\":\"X\"}");
    }
}

static void nobody_has_to_listen_to_the_problem(void **state) {
    (void)state;
    Message message;
    Refusal refusal;
    assert_int_equal(message_decode(decoder, MESSAGE_FAMILY_QUERY, "{}", 2, &message, &refusal, NULL),
                     -EBADMSG);
    assert_int_equal(refusal, REFUSAL_MISSING_FIELD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(camera_event_of_the_first_implementation_is_taken),
        cmocka_unit_test(loop_and_gps_events_of_the_first_implementation_are_taken),
        cmocka_unit_test(views_and_passages_are_taken),
        cmocka_unit_test(a_view_counts_up_to_a_thousand),
        cmocka_unit_test(identity_may_be_text_or_an_integer),
        cmocka_unit_test(query_with_every_unused_member_null_is_taken),
        cmocka_unit_test(absent_members_are_zero_whatever_the_decoder_held_before),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(blanks_around_and_inside_are_json),
        cmocka_unit_test(escaped_names_and_values_are_what_they_stand_for),
        cmocka_unit_test(nested_text_is_kept_byte_for_byte),
        cmocka_unit_test(nested_text_outlives_the_frame_it_came_in),
        cmocka_unit_test(every_record_type_is_told_by_its_word),
        cmocka_unit_test(refusal_names_the_member_what_was_expected_and_what_came),
        cmocka_unit_test(untrusted_text_is_shortened_and_made_printable),
        cmocka_unit_test(control_characters_never_get_into_a_text),
        cmocka_unit_test(null_counts_as_absent_and_so_as_missing_where_required),
        cmocka_unit_test(every_member_that_is_required_is_missed),
        cmocka_unit_test(an_acknowledgement_says_how_far_and_whether_something_is_missing),
        cmocka_unit_test(values_of_the_wrong_type_are_refused),
        cmocka_unit_test(numbers_are_taken_up_to_their_limits_and_not_beyond),
        cmocka_unit_test(integer_above_int64_is_out_of_range_not_bent),
        cmocka_unit_test(numbers_beyond_a_double_are_refused_wherever_they_are),
        cmocka_unit_test(text_is_taken_up_to_its_limit_in_bytes),
        cmocka_unit_test(event_whose_sensor_type_contradicts_its_topic_is_refused),
        cmocka_unit_test(topics_are_compared_whole),
        cmocka_unit_test(records_need_a_known_type_and_an_object_of_data),
        cmocka_unit_test(what_is_not_one_json_object_is_refused),
        cmocka_unit_test(trailing_nul_is_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused_first),
        cmocka_unit_test(repeated_members_are_refused_at_every_depth),
        cmocka_unit_test(nesting_ends_at_fifteen_levels),
        cmocka_unit_test(an_event_is_taken_as_deep_as_a_record_and_a_copy_of_it_can_be),
        cmocka_unit_test(frames_are_taken_up_to_the_limit_of_their_family),
        cmocka_unit_test(a_refused_frame_leaves_the_decoder_as_good_as_new),
        cmocka_unit_test(nobody_has_to_listen_to_the_problem),
    };
    return cmocka_run_group_tests(tests, open_decoder, close_decoder);
}
