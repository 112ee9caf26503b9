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

/* An event of `kind` that has everything it must, at 10:00:00.123456. */
static Message event_of(SensorKind kind) {
    Message event = {.tag = event_tag(kind)};
    event_set_place(&event, "S-1", "INT-A1");
    if (kind == SENSOR_INDUCTIVE) {
        event.LOOP_EVENT.interval_sec = 30;
        event.LOOP_EVENT.vehicles = 9;
        message_mark(&event.LOOP_EVENT, LoopEvent, interval_sec);
        message_mark(&event.LOOP_EVENT, LoopEvent, vehicles);
    }
    if (kind == SENSOR_GPS) {
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

static void every_kind_has_its_topic_its_type_and_its_message(void **state) {
    (void)state;
    static const char *const topics[] = {
        [SENSOR_CAMERA] = "camara", [SENSOR_INDUCTIVE] = "espira", [SENSOR_GPS] = "gps"};
    static const char *const types[] = {
        [SENSOR_CAMERA] = "camara", [SENSOR_INDUCTIVE] = "espira_inductiva", [SENSOR_GPS] = "gps"};
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        SensorKind found;
        assert_string_equal(event_topic((SensorKind)kind), topics[kind]);
        assert_string_equal(event_sensor_type((SensorKind)kind), types[kind]);
        assert_true(event_kind(event_tag((SensorKind)kind), &found));
        assert_int_equal(found, kind);
    }
}

static void what_is_no_event_has_no_kind(void **state) {
    (void)state;
    SensorKind kind = SENSOR_GPS;
    assert_false(event_kind(MESSAGE_QUERY, &kind));
    assert_false(event_kind(MESSAGE_SENSOR_EVENT_RECORD, &kind));
    assert_int_equal(kind, SENSOR_GPS);
}

static void place_is_where_each_kind_keeps_it(void **state) {
    (void)state;
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        Message event = event_of((SensorKind)kind);
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
    for (int kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        EventIdentity found;
        Message event = event_of((SensorKind)kind);
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
    Message partial = event_of(SENSOR_CAMERA);
    event_set_identity(&partial, &identity);
    partial.CAMERA_EVENT.present &= ~(UINT32_C(1) << CameraEvent_has_epoch);
    assert_false(event_identity(&partial, NULL));
}

static void time_is_a_timestamp_and_its_microseconds(void **state) {
    (void)state;
    Message event = event_of(SENSOR_GPS);
    assert_true(event_has_captured(&event));
    assert_non_null(strstr(encoded(&event), "\"timestamp\":\"2026-03-01T10:00:00Z\""));
    assert_non_null(strstr(encoded(&event), "\"captured_us\":1772359200123456"));
    event_clear_time(&event);
    assert_false(event_has_captured(&event));
    assert_int_equal(message_encode(&event, (char[512]){0}, 512, NULL), -EINVAL);
}

static void a_loop_counted_over_the_interval_that_ends_now(void **state) {
    (void)state;
    Message event = event_of(SENSOR_INDUCTIVE);
    const char *text = encoded(&event);
    assert_non_null(strstr(
        text, "\"timestamp_inicio\":\"2026-03-01T09:59:30Z\",\"timestamp_fin\":\"2026-03-01T10:00:00Z\""));
    assert_null(strstr(text, "\"timestamp\""));
    event_clear_time(&event);
    assert_null(strstr(encoded(&event), "timestamp"));
}

static void an_interval_never_begins_before_1970(void **state) {
    (void)state;
    Message event = event_of(SENSOR_INDUCTIVE);
    event_set_time(&event, (Wall){1});
    assert_int_equal(event.LOOP_EVENT.started.usec, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_topic_its_type_and_its_message),
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
