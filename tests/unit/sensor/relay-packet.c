/* The packets of a relay socket: what is taken, what is refused, and how both are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay-packet.h"

#include "wire/event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOW_USEC UINT64_C(1770649800123456) /* 2026-02-09T15:10:00.123456Z */

static RelayParser *parser;

static int make_parser(void **state) {
    (void)state;
    return relay_parser_new(&parser);
}

static int free_parser(void **state) {
    (void)state;
    parser = relay_parser_free(parser);
    return 0;
}

static int parse_as(SensorKind kind, const char *text, RelayPacket *ret, Problem *problem) {
    Refusal refusal;
    return relay_parse(parser, kind, text, strlen(text), (Wall){NOW_USEC}, ret, &refusal, problem);
}

static RelayPacket taken(SensorKind kind, const char *text) {
    RelayPacket packet;
    Problem problem = {.text = ""};
    int r = parse_as(kind, text, &packet, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(r, 0);
    return packet;
}

static void assert_refused(const char *text, const char *id, Refusal refusal, const char *why) {
    RelayPacket packet;
    Refusal got;
    Problem problem;
    assert_int_equal(
        relay_parse(parser, SENSOR_CAMERA, text, strlen(text), (Wall){NOW_USEC}, &packet, &got, &problem),
        -EBADMSG);
    assert_string_equal(packet.id.json, id);
    assert_string_equal(refusal_words[got], refusal_words[refusal]);
    if (!strstr(problem.text, why))
        fail_msg("expected \"%s\" in: %s", why, problem.text);
}

#define CAMERA                                                                                               \
    "\"sensor_id\":\"CAM-A1-NS\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\",\"volumen\":3"

static void a_reading_without_a_time_is_of_now(void **state) {
    (void)state;
    RelayPacket packet = taken(SENSOR_CAMERA, "{\"id\":17," CAMERA "}");
    assert_int_equal(packet.event.CAMERA_EVENT.timestamp.usec, NOW_USEC);
    assert_int_equal(packet.event.CAMERA_EVENT.captured_usec, NOW_USEC);
    assert_true(packet.event.CAMERA_EVENT.queue_vehicles == 3);
}

static void a_loop_without_a_time_counted_until_now(void **state) {
    (void)state;
    RelayPacket packet = taken(
        SENSOR_INDUCTIVE, "{\"id\":1,\"sensor_id\":\"ESP-A1-NS\",\"tipo_sensor\":\"espira_inductiva\","
                          "\"interseccion\":\"INT-A1\",\"vehiculos_contados\":4,\"intervalo_segundos\":30}");
    const LoopEvent *loop = &packet.event.LOOP_EVENT;
    assert_int_equal(loop->ended.usec, NOW_USEC);
    assert_int_equal(loop->started.usec, NOW_USEC - 30 * USEC_PER_SEC);
    assert_false(message_has(loop, LoopEvent, timestamp));
}

static void a_given_time_is_kept(void **state) {
    (void)state;
    RelayPacket packet = taken(SENSOR_CAMERA, "{\"id\":1," CAMERA ",\"timestamp\":\"1970-01-01T00:01:00Z\"}");
    assert_int_equal(packet.event.CAMERA_EVENT.timestamp.usec, 60 * USEC_PER_SEC);
    assert_false(event_captured(&packet.event, NULL));
}

static void a_whole_identity_is_kept(void **state) {
    (void)state;
    RelayPacket packet =
        taken(SENSOR_CAMERA, "{\"id\":1," CAMERA ",\"producer_id\":\"sumo\",\"epoch\":3,\"seq\":99}");
    EventIdentity identity;
    assert_true(event_identity(&packet.event, &identity));
    assert_string_equal(identity.producer, "sumo");
    assert_int_equal(identity.epoch, 3);
    assert_int_equal(identity.sequence, 99);
}

static void half_an_identity_is_refused(void **state) {
    (void)state;
    assert_refused("{\"id\":1," CAMERA ",\"producer_id\":\"sumo\",\"seq\":99}", "1", REFUSAL_MISSING_FIELD,
                   "all three or none");
    assert_refused("{\"id\":1," CAMERA ",\"epoch\":3}", "1", REFUSAL_MISSING_FIELD, "all three or none");
}

static void an_identity_of_nulls_is_none(void **state) {
    (void)state;
    RelayPacket packet =
        taken(SENSOR_CAMERA, "{\"id\":1," CAMERA ",\"producer_id\":null,\"epoch\":null,\"seq\":null}");
    assert_false(event_identity(&packet.event, NULL));
}

static void the_id_comes_back_as_it_was(void **state) {
    (void)state;
    static const char *const ids[] = {
        "17", "-1", "\"a b\"", "\"say \\\"hi\\\"\"", "\"\"", "\"a\\/b \\u0041\"", "9223372036854775807"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        char text[256];
        RelayAnswer answer;
        char expected[128];
        snprintf(text, sizeof text, "{\"id\":%s," CAMERA "}", ids[i]);
        RelayPacket packet = taken(SENSOR_CAMERA, text);
        relay_answer_ack(&answer, &packet.id);
        snprintf(expected, sizeof expected, "{\"ack\":%s}", ids[i]);
        assert_string_equal(answer.text, expected);
        assert_int_equal(answer.size, strlen(expected));
    }
}

static void an_id_is_needed_and_small(void **state) {
    (void)state;
    char text[512], letters[65];
    assert_refused("{" CAMERA "}", "null", REFUSAL_MISSING_FIELD, "id is missing");
    assert_refused("{\"id\":1.5," CAMERA "}", "null", REFUSAL_WRONG_TYPE, "id: expected a whole number");
    assert_refused("{\"id\":null," CAMERA "}", "null", REFUSAL_WRONG_TYPE, "id: expected a whole number");
    assert_refused("{\"id\":[1]," CAMERA "}", "null", REFUSAL_WRONG_TYPE, "id: expected a whole number");
    memset(letters, 'x', 64);
    letters[64] = '\0';
    snprintf(text, sizeof text, "{\"id\":\"%s\"," CAMERA "}", letters);
    assert_refused(text, "null", REFUSAL_WRONG_TYPE, "at most 63 bytes");
    snprintf(text, sizeof text, "{\"id\":\"%s\"," CAMERA "}", letters + 1);
    taken(SENSOR_CAMERA, text);
}

static void what_is_not_an_event_of_the_kind_is_refused_by_name(void **state) {
    (void)state;
    assert_refused("{\"id\":5,\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\"}", "5",
                   REFUSAL_MISSING_FIELD, "sensor_id");
    assert_refused("{\"id\":5,\"sensor_id\":\"GPS-A1\",\"tipo_sensor\":\"gps\",\"interseccion\":\"INT-A1\","
                   "\"velocidad_promedio\":9}",
                   "5", REFUSAL_OUT_OF_RANGE, "tipo_sensor");
    assert_refused("{\"id\":5," CAMERA ",\"velocidad_promedio\":301}", "5", REFUSAL_OUT_OF_RANGE,
                   "velocidad_promedio");
    assert_refused("{\"id\":5," CAMERA ",\"velocidad_promedio\":\"fast\"}", "5", REFUSAL_WRONG_TYPE,
                   "velocidad_promedio");
    assert_refused("{\"id\":5," CAMERA ",\"timestamp\":\"yesterday\"}", "5", REFUSAL_WRONG_TYPE, "timestamp");
}

static void a_packet_with_a_number_of_a_step_is_a_tick(void **state) {
    (void)state;
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        RelayPacket packet = taken((SensorKind)kind, "{\"id\":1,\"k\":7,\"t_us\":1770649800000000,"
                                                     "\"absent\":\"analytics\",\"last\":true}");
        assert_int_equal(packet.event.tag, MESSAGE_TICK_EVENT);
        assert_int_equal(packet.event.TICK_EVENT.number, 7);
        assert_int_equal(packet.event.TICK_EVENT.city_usec, INT64_C(1770649800000000));
        assert_string_equal(packet.event.TICK_EVENT.absent, "analytics");
        assert_true(packet.event.TICK_EVENT.is_last);
    }
    assert_refused("{\"id\":1,\"k\":7}", "1", REFUSAL_MISSING_FIELD, "t_us");
    assert_refused("{\"id\":1,\"k\":-1,\"t_us\":1}", "1", REFUSAL_OUT_OF_RANGE, "\"k\"");
}

static void what_is_not_one_object_is_refused(void **state) {
    (void)state;
    assert_refused("", "null", REFUSAL_NOT_JSON, "expected one JSON object");
    assert_refused("[]", "null", REFUSAL_NOT_JSON, "expected one JSON object");
    assert_refused("{\"id\":1," CAMERA, "null", REFUSAL_NOT_JSON,
                   "expected a comma or the end of the object");
    assert_refused("{\"id\":1," CAMERA "}{}", "null", REFUSAL_NOT_JSON, "expected nothing more behind");
    assert_refused("{\"id\":1," CAMERA ",\"x\":\"\xff\"}", "null", REFUSAL_NOT_UTF8, "expected UTF-8");
}

/* Which of two ids would be the one? */
static void repeated_members_are_refused_without_an_id(void **state) {
    (void)state;
    assert_refused("{\"id\":1," CAMERA ",\"volumen\":4}", "null", REFUSAL_NOT_JSON,
                   "two members of the same name");
    assert_refused("{\"id\":1,\"id\":2," CAMERA "}", "null", REFUSAL_NOT_JSON,
                   "two members of the same name");
}

static void the_largest_packet_is_taken_and_one_byte_more_is_not(void **state) {
    (void)state;
    static char text[RELAY_PACKET_MAX_BYTES + 2];
    /* the frame has a topic before it, which counts against the largest event as well */
    size_t largest = RELAY_PACKET_MAX_BYTES - strlen("camara ");
    int used = snprintf(text, sizeof text, "{\"id\":1," CAMERA ",\"timestamp\":\"1970-01-01T00:01:00Z\"}");
    memset(text + used, ' ', largest - (size_t)used);
    taken(SENSOR_CAMERA, text);
    text[largest] = ' ';
    assert_refused(text, "1", REFUSAL_TOO_LARGE, "expected at most");
    memset(text + used, ' ', sizeof text - 1 - (size_t)used);
    assert_refused(text, "null", REFUSAL_TOO_LARGE, "expected a packet of at most");
}

static void refusals_are_json_whatever_the_reason_says(void **state) {
    (void)state;
    RelayAnswer answer;
    Problem problem;
    RelayId id = {.json = "17"};
    problem_set(&problem, -EBADMSG, "expected \"a\", got \"b\\c\"");
    relay_answer_refused(&answer, &id, &problem);
    assert_string_equal(answer.text, "{\"refused\":17,\"why\":\"expected \\\"a\\\", got \\\"b\\\\c\\\"\"}");
    memset(problem.text, '\x01', sizeof problem.text - 1); /* six times as long when escaped */
    problem.text[sizeof problem.text - 1] = '\0';
    relay_answer_refused(&answer, &id, &problem);
    assert_string_equal(answer.text, "{\"refused\":17,\"why\":\"see the journal\"}");
    assert_int_equal(answer.size, strlen(answer.text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_without_a_time_is_of_now),
        cmocka_unit_test(a_loop_without_a_time_counted_until_now),
        cmocka_unit_test(a_given_time_is_kept),
        cmocka_unit_test(a_whole_identity_is_kept),
        cmocka_unit_test(half_an_identity_is_refused),
        cmocka_unit_test(an_identity_of_nulls_is_none),
        cmocka_unit_test(the_id_comes_back_as_it_was),
        cmocka_unit_test(an_id_is_needed_and_small),
        cmocka_unit_test(what_is_not_an_event_of_the_kind_is_refused_by_name),
        cmocka_unit_test(a_packet_with_a_number_of_a_step_is_a_tick),
        cmocka_unit_test(what_is_not_one_object_is_refused),
        cmocka_unit_test(repeated_members_are_refused_without_an_id),
        cmocka_unit_test(the_largest_packet_is_taken_and_one_byte_more_is_not),
        cmocka_unit_test(refusals_are_json_whatever_the_reason_says),
    };
    return cmocka_run_group_tests(tests, make_parser, free_parser);
}
