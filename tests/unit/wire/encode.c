/* The encoder: the bytes it writes, what it will not write, and that the decoder reads it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/messages.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_TEXT(message, Type, member, text)                                                                \
    (strcpy((message)->member, text), message_mark(message, Type, member))
#define SET(message, Type, member, value) ((message)->member = (value), message_mark(message, Type, member))

static char buffer[4096];

static const char *encoded(const Message *message) {
    Problem problem = {{0}};
    memset(buffer, 'x', sizeof buffer);
    int size = message_encode(message, buffer, sizeof buffer, &problem);
    if (size < 0)
        fail_msg("not written: %s", problem.text);
    assert_int_equal(strlen(buffer), size);
    return buffer;
}

static Problem not_written(const Message *message) {
    Problem problem = {{0}};
    assert_int_equal(message_encode(message, buffer, sizeof buffer, &problem), -EINVAL);
    assert_int_not_equal(*problem.text, '\0');
    return problem;
}

static Message camera(void) {
    Message m = {.tag = MESSAGE_CAMERA_EVENT};
    SET_TEXT(&m.CAMERA_EVENT, CameraEvent, sensor_id, "CAM-A1");
    SET_TEXT(&m.CAMERA_EVENT, CameraEvent, intersection, "INT-A1");
    SET(&m.CAMERA_EVENT, CameraEvent, timestamp, ((Wall){UINT64_C(1772359200999999)}));
    return m;
}

static Message command(void) {
    Message m = {.tag = MESSAGE_SIGNAL_COMMAND};
    SET_TEXT(&m.SIGNAL_COMMAND, SignalCommand, intersection, "INT-B3");
    SET(&m.SIGNAL_COMMAND, SignalCommand, new_state, COLOUR_GREEN);
    return m;
}

static void event_is_topic_space_object(void **state) {
    (void)state;
    Message m = camera();
    SET(&m.CAMERA_EVENT, CameraEvent, queue_vehicles, 12);
    SET(&m.CAMERA_EVENT, CameraEvent, speed_kmh, 14.5);
    SET(&m.CAMERA_EVENT, CameraEvent, sequence, INT64_MAX);
    assert_string_equal(
        encoded(&m),
        "camara "
        "{\"sensor_id\":\"CAM-A1\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-A1\",\"volumen\":12,"
        "\"velocidad_promedio\":14.5,\"timestamp\":\"2026-03-01T10:00:00Z\",\"seq\":9223372036854775807}");
}

static void record_is_type_and_data(void **state) {
    (void)state;
    Message m = {.tag = MESSAGE_PRIORITY_RECORD};
    PriorityRecord *r = &m.PRIORITY_RECORD;
    SET_TEXT(r, PriorityRecord, action_type, "GREEN_WAVE");
    SET_TEXT(r, PriorityRecord, target, "row_B");
    SET(r, PriorityRecord, affected_intersections, ((JsonText){"[\"INT-B1\", \"INT-B2\"]", 20}));
    SET(r, PriorityRecord, timestamp, ((Wall){0}));
    assert_string_equal(
        encoded(&m),
        "{\"type\":\"priority_action\",\"data\":{\"action_type\":\"GREEN_WAVE\",\"target\":\"row_B\","
        "\"affected_intersections\":[\"INT-B1\", \"INT-B2\"],"
        "\"timestamp\":\"1970-01-01T00:00:00Z\"}}");
}

static void what_is_not_marked_is_left_out(void **state) {
    (void)state;
    Message m = command();
    strcpy(m.SIGNAL_COMMAND.reason, "forgotten");
    m.SIGNAL_COMMAND.duration_sec = NAN;
    assert_string_equal(encoded(&m), "{\"interseccion\":\"INT-B3\",\"new_state\":\"GREEN\"}");
}

static void an_empty_optional_text_is_left_out(void **state) {
    (void)state;
    Message m = command();
    message_mark(&m.SIGNAL_COMMAND, SignalCommand, reason);
    assert_string_equal(encoded(&m), "{\"interseccion\":\"INT-B3\",\"new_state\":\"GREEN\"}");
}

static void reply_has_all_its_members_null_where_there_is_nothing(void **state) {
    (void)state;
    Message m = {.tag = MESSAGE_REPLY};
    SET(&m.REPLY, Reply, status, REPLY_ERROR);
    assert_string_equal(
        encoded(&m),
        "{\"status\":\"ERROR\",\"command\":null,\"message\":null,\"data\":null,\"timestamp\":null}");
}

static void quotes_and_backslashes_are_escaped_and_utf8_is_not(void **state) {
    (void)state;
    Message m = command();
    SET_TEXT(&m.SIGNAL_COMMAND, SignalCommand, reason, "\"a\\b\" Bol\xC3\xADvar/");
    assert_string_equal(encoded(&m), "{\"interseccion\":\"INT-B3\",\"new_state\":\"GREEN\","
                                     "\"reason\":\"\\\"a\\\\b\\\" Bol\xC3\xADvar/\"}");
}

static void expect_number(double number, const char *expected) {
    Message m = command();
    char all[200];
    SET(&m.SIGNAL_COMMAND, SignalCommand, created_at_sec, number);
    snprintf(all, sizeof all, "{\"interseccion\":\"INT-B3\",\"new_state\":\"GREEN\",\"created_at\":%s}",
             expected);
    assert_string_equal(encoded(&m), all);
}

static void numbers_are_the_shortest_that_read_back_the_same(void **state) {
    (void)state;
    expect_number(0, "0");
    expect_number(-0.0, "0");
    expect_number(5, "5");
    expect_number(1e11, "100000000000");
    expect_number(0.1, "0.1");
    expect_number(0.1 + 0.2, "0.30000000000000004");
    expect_number(1772359200.123456, "1772359200.123456");
    expect_number(1.0 / 3, "0.3333333333333333");
    expect_number(1e-7, "1e-07");
    expect_number(5e-324, "4.94065645841247e-324");
}

/* As %.15g has it, which is short enough wherever so few digits say all. */
static void decimals_are_written_as_printf_would(void **state) {
    (void)state;
    uint64_t random = 1;
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        double powers[] = {10, 100, 1000, 1e4, 1e5, 1e6};
        double number = (double)(random >> 33 & 0xFFFFFFF) / powers[i % ARRAY_LEN(powers)];
        char expected[64];
        (void)snprintf(expected, sizeof expected, "%.15g", number);
        if (!strchr(expected, 'e'))
            expect_number(number, expected);
    }
    expect_number(0.00001, "0.00001");
    expect_number(99999999999.5, "99999999999.5");
    expect_number(12.050, "12.05");
}

static void the_locale_of_the_process_does_not_matter(void **state) {
    (void)state;
    static const char *const with_comma[] = {"de_DE.UTF-8", "es_CO.UTF-8", "es_ES.UTF-8", "fr_FR.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < ARRAY_LEN(with_comma) && !set; i++)
        set = setlocale(LC_NUMERIC, with_comma[i]);
    if (!set)
        skip(); /* no such locale is installed here */
    expect_number(14.5, "14.5");
    setlocale(LC_NUMERIC, "C");
}

static void what_a_receiver_would_refuse_is_not_written(void **state) {
    (void)state;
    Message m = camera();
    SET(&m.CAMERA_EVENT, CameraEvent, speed_kmh, NAN);
    Problem p = not_written(&m);
    assert_string_equal(
        p.text, "camara event: member \"velocidad_promedio\": expected a number from 0 to 300, got nan");
    m.CAMERA_EVENT.speed_kmh = INFINITY;
    not_written(&m);
    m.CAMERA_EVENT.speed_kmh = 300.1;
    not_written(&m);
    m.CAMERA_EVENT.speed_kmh = -0.1;
    not_written(&m);
    m.CAMERA_EVENT.speed_kmh = 300;
    encoded(&m);
    SET(&m.CAMERA_EVENT, CameraEvent, epoch, -1);
    not_written(&m);
}

static void a_required_member_must_be_there(void **state) {
    (void)state;
    Message m = {.tag = MESSAGE_SIGNAL_COMMAND};
    SET(&m.SIGNAL_COMMAND, SignalCommand, new_state, COLOUR_GREEN);
    Problem p = not_written(&m);
    assert_string_equal(p.text,
                        "signal command: member \"interseccion\": expected text of 1 to 31 bytes, got none");
    message_mark(&m.SIGNAL_COMMAND, SignalCommand, intersection);
    not_written(&m);
}

static void words_outside_their_list_are_not_written(void **state) {
    (void)state;
    Message m = command();
    m.SIGNAL_COMMAND.new_state = COLOUR_COUNT;
    not_written(&m);
    m.SIGNAL_COMMAND.new_state = -1;
    not_written(&m);
}

static void text_that_is_no_text_is_not_written(void **state) {
    (void)state;
    static const char *const bad[] = {"\xFF", "\xED\xA0\x80", "a\nb", "\x7F", "\xC2\x85"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Message m = command();
        SET_TEXT(&m.SIGNAL_COMMAND, SignalCommand, reason, bad[i]);
        not_written(&m);
    }
    Message m = command();
    memset(m.SIGNAL_COMMAND.intersection, 'x', sizeof m.SIGNAL_COMMAND.intersection); /* no NUL */
    not_written(&m);
}

static void nested_text_must_be_an_object_or_array(void **state) {
    (void)state;
    Message m = {.tag = MESSAGE_REPLY};
    SET(&m.REPLY, Reply, status, REPLY_OK);
    SET(&m.REPLY, Reply, data, ((JsonText){NULL, 0}));
    not_written(&m);
    m.REPLY.data = (JsonText){"5", 1};
    not_written(&m);
    m.REPLY.data = (JsonText){"{}", 2};
    encoded(&m);
}

static void flags_are_true_or_false_there_and_back(void **state) {
    (void)state;
    Decoder *decoder = NULL;
    assert_int_equal(decoder_new(&decoder), 0);
    for (int flag = 0; flag <= 1; flag++) {
        Message m = {.tag = MESSAGE_HEARTBEAT}, back;
        Refusal refusal;
        SET_TEXT(&m.HEARTBEAT, Heartbeat, role, "primary");
        SET_TEXT(&m.HEARTBEAT, Heartbeat, boot_id, "b");
        SET(&m.HEARTBEAT, Heartbeat, epoch, 1);
        SET(&m.HEARTBEAT, Heartbeat, sequence, 2);
        SET(&m.HEARTBEAT, Heartbeat, can_commit, flag);
        const char *text = encoded(&m);
        assert_non_null(strstr(text, flag ? "\"can_commit\":true" : "\"can_commit\":false"));
        assert_int_equal(
            message_decode(decoder, MESSAGE_FAMILY_HEARTBEAT, text, strlen(text), &back, &refusal, NULL), 0);
        assert_int_equal(back.HEARTBEAT.can_commit, flag);
    }
    decoder_free(decoder);
}

static void an_acknowledgement_is_one_flat_object(void **state) {
    (void)state;
    Message m = {.tag = MESSAGE_ACK};
    SET_TEXT(&m.ACK, Ack, stream, "9f0c61d2a7b3e845");
    SET(&m.ACK, Ack, position, INT64_MAX);
    SET(&m.ACK, Ack, epoch, 1763660000000000);
    assert_string_equal(encoded(&m), "{\"stream\":\"9f0c61d2a7b3e845\",\"position\":9223372036854775807,"
                                     "\"epoch\":1763660000000000}");
    SET(&m.ACK, Ack, asks, true);
    SET(&m.ACK, Ack, position, 0);
    assert_string_equal(encoded(&m), "{\"stream\":\"9f0c61d2a7b3e845\",\"position\":0,"
                                     "\"epoch\":1763660000000000,\"asks\":true}");
    SET(&m.ACK, Ack, position, -1);
    assert_non_null(strstr(not_written(&m).text, "position"));
}

static void a_buffer_takes_exactly_what_fits_with_its_nul(void **state) {
    (void)state;
    Message m = command();
    size_t size = strlen(encoded(&m));
    char tight[200];
    memset(tight, 'x', sizeof tight);
    assert_int_equal(message_encode(&m, tight, size, NULL), -ENOBUFS);
    assert_int_equal(tight[size], 'x');
    assert_int_equal(message_encode(&m, tight, size + 1, NULL), size);
    assert_int_equal(tight[size], '\0');
    assert_int_equal(tight[size + 1], 'x');
    assert_int_equal(message_encode(&m, NULL, 0, NULL), -ENOBUFS);
}

/* Finite doubles of every magnitude within created_at's range. */
static void random_numbers_survive_the_way_there_and_back(void **state) {
    (void)state;
    Decoder *decoder = NULL;
    unsigned seed = 20260301;
    print_message("seed %u\n", seed);
    srand48(seed);
    assert_int_equal(decoder_new(&decoder), 0);
    for (int i = 0; i < 20000; i++) {
        Message m = command(), back;
        Refusal refusal;
        double number = ldexp(drand48(), (int)(mrand48() % 1000) - 970);
        SET(&m.SIGNAL_COMMAND, SignalCommand, created_at_sec, fmin(fabs(number), 1e11));
        const char *text = encoded(&m);
        assert_int_equal(
            message_decode(decoder, MESSAGE_FAMILY_COMMAND, text, strlen(text), &back, &refusal, NULL), 0);
        assert_memory_equal(&back.SIGNAL_COMMAND.created_at_sec, &m.SIGNAL_COMMAND.created_at_sec,
                            sizeof(double));
    }
    decoder_free(decoder);
}

static void every_message_names_itself(void **state) {
    (void)state;
    assert_string_equal(message_wire_name(MESSAGE_LOOP_EVENT), "espira");
    assert_string_equal(message_wire_name(MESSAGE_QUERY), "");
    assert_int_equal(message_family(MESSAGE_LOOP_EVENT), MESSAGE_FAMILY_EVENT);
    assert_int_equal(message_family(MESSAGE_HEARTBEAT), MESSAGE_FAMILY_HEARTBEAT);
    assert_int_equal(message_family(MESSAGE_ACK), MESSAGE_FAMILY_ACK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_is_topic_space_object),
        cmocka_unit_test(record_is_type_and_data),
        cmocka_unit_test(what_is_not_marked_is_left_out),
        cmocka_unit_test(an_empty_optional_text_is_left_out),
        cmocka_unit_test(reply_has_all_its_members_null_where_there_is_nothing),
        cmocka_unit_test(quotes_and_backslashes_are_escaped_and_utf8_is_not),
        cmocka_unit_test(numbers_are_the_shortest_that_read_back_the_same),
        cmocka_unit_test(decimals_are_written_as_printf_would),
        cmocka_unit_test(the_locale_of_the_process_does_not_matter),
        cmocka_unit_test(what_a_receiver_would_refuse_is_not_written),
        cmocka_unit_test(a_required_member_must_be_there),
        cmocka_unit_test(words_outside_their_list_are_not_written),
        cmocka_unit_test(text_that_is_no_text_is_not_written),
        cmocka_unit_test(nested_text_must_be_an_object_or_array),
        cmocka_unit_test(flags_are_true_or_false_there_and_back),
        cmocka_unit_test(an_acknowledgement_is_one_flat_object),
        cmocka_unit_test(a_buffer_takes_exactly_what_fits_with_its_nul),
        cmocka_unit_test(random_numbers_survive_the_way_there_and_back),
        cmocka_unit_test(every_message_names_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
