/* Sentences about what went wrong, and "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/problem.h"

#include <errno.h>
#include <string.h>

static void setting_a_problem_returns_the_error_given(void **state) {
    (void)state;
    Problem problem;
    assert_int_equal(problem_set(&problem, -ERANGE, "expected %d, got %s", 5, "six"), -ERANGE);
    assert_string_equal(problem.text, "expected 5, got six");
}

static void nobody_has_to_listen_to_a_problem(void **state) {
    (void)state;
    assert_int_equal(problem_set(NULL, -EINVAL, "unheard"), -EINVAL);
}

static void overlong_sentence_is_cut_and_ends(void **state) {
    (void)state;
    Problem problem;
    char text[2 * sizeof problem.text];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    problem_set(&problem, -EINVAL, "%s", text);
    assert_int_equal(strlen(problem.text), sizeof problem.text - 1);
}

static const char *const known[] = {"interval", "seed", "mode", "bind_address"};

static void slip_of_the_pen_finds_the_word_meant(void **state) {
    (void)state;
    assert_string_equal(closest_word("intervall", known, ARRAY_LEN(known)), "interval");
    assert_string_equal(closest_word("intrval", known, ARRAY_LEN(known)), "interval");
    assert_string_equal(closest_word("bind_adress", known, ARRAY_LEN(known)), "bind_address");
    assert_string_equal(closest_word("mode", known, ARRAY_LEN(known)), "mode");
}

static void a_third_of_the_word_is_the_most_that_may_differ(void **state) {
    (void)state;
    assert_string_equal(closest_word("intXXval", known, ARRAY_LEN(known)), "interval"); /* 2 of 8 */
    assert_null(closest_word("iXXXrval", known, ARRAY_LEN(known)));                     /* 3 of 8 */
    assert_null(closest_word("colour", known, ARRAY_LEN(known)));
    assert_null(closest_word("", known, ARRAY_LEN(known)));
}

static void words_of_any_length_are_safe(void **state) {
    (void)state;
    char word[66];
    const char *const list[] = {word};
    memset(word, 'a', sizeof word);
    word[64] = '\0';
    assert_ptr_equal(closest_word(word, list, 1), word);
    word[64] = 'a';
    word[65] = '\0';
    assert_null(closest_word(word, list, 1));
    assert_null(closest_word("aaaa", list, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_a_problem_returns_the_error_given),
        cmocka_unit_test(nobody_has_to_listen_to_a_problem),
        cmocka_unit_test(overlong_sentence_is_cut_and_ends),
        cmocka_unit_test(slip_of_the_pen_finds_the_word_meant),
        cmocka_unit_test(a_third_of_the_word_is_the_most_that_may_differ),
        cmocka_unit_test(words_of_any_length_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
