/* The lists of words: complete, without repetition, found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/vocabulary.h"

#include <string.h>

static const struct {
    const char *const *words;
    int count;
} lists[] = {
    {direction_words, DIRECTION_COUNT},
    {colour_words, COLOUR_COUNT},
    {sensor_kind_words, SENSOR_KIND_COUNT},
    {traffic_state_words, TRAFFIC_STATE_COUNT},
    {decision_words, DECISION_COUNT},
    {signal_action_words, SIGNAL_ACTION_COUNT},
    {congestion_level_words, CONGESTION_LEVEL_COUNT},
    {reply_status_words, REPLY_STATUS_COUNT},
    {reply_cause_words, REPLY_CAUSE_COUNT},
    {signal_report_words, SIGNAL_REPORT_COUNT},
    {store_role_words, STORE_ROLE_COUNT},
};

static void every_word_is_found_at_its_own_index(void **state) {
    (void)state;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        assert_null(lists[l].words[lists[l].count]);
        for (int i = 0; i < lists[l].count; i++)
            assert_int_equal(word_index(lists[l].words, lists[l].words[i]), i);
    }
}

static void words_are_compared_whole_and_by_case(void **state) {
    (void)state;
    assert_int_equal(word_index(colour_words, "GREEN"), COLOUR_GREEN);
    assert_int_equal(word_index(colour_words, "green"), -1);
    assert_int_equal(word_index(colour_words, "GREE"), -1);
    assert_int_equal(word_index(colour_words, "GREENER"), -1);
    assert_int_equal(word_index(colour_words, ""), -1);
    assert_int_equal(word_index_sized(colour_words, "GREENER", 5), COLOUR_GREEN);
    assert_int_equal(word_index_sized(colour_words, "GREENER", 4), -1);
    assert_int_equal(word_index_sized(colour_words, "GREEN\0", 6), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_found_at_its_own_index),
        cmocka_unit_test(words_are_compared_whole_and_by_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
