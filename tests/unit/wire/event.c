/* What events have in common, asked of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/event.h"

#include <errno.h>
#include <string.h>

#define AT_USEC UINT64_C(1772359200123456)

/* An event that has everything it must, at 10:00:00.123456. */
static Message event_of(MessageTag tag) {
    Message event = {.tag = tag};
    event_set_place(&event, "S-1", "INT-A1");
    if (tag == MESSAGE_VIEW_EVENT)
        message_set(&event.VIEW_EVENT, ViewEvent, vehicles, 4);
    if (tag == MESSAGE_LOOP_EVENT) {
        event.LOOP_EVENT.interval_sec = 30;
        event.LOOP_EVENT.vehicles = 9;
        message_mark(&event.LOOP_EVENT, LoopEvent, interval_sec);
        message_mark(&event.LOOP_EVENT, LoopEvent, vehicles);
    }
    if (tag == MESSAGE_GPS_EVENT) {
        event.GPS_EVENT.speed_kmh = 25;
        message_mark(&event.GPS_EVENT, GpsEvent, speed_kmh);
    }
    event_set_time(&event, (Wall){AT_USEC});
    return event;
}

static const char *encoded(const Message *event) {
    static char buffer[1024];
    Problem problem = {{0}};
    if (message_encode(event, buffer, sizeof buffer, &problem) < 0)
        fail_msg("%s", problem.text);
    return buffer;
}

static void every_event_has_its_topic_its_type_and_its_kind(void **state) {
    (void)state;
    static const struct {
        MessageTag tag;
        SensorKind kind;
        const char *topic, *type, *word;
    } events[EVENT_COUNT] = {
        {MESSAGE_CAMERA_EVENT, SENSOR_CAMERA, "camara", "camara", "camera"},
        {MESSAGE_LOOP_EVENT, SENSOR_INDUCTIVE, "espira", "espira_inductiva", "inductive"},
        {MESSAGE_GPS_EVENT, SENSOR_GPS, "gps", "gps", "gps"},
        {MESSAGE_VIEW_EVENT, SENSOR_CAMERA, "vista", "camara_vista", "view"},
        {MESSAGE_PASSAGE_EVENT, SENSOR_INDUCTIVE, "paso", "espira_paso", "passage"},
    };
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        SensorKind found;
        assert_int_equal(event_tags[i], events[i].tag);
        assert_int_equal(event_index(events[i].tag), i);
        assert_string_equal(message_wire_name(events[i].tag), events[i].topic);
        assert_string_equal(event_sensor_type(events[i].tag), events[i].type);
        assert_string_equal(event_word(events[i].tag), events[i].word);
        assert_true(event_kind(events[i].tag, &found));
        assert_int_equal(found, events[i].kind);
        assert_int_equal(event_of_type(events[i].kind, events[i].type), events[i].tag);
    }
}

static void the_first_event_of_a_kind_is_the_one_that_all_know(void **state) {
    (void)state;
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        assert_int_equal(event_tag((SensorKind)kind), event_tags[kind]);
        assert_string_equal(event_topic((SensorKind)kind), message_wire_name(event_tags[kind]));
        assert_string_equal(event_word(event_tags[kind]), sensor_kind_words[kind]);
        assert_int_equal(event_of_type((SensorKind)kind, "nonsense"), event_tags[kind]);
    }
    assert_int_equal(event_of_type(SENSOR_GPS, "camara_vista"), MESSAGE_GPS_EVENT);
}

/* Subscriptions are prefixes: who asked for an old topic must not hear a new one. */
static void no_topic_begins_with_another(void **state) {
    (void)state;
    for (size_t i = 0; i < EVENT_COUNT; i++)
        for (size_t j = 0; j < EVENT_COUNT; j++) {
            const char *a = message_wire_name(event_tags[i]), *b = message_wire_name(event_tags[j]);
            assert_true(i == j || strncmp(a, b, strlen(a)) != 0);
        }
}

static void what_is_no_event_has_no_kind(void **state) {
    (void)state;
    SensorKind kind = SENSOR_GPS;
    assert_false(event_kind(MESSAGE_QUERY, &kind));
    assert_false(event_kind(MESSAGE_SENSOR_EVENT_RECORD, &kind));
    assert_int_equal(kind, SENSOR_GPS);
    assert_int_equal(event_index(MESSAGE_QUERY), EVENT_COUNT);
}

static void place_is_where_each_kind_keeps_it(void **state) {
    (void)state;
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        Message event = event_of(event_tags[i]);
        assert_string_equal(event_sensor_id(&event), "S-1");
        assert_string_equal(event_intersection(&event), "INT-A1");
        assert_non_null(strstr(encoded(&event), "\"sensor_id\":\"S-1\""));
        assert_non_null(strstr(encoded(&event), "\"interseccion\":\"INT-A1\""));
    }
}

static void congestion_levels_change_below_10_and_above_40(void **state) {
    (void)state;
    assert_int_equal(event_congestion_level(9.9), LEVEL_HIGH);
    assert_int_equal(event_congestion_level(10), LEVEL_NORMAL);
    assert_int_equal(event_congestion_level(40), LEVEL_NORMAL);
    assert_int_equal(event_congestion_level(40.1), LEVEL_LOW);
}

static void identity_is_all_three_or_none(void **state) {
    (void)state;
    const EventIdentity identity = {.producer = "sensor-camera@pc1", .epoch = 7, .sequence = INT64_MAX};
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        EventIdentity found;
        Message event = event_of(event_tags[i]);
        assert_false(event_identity(&event, &found));
        event_set_identity(&event, &identity);
        assert_true(event_identity(&event, &found));
        assert_true(event_identity(&event, NULL));
        assert_string_equal(found.producer, identity.producer);
        assert_int_equal(found.epoch, 7);
        assert_int_equal(found.sequence, INT64_MAX);
        assert_non_null(
            strstr(encoded(&event),
                   "\"producer_id\":\"sensor-camera@pc1\",\"epoch\":7,\"seq\":9223372036854775807"));
        event_clear_identity(&event);
        assert_false(event_identity(&event, &found));
        assert_null(strstr(encoded(&event), "producer_id"));
    }
    Message partial = event_of(MESSAGE_CAMERA_EVENT);
    event_set_identity(&partial, &identity);
    partial.CAMERA_EVENT.present &= ~(UINT32_C(1) << CameraEvent_has_epoch);
    assert_false(event_identity(&partial, NULL));
}

static void time_is_a_timestamp_and_its_microseconds(void **state) {
    (void)state;
    Message event = event_of(MESSAGE_GPS_EVENT);
    assert_true(event_captured(&event, NULL));
    assert_non_null(strstr(encoded(&event), "\"timestamp\":\"2026-03-01T10:00:00Z\""));
    assert_non_null(strstr(encoded(&event), "\"captured_us\":1772359200123456"));
    event_clear_time(&event);
    assert_false(event_captured(&event, NULL));
    assert_int_equal(message_encode(&event, (char[512]){0}, 512, NULL), -EINVAL);
}

static void a_loop_counted_over_the_interval_that_ends_now(void **state) {
    (void)state;
    Message event = event_of(MESSAGE_LOOP_EVENT);
    const char *text = encoded(&event);
    assert_non_null(strstr(
        text, "\"timestamp_inicio\":\"2026-03-01T09:59:30Z\",\"timestamp_fin\":\"2026-03-01T10:00:00Z\""));
    assert_null(strstr(text, "\"timestamp\""));
    event_clear_time(&event);
    assert_null(strstr(encoded(&event), "timestamp"));
}

static void an_interval_never_begins_before_1970(void **state) {
    (void)state;
    Message event = event_of(MESSAGE_LOOP_EVENT);
    event_set_time(&event, (Wall){1});
    assert_int_equal(event.LOOP_EVENT.started.usec, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_its_topic_its_type_and_its_kind),
        cmocka_unit_test(the_first_event_of_a_kind_is_the_one_that_all_know),
        cmocka_unit_test(no_topic_begins_with_another),
        cmocka_unit_test(what_is_no_event_has_no_kind),
        cmocka_unit_test(place_is_where_each_kind_keeps_it),
        cmocka_unit_test(congestion_levels_change_below_10_and_above_40),
        cmocka_unit_test(identity_is_all_three_or_none),
        cmocka_unit_test(time_is_a_timestamp_and_its_microseconds),
        cmocka_unit_test(a_loop_counted_over_the_interval_that_ends_now),
        cmocka_unit_test(an_interval_never_begins_before_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
