/* What the broker makes of a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOW_USEC UINT64_C(1770649800123456)

static Gate *gate;
static Decoder *decoder;
static const EventIdentity identity = {"broker@pc1", 7, 42};

static int make_gate(void **state) {
    (void)state;
    return gate_new(&gate) < 0 ? -1 : decoder_new(&decoder);
}

static int free_gate(void **state) {
    (void)state;
    gate = gate_free(gate);
    decoder = decoder_free(decoder);
    return 0;
}

#define GPS                                                                                                  \
    "\"sensor_id\":\"GPS-A1\",\"tipo_sensor\":\"gps\",\"interseccion\":\"INT-A1\",\"velocidad_promedio\":"   \
    "31.5,\"timestamp\":\"2026-02-09T15:10:00Z\""

static bool needs_identity(const char *frame) {
    bool needs;
    Refusal refusal;
    Problem problem = {.text = ""};
    int r = gate_judge(gate, frame, strlen(frame), &needs, &refusal, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(r, 0);
    return needs;
}

static void assert_refused(const char *frame, size_t size, Refusal refusal) {
    bool needs;
    Refusal got;
    Problem problem;
    assert_int_equal(gate_judge(gate, frame, size, &needs, &got, &problem), -EBADMSG);
    assert_string_equal(refusal_words[got], refusal_words[refusal]);
}

/* The frame with an identity, which must be one that a receiver takes. */
static const char *identified(const char *frame, Message *ret) {
    static char buffer[GATE_FRAME_MAX_BYTES + 1];
    Refusal refusal;
    Problem problem = {.text = ""};
    int size = gate_add_identity(frame, strlen(frame), &identity, (Wall){NOW_USEC}, buffer, &problem);
    assert_true(size > 0);
    buffer[size] = '\0';
    int r = message_decode(decoder, MESSAGE_FAMILY_EVENT, buffer, (size_t)size, ret, &refusal, &problem);
    assert_string_equal(problem.text, "");
    assert_int_equal(r, 0);
    return buffer;
}

static void assert_identity(const Message *event) {
    EventIdentity got;
    assert_true(event_identity(event, &got));
    assert_string_equal(got.producer, "broker@pc1");
    assert_int_equal(got.epoch, 7);
    assert_int_equal(got.sequence, 42);
}

static void an_event_that_says_who_made_it_goes_as_it_is(void **state) {
    (void)state;
    assert_false(needs_identity("gps {" GPS ",\"producer_id\":\"sensor-gps@pc1\",\"epoch\":1,\"seq\":2}"));
    assert_false(needs_identity("gps {" GPS ",\"producer_id\":5,\"epoch\":1,\"seq\":0}"));
}

static void an_event_without_a_whole_identity_needs_one(void **state) {
    (void)state;
    assert_true(needs_identity("gps {" GPS "}"));
    assert_true(needs_identity("gps {" GPS ",\"producer_id\":\"x\",\"epoch\":1}"));
    assert_true(needs_identity("gps {" GPS ",\"producer_id\":null,\"epoch\":1,\"seq\":2}"));
}

static void a_tick_is_told_apart_and_nobody_made_it(void **state) {
    (void)state;
    assert_false(needs_identity("tick {\"k\":7,\"t_us\":7000000}"));
    assert_true(gate_is_tick(gate));
    assert_true(needs_identity("gps {" GPS "}"));
    assert_false(gate_is_tick(gate));
    assert_refused("tick {\"k\":7}", strlen("tick {\"k\":7}"), REFUSAL_MISSING_FIELD);
}

static void what_is_no_event_is_refused(void **state) {
    (void)state;
    static char large[EVENT_MAX_BYTES + 2];
    assert_refused("", 0, REFUSAL_UNKNOWN_TYPE);
    assert_refused("radar {}", 8, REFUSAL_UNKNOWN_TYPE);
    assert_refused("+gps {" GPS "}", strlen("+gps {" GPS "}"),
                   REFUSAL_UNKNOWN_TYPE); /* the mark of the pipe is no way in */
    assert_refused("gps {}", 6, REFUSAL_MISSING_FIELD);
    assert_refused("gps {", 5, REFUSAL_NOT_JSON);
    assert_refused("gps \xff", 5, REFUSAL_NOT_UTF8);
    memset(large, ' ', sizeof large);
    assert_refused(large, EVENT_MAX_BYTES + 1, REFUSAL_TOO_LARGE);
}

static void identity_is_added_behind_what_came(void **state) {
    (void)state;
    Message event;
    assert_string_equal(identified("gps {" GPS ",\"extra\":[1.50]}  \n", &event),
                        "gps {" GPS ",\"extra\":[1.50],\"producer_id\":\"broker@pc1\",\"epoch\":7,\"seq\":42,"
                        "\"captured_us\":1770649800123456}");
    assert_identity(&event);
    assert_int_equal(event.GPS_EVENT.captured_usec, NOW_USEC);
}

static void half_an_identity_is_replaced_and_the_rest_kept(void **state) {
    (void)state;
    static const char *const frames[] = {
        "gps {" GPS ",\"producer_id\":null,\"epoch\":null,\"seq\":null,\"extra\":[1.50]}",
        "gps {\"producer_id\":\"x\"," GPS ",\"extra\":[1.50]}",
        "gps {" GPS ",\"epoch\":5,\"extra\":[1.50],\"seq\":1}",
        "gps {" GPS ",\"\\u0070roducer_id\":\"x\",\"extra\":[1.50]}",
        "gps {" GPS ",\"captured_us\":null,\"extra\":[1.50]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        Message event;
        const char *frame = identified(frames[i], &event);
        assert_identity(&event);
        assert_int_equal(event.GPS_EVENT.captured_usec, NOW_USEC);
        assert_non_null(strstr(frame, "\"extra\":[1.50]"));
    }
}

static void a_capture_time_that_came_is_kept(void **state) {
    (void)state;
    Message event;
    identified("gps {" GPS ",\"captured_us\":5}", &event);
    assert_int_equal(event.GPS_EVENT.captured_usec, 5);
}

/* How many bytes a frame may have before its identity no longer fits, both sides of it. */
static void an_event_without_room_for_an_identity_is_refused(void **state) {
    (void)state;
    static char frame[GATE_FRAME_MAX_BYTES + 1], buffer[GATE_FRAME_MAX_BYTES];
    Problem problem;
    const char *start = "gps {" GPS ",\"x\":\"", *end = "\"}";
    size_t added =
        strlen(",\"producer_id\":\"broker@pc1\",\"epoch\":7,\"seq\":42,\"captured_us\":1770649800123456");
    size_t largest = GATE_FRAME_MAX_BYTES - 1 - added; /* snprintf keeps a byte for itself */
    for (size_t size = largest; size <= largest + 1; size++) {
        size_t fill = size - strlen(start) - strlen(end);
        snprintf(frame, sizeof frame, "%s%*s%s", start, (int)fill, "", end);
        assert_true(needs_identity(frame));
        int r = gate_add_identity(frame, size, &identity, (Wall){NOW_USEC}, buffer, &problem);
        assert_int_equal(r, size == largest ? GATE_FRAME_MAX_BYTES - 1 : -EMSGSIZE);
    }
    assert_non_null(strstr(problem.text, "expected at most 16384 bytes with an identity"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_that_says_who_made_it_goes_as_it_is),
        cmocka_unit_test(an_event_without_a_whole_identity_needs_one),
        cmocka_unit_test(a_tick_is_told_apart_and_nobody_made_it),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(identity_is_added_behind_what_came),
        cmocka_unit_test(half_an_identity_is_replaced_and_the_rest_kept),
        cmocka_unit_test(a_capture_time_that_came_is_kept),
        cmocka_unit_test(an_event_without_room_for_an_identity_is_refused),
    };
    return cmocka_run_group_tests(tests, make_gate, free_gate);
}
