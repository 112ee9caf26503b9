/* What json-c, even strict, lets through: one line for each, so that a newer json-c that changes its mind is
 * noticed by nobody but this file. The second half finds members in text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/json-text.h"

#include <errno.h>
#include <string.h>

static int check(const char *text, Refusal *ret_refusal, Problem *problem) {
    size_t n_members = 0;
    return strict_json_check(text, strlen(text), &n_members, ret_refusal, problem);
}

static void refuses(const char *text, Refusal expected) {
    Refusal refusal = REFUSAL_STALE;
    Problem problem = {{0}};
    if (check(text, &refusal, &problem) != -EBADMSG || refusal != expected)
        fail_msg("%s: expected %s, got %s (%s)", text, refusal_words[expected], refusal_words[refusal],
                 problem.text);
    assert_int_not_equal(*problem.text, '\0');
}

static void takes(const char *text) {
    Refusal refusal;
    Problem problem = {{0}};
    if (check(text, &refusal, &problem) < 0)
        fail_msg("%s: refused: %s", text, problem.text);
}

static void words_that_are_no_json_are_refused(void **state) {
    (void)state;
    refuses("{\"a\":NaN}", REFUSAL_NOT_JSON);
    refuses("{\"a\":Infinity}", REFUSAL_NOT_JSON);
    refuses("{\"a\":-Infinity}", REFUSAL_NOT_JSON);
    refuses("{'a':1}", REFUSAL_NOT_JSON);
    refuses("{\"a\":'x'}", REFUSAL_NOT_JSON);
    refuses("{\"a\":/**/1}", REFUSAL_NOT_JSON);
    refuses("{\"a\":\v1}", REFUSAL_NOT_JSON);
    refuses("{\"a\":\xC2\xA0"
            "1}",
            REFUSAL_NOT_JSON);
}

static void numbers_have_one_spelling(void **state) {
    (void)state;
    refuses("[01]", REFUSAL_NOT_JSON);
    refuses("[-01]", REFUSAL_NOT_JSON);
    refuses("[00]", REFUSAL_NOT_JSON);
    refuses("[1.]", REFUSAL_NOT_JSON);
    refuses("[1.e5]", REFUSAL_NOT_JSON);
    refuses("[-]", REFUSAL_NOT_JSON);
    refuses("[-.5]", REFUSAL_NOT_JSON);
    refuses("[.5]", REFUSAL_NOT_JSON);
    refuses("[+1]", REFUSAL_NOT_JSON);
    takes("[0]");
    takes("[-0]");
    takes("[0.5]");
    takes("[-0.25e-3,1E5,10,100]");
}

static void integers_that_would_be_bent_are_out_of_range(void **state) {
    (void)state;
    takes("[9999999999999999999]");
    refuses("[10000000000000000000]", REFUSAL_OUT_OF_RANGE);
    takes("[-999999999999999999]");
    refuses("[-1000000000000000000]", REFUSAL_OUT_OF_RANGE);
    takes("[10000000000000000000.0]");
    takes("[10000000000000000000e0]");
}

static void strings_hold_text_and_nothing_else(void **state) {
    (void)state;
    refuses("[\"\x01\"]", REFUSAL_NOT_JSON);
    refuses("[\"\n\"]", REFUSAL_NOT_JSON);
    refuses("[\"\\u0000\"]", REFUSAL_NOT_JSON);
    refuses("{\"a\\u0000\":1}", REFUSAL_NOT_JSON);
    refuses("[\"open]", REFUSAL_NOT_JSON);
    refuses("[\"open\\", REFUSAL_NOT_JSON);
    refuses("[\"open\\\"", REFUSAL_NOT_JSON);
    takes("[\"\\u0001\\n\\\\\\\"\"]");
}

static void lone_surrogates_are_no_text(void **state) {
    (void)state;
    refuses("[\"\\ud800\"]", REFUSAL_NOT_UTF8);
    refuses("[\"\\udfff\"]", REFUSAL_NOT_UTF8);
    refuses("[\"\\ud83d\\u0041\"]", REFUSAL_NOT_UTF8);
    refuses("[\"\\ud83d\\ud83d\"]", REFUSAL_NOT_UTF8);
    refuses("[\"\\uDE00\\uD83D\"]", REFUSAL_NOT_UTF8);
    refuses("[\"\\ud83d", REFUSAL_NOT_UTF8);
    takes("[\"\\ud83d\\ude00\"]");
    takes("[\"\\uD7FF\\uE000\"]");
}

static void nul_bytes_are_refused_wherever_they_are(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } texts[] = {{"{}\0", 3},   {"\0{}", 3},     {"[1\0]", 4}, {"[1.\0]", 5},
                 {"[1e\0]", 5}, {"[\"\0\"]", 5}, {"[t\0]", 4}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t n_members;
        Refusal refusal = REFUSAL_STALE;
        assert_int_equal(strict_json_check(texts[i].text, texts[i].size, &n_members, &refusal, NULL),
                         -EBADMSG);
        assert_int_equal(refusal, REFUSAL_NOT_JSON);
    }
}

static void problem_says_what_came_and_where(void **state) {
    (void)state;
    Refusal refusal;
    Problem problem;
    assert_int_equal(check("{\"a\": NaN}", &refusal, &problem), -EBADMSG);
    assert_string_equal(problem.text, "expected JSON at byte 6, got \"NaN}\"");
}

static void members_are_counted_at_all_depths_and_not_in_strings(void **state) {
    (void)state;
    static const char text[] = "{\"a:b\":\":\",\"c\":{\"d\":[{\"e\":1},{}]}}";
    size_t n_members = 0;
    assert_int_equal(strict_json_check(text, strlen(text), &n_members, &(Refusal){0}, NULL), 0);
    assert_int_equal(n_members, 4);
}

static void value_is(const char *text, size_t index, const char *expected) {
    JsonText value = object_text_value(text, strlen(text), index);
    assert_int_equal(value.size, strlen(expected));
    assert_memory_equal(value.text, expected, value.size);
}

static void value_is_the_slice_without_the_blanks_around_it(void **state) {
    (void)state;
    static const char text[] = "{ \"a\" : {\"b\":[1, {\"}\":\",\"}]} , \"c\":\"x\\\",}\" ,\"d\":[ ]\n}";
    value_is(text, 0, "{\"b\":[1, {\"}\":\",\"}]}");
    value_is(text, 1, "\"x\\\",}\"");
    value_is(text, 2, "[ ]");
}

static void elements_are(const char *text, const char *const *expected, size_t n_expected) {
    JsonText element;
    size_t at = 0, n = 0;
    for (; array_text_next((JsonText){text, strlen(text)}, &at, &element); n++) {
        assert_true(n < n_expected);
        assert_int_equal(element.size, strlen(expected[n]));
        assert_memory_equal(element.text, expected[n], element.size);
    }
    assert_int_equal(n, n_expected);
}

static void elements_of_an_array_are_slices_in_order(void **state) {
    (void)state;
    static const char *const all[] = {"{\"a\":[1,2]}", "\"],\\\"\"", "[ [], {} ]", "-1.5e3", "null"};
    elements_are("[ {\"a\":[1,2]} ,\"],\\\"\",[ [], {} ],\n-1.5e3,null ]", all, ARRAY_LEN(all));
    elements_are("[]", NULL, 0);
    elements_are("[ \t]", NULL, 0);
    elements_are("[[]]", (const char *const[]){"[]"}, 1);
}

static void depth_is(const char *text, size_t expected) {
    assert_int_equal(json_text_depth((JsonText){text, strlen(text)}), expected);
}

static void depth_counts_what_stands_inside_each_other(void **state) {
    (void)state;
    depth_is("5", 0);
    depth_is("[]", 1);
    depth_is("[[],{}]", 2);
    depth_is("{\"[[[[\":\"{{{\\\"{\"}", 1);
    depth_is("{\"a\":[{\"b\":[1]}],\"c\":[[]]}", 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_are_no_json_are_refused),
        cmocka_unit_test(numbers_have_one_spelling),
        cmocka_unit_test(integers_that_would_be_bent_are_out_of_range),
        cmocka_unit_test(strings_hold_text_and_nothing_else),
        cmocka_unit_test(lone_surrogates_are_no_text),
        cmocka_unit_test(nul_bytes_are_refused_wherever_they_are),
        cmocka_unit_test(problem_says_what_came_and_where),
        cmocka_unit_test(members_are_counted_at_all_depths_and_not_in_strings),
        cmocka_unit_test(value_is_the_slice_without_the_blanks_around_it),
        cmocka_unit_test(elements_of_an_array_are_slices_in_order),
        cmocka_unit_test(depth_counts_what_stands_inside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
