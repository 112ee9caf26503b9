/* Elements and depth are found in text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/json-text.h"

#include <string.h>

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
        cmocka_unit_test(elements_of_an_array_are_slices_in_order),
        cmocka_unit_test(depth_counts_what_stands_inside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
