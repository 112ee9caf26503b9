/* Which answers are due, and that they come in order and whole. */
#include "relay-answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static RelayAnswers *answers;

static int make_answers(void **state) {
    (void)state;
    return relay_answers_new(&answers);
}

static int free_answers(void **state) {
    (void)state;
    answers = relay_answers_free(answers);
    return 0;
}

static void owe(uint64_t position, const char *id) {
    RelayId relay_id;
    snprintf(relay_id.json, sizeof relay_id.json, "%s", id);
    assert_int_equal(relay_answers_owe(answers, position, &relay_id), 0);
}

static void assert_next(uint64_t committed, const char *expected) {
    RelayAnswer answer;
    assert_true(relay_answers_next(answers, committed, &answer));
    assert_string_equal(answer.text, expected);
    assert_int_equal(answer.size, strlen(expected));
}

static void assert_none(uint64_t committed) {
    RelayAnswer answer = {.size = 77};
    assert_false(relay_answers_next(answers, committed, &answer));
    assert_int_equal(answer.size, 77);
}

static void nothing_is_due_when_nothing_is_owed(void **state) {
    (void)state;
    assert_none(UINT64_MAX);
}

static void an_answer_is_due_when_its_position_is_committed_and_not_before(void **state) {
    (void)state;
    owe(7, "1");
    assert_none(6);
    assert_next(7, "{\"ack\":1}");
    assert_none(UINT64_MAX);
}

static void answers_come_in_the_order_of_their_packets(void **state) {
    (void)state;
    owe(3, "\"c\"");
    owe(5, "\"a\""); /* position 4 is another client's */
    owe(9, "\"b\"");
    assert_next(5, "{\"ack\":\"c\"}");
    assert_next(5, "{\"ack\":\"a\"}");
    assert_none(8);
    assert_next(9, "{\"ack\":\"b\"}");
}

static void the_longest_id_comes_back_whole(void **state) {
    (void)state;
    RelayId id;
    char expected[sizeof id.json + 16];
    id.json[0] = '"';
    for (size_t i = 0; i < RELAY_ID_MAX_BYTES; i++)
        memcpy(id.json + 1 + 6 * i, "\\u001f", 6);
    strcpy(id.json + 1 + 6 * RELAY_ID_MAX_BYTES, "\"");
    assert_int_equal(relay_answers_owe(answers, 1, &id), 0);
    snprintf(expected, sizeof expected, "{\"ack\":%s}", id.json);
    assert_next(1, expected);
}

static void as_many_are_owed_as_readings_may_wait(void **state) {
    (void)state;
    enum { MANY = 100000 };
    char id[16], expected[32];
    for (unsigned i = 1; i <= MANY; i++) {
        snprintf(id, sizeof id, "%u", i);
        owe(i, id);
    }
    for (unsigned i = 1; i <= MANY; i++) {
        snprintf(expected, sizeof expected, "{\"ack\":%u}", i);
        assert_next(MANY, expected);
    }
    assert_none(MANY);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_answers, free_answers)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_due_when_nothing_is_owed),
        TEST(an_answer_is_due_when_its_position_is_committed_and_not_before),
        TEST(answers_come_in_the_order_of_their_packets),
        TEST(the_longest_id_comes_back_whole),
        TEST(as_many_are_owed_as_readings_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
