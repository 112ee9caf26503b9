/* What a hop looks like, what is not one, and that a frame comes back as it went. */
#include "wire/hop-text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STREAM UINT64_C(0x9f0c61d2a7b3e845)

static const Hop usual = {STREAM, 1763660000000000, 1234, 1200};
static const Hop smallest = {1, 0, 1, 1};
static const Hop largest = {UINT64_MAX, INT64_MAX - 1, INT64_MAX, INT64_MAX};

static char buffer[1024];

static void assert_put(const char *frame, const Hop *hop, const char *expected) {
    memset(buffer, '#', sizeof buffer);
    int size = hop_put(frame, strlen(frame), hop, buffer, sizeof buffer);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(buffer, expected, strlen(expected));
    assert_int_equal(buffer[size], '#');
}

static void assert_hop(const Hop *a, const Hop *b) {
    assert_int_equal(a->stream, b->stream);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->oldest, b->oldest);
}

static void assert_no_hop(const char *frame) {
    Hop hop = {42, 42, 42, 42};
    size_t size = 42;
    char untouched[4] = "###";
    if (hop_find(frame, strlen(frame), &hop, &size) || hop_take(frame, strlen(frame), &hop, untouched, &size))
        fail_msg("found a hop in %s", frame);
    assert_hop(&hop, &(Hop){42, 42, 42, 42});
    assert_int_equal(size, 42);
    assert_string_equal(untouched, "###");
}

/* A frame whose hop's value is `value`. */
static void assert_no_value(const char *value) {
    char frame[256];
    (void)snprintf(frame, sizeof frame, "gps {\"a\":1,\"hop\":\"%s\"}", value);
    assert_no_hop(frame);
}

static void a_hop_is_the_last_member(void **state) {
    (void)state;
    assert_put("gps {\"a\":1}", &usual,
               "gps {\"a\":1,\"hop\":\"9f0c61d2a7b3e845.1763660000000000.1234.1200\"}");
    assert_put("{\"type\":\"x\",\"data\":{}}", &smallest,
               "{\"type\":\"x\",\"data\":{},\"hop\":\"0000000000000001.0.1.1\"}");
}

static void an_empty_object_gets_no_comma(void **state) {
    (void)state;
    assert_put("{}", &smallest, "{\"hop\":\"0000000000000001.0.1.1\"}");
    assert_put("gps { \t\r\n}", &smallest, "gps { \t\r\n\"hop\":\"0000000000000001.0.1.1\"}");
}

static void a_frame_comes_back_as_it_went(void **state) {
    (void)state;
    const char *const frames[] = {"gps {\"a\":1}", "{}",   "x { }",           "{\"a\":{\"b\":[1,2]}}",
                                  "{\"a\":1 }",    "a}b}", "{\"hop\":\"x\"}", "}"};
    const Hop *const hops[] = {&usual, &smallest, &largest};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        for (size_t j = 0; j < 3; j++) {
            Hop hop;
            char own[256];
            size_t size = 0;
            int with_hop = hop_put(frames[i], strlen(frames[i]), hops[j], buffer, sizeof buffer);
            assert_true(with_hop > 0);
            assert_true((size_t)with_hop <= strlen(frames[i]) + HOP_TEXT_MAX_BYTES);
            assert_true(hop_find(buffer, (size_t)with_hop, &hop, &size));
            assert_int_equal(size, strlen(frames[i]) - 1);
            assert_true(hop_take(buffer, (size_t)with_hop, &hop, own, &size));
            assert_hop(&hop, hops[j]);
            assert_int_equal(size, strlen(frames[i]));
            assert_memory_equal(own, frames[i], size);
        }
}

static void the_last_of_two_hops_is_the_hop(void **state) {
    (void)state;
    int size = hop_put("{\"a\":1,\"hop\":\"0000000000000001.0.1.1\"}", 38, &usual, buffer, sizeof buffer);
    assert_true(size > 0);
    Hop hop;
    size_t own = 0;
    assert_true(hop_find(buffer, (size_t)size, &hop, &own));
    assert_hop(&hop, &usual);
    assert_int_equal(own, 37);
}

static void a_frame_without_its_brace_gets_no_hop(void **state) {
    (void)state;
    assert_int_equal(hop_put("", 0, &usual, buffer, sizeof buffer), -EBADMSG);
    assert_int_equal(hop_put("gps", 3, &usual, buffer, sizeof buffer), -EBADMSG);
    assert_int_equal(hop_put("{} ", 3, &usual, buffer, sizeof buffer), -EBADMSG);
}

static void what_does_not_fit_is_refused_by_the_byte(void **state) {
    (void)state;
    const size_t needed = strlen("{\"a\":1,\"hop\":\"0000000000000001.0.1.1\"}");
    memset(buffer, '#', sizeof buffer);
    assert_int_equal(hop_put("{\"a\":1}", 7, &smallest, buffer, needed - 1), -EMSGSIZE);
    assert_int_equal(buffer[0], '#');
    assert_int_equal(hop_put("{\"a\":1}", 7, &smallest, buffer, needed), needed);
}

static void a_frame_without_a_hop_has_none(void **state) {
    (void)state;
    assert_no_hop("");
    assert_no_hop("}");
    assert_no_hop("\"}");
    assert_no_hop("gps {\"a\":1}");
    assert_no_hop("gps {\"a\":\"0000000000000001.0.1.1\"}");
    assert_no_hop("\"hop\":\"");
    assert_no_hop("\"hop\":\"\"}");
}

static void only_the_last_member_of_the_outer_object_is_a_hop(void **state) {
    (void)state;
    assert_no_hop("{\"hop\":\"0000000000000001.0.1.1\",\"a\":1}");
    assert_no_hop("{\"a\":{\"hop\":\"0000000000000001.0.1.1\"}}");
    assert_no_hop("{\"a\":1,\"hop\":\"0000000000000001.0.1.1\"} ");
    assert_no_hop("{\"a\":1, \"hop\":\"0000000000000001.0.1.1\"}");
    assert_no_hop("{\"a\":1,\"hop\": \"0000000000000001.0.1.1\"}");
    assert_no_hop("{\"a\":1,\"hop\":\"0000000000000001.0.1.1\" }");
    assert_no_hop("{\"a\":1 \"hop\":\"0000000000000001.0.1.1\"}");
    assert_no_hop("{\"a\":\",\\\"hop\":\"0000000000000001.0.1.1\"}");
    assert_no_hop("{,\"hop\":\"0000000000000001.0.1.1\"}");
    assert_no_hop("{\"a\":1,\"xhop\":\"0000000000000001.0.1.1\"}");
    assert_no_hop("\"hop\":\"0000000000000001.0.1.1\"}");
}

static void there_is_one_way_to_write_each_number(void **state) {
    (void)state;
    assert_no_value("000000000000001.0.1.1");
    assert_no_value("00000000000000001.0.1.1");
    assert_no_value("000000000000000A.0.1.1");
    assert_no_value("000000000000000g.0.1.1");
    assert_no_value("0000000000000001.00.1.1");
    assert_no_value("0000000000000001.0.01.1");
    assert_no_value("0000000000000001.0.1.01");
    assert_no_value("0000000000000001.+0.1.1");
    assert_no_value("0000000000000001.-1.1.1");
    assert_no_value("0000000000000001..1.1");
    assert_no_value("0000000000000001.0..1");
    assert_no_value("0000000000000001.0.1.");
    assert_no_value("0000000000000001.0.1");
    assert_no_value("0000000000000001.0.1.1.");
    assert_no_value("0000000000000001.0.1.1.1");
    assert_no_value("0000000000000001,0.1.1");
    assert_no_value("0000000000000001.0x1.1.1");
    assert_no_value(" 0000000000000001.0.1.1");
    assert_no_value("0000000000000001.0.1.1 ");
    assert_no_value("0000000000000001.0.1.1\\");
}

static void what_no_writer_can_say_is_no_hop(void **state) {
    (void)state;
    assert_no_value("0000000000000000.0.1.1");
    assert_no_value("0000000000000001.0.0.0");
    assert_no_value("0000000000000001.0.1.0");
    assert_no_value("0000000000000001.0.1.2");
    assert_no_value("0000000000000001.9223372036854775807.1.1");
    assert_no_value("0000000000000001.9223372036854775808.1.1");
    assert_no_value("0000000000000001.0.9223372036854775808.1");
    assert_no_value("0000000000000001.0.18446744073709551617.1");
    assert_no_value("0000000000000001.0.10000000000000000000000.1");
}

static void streams_are_sixteen_digits_and_not_zero(void **state) {
    (void)state;
    char text[HOP_STREAM_TEXT_SIZE];
    uint64_t stream = 42;
    hop_stream_text(STREAM, text);
    assert_string_equal(text, "9f0c61d2a7b3e845");
    assert_true(hop_stream_parse(text, &stream));
    assert_int_equal(stream, STREAM);
    hop_stream_text(1, text);
    assert_string_equal(text, "0000000000000001");

    const char *const wrong[] = {"",
                                 "1",
                                 "0000000000000000",
                                 "000000000000001",
                                 "00000000000000001",
                                 "9F0C61D2A7B3E845",
                                 "9f0c61d2a7b3e84 ",
                                 "0x0c61d2a7b3e845"};
    stream = 42;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(hop_stream_parse(wrong[i], &stream));
    assert_int_equal(stream, 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hop_is_the_last_member),
        cmocka_unit_test(an_empty_object_gets_no_comma),
        cmocka_unit_test(a_frame_comes_back_as_it_went),
        cmocka_unit_test(the_last_of_two_hops_is_the_hop),
        cmocka_unit_test(a_frame_without_its_brace_gets_no_hop),
        cmocka_unit_test(what_does_not_fit_is_refused_by_the_byte),
        cmocka_unit_test(a_frame_without_a_hop_has_none),
        cmocka_unit_test(only_the_last_member_of_the_outer_object_is_a_hop),
        cmocka_unit_test(there_is_one_way_to_write_each_number),
        cmocka_unit_test(what_no_writer_can_say_is_no_hop),
        cmocka_unit_test(streams_are_sixteen_digits_and_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
