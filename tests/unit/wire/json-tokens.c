/* What is JSON and what is not, with a line for each thing that json-c lets through even when it is strict; then what the
 * tokens say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/json-tokens.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static JsonTokens *tokens;

static int set_up(void **state) {
    (void)state;
    return json_tokens_new(&tokens);
}

static int tear_down(void **state) {
    (void)state;
    tokens = json_tokens_free(tokens);
    return 0;
}

/* The sentence of the refusal. */
static Problem refuses_bytes(const char *text, size_t size, Refusal expected) {
    Refusal refusal = REFUSAL_STALE;
    Problem problem = {{0}};
    if (json_tokens_read(tokens, text, size, &refusal, &problem) != -EBADMSG || refusal != expected)
        fail_msg("%.*s: expected %s, got %s (%s)", (int)size, text, refusal_words[expected],
                 refusal_words[refusal], problem.text);
    assert_int_not_equal(*problem.text, '\0');
    return problem;
}

static Problem refuses(const char *text, Refusal expected) {
    return refuses_bytes(text, strlen(text), expected);
}

static const JsonToken *takes(const char *text) {
    Refusal refusal;
    Problem problem = {{0}};
    if (json_tokens_read(tokens, text, strlen(text), &refusal, &problem) < 0)
        fail_msg("%s: refused: %s", text, problem.text);
    return json_tokens_root(tokens);
}

typedef struct Wrapped {
    char text[256];
} Wrapped;

/* {"v":VALUE}: nothing else can be what is wrong with it. */
static Wrapped in_object(const char *value) {
    Wrapped wrapped;
    assert_true(snprintf(wrapped.text, sizeof wrapped.text, "{\"v\":%s}", value) < (int)sizeof wrapped.text);
    return wrapped;
}

static Problem refuses_value(const char *value, Refusal expected) {
    return refuses(in_object(value).text, expected);
}

static Wrapped taken; /* as long as its tokens are used */

static const JsonToken *takes_value(const char *value) {
    taken = in_object(value);
    return takes(taken.text) + 2;
}

static const JsonToken *member(const JsonToken *object, const char *name) {
    uint32_t hint = 0;
    return json_tokens_member(tokens, object, name, &hint);
}

/* --- what is refused --- */

static void words_that_are_no_json_are_refused(void **state) {
    (void)state;
    static const char *const values[] = {
        "NaN", "Infinity", "-Infinity", "'x'", "/**/1", "\v1",     "\xC2\xA0[]", "True", "TRUE",
        "nul", "nulll",    "undefined", "",    "0x1F",  "\\u0031", "\"a\"\"b\"", "1 2"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        refuses_value(values[i], REFUSAL_NOT_JSON);
    refuses("{'a':1}", REFUSAL_NOT_JSON);
    refuses("{a:1}", REFUSAL_NOT_JSON);
}

static void brackets_commas_and_colons_are_where_they_belong(void **state) {
    (void)state;
    static const char *const values[] = {"[1,]",
                                         "[,1]",
                                         "[,]",
                                         "[1 2]",
                                         "[1",
                                         "[1}",
                                         "]",
                                         "{,}",
                                         "{\"a\"}",
                                         "{\"a\":}",
                                         "{\"a\":1,}",
                                         "{\"a\" 1}",
                                         "{\"a\":1 \"b\":2}",
                                         "{\"a\"::1}",
                                         "{1:1}",
                                         "{\"a\":1]",
                                         "{null:1}"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        refuses_value(values[i], REFUSAL_NOT_JSON);
    static const char *const texts[] = {"",  " ", "[]",  "5",    "\"x\"",   "null",
                                        "{", "}", "{}x", "{}{}", "{} null", "{}]"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        refuses(texts[i], REFUSAL_NOT_JSON);
    takes(" \t\r\n{ \"a\" : [ 1 , { } , [ ] ] , \"b\" : { \"c\" : null } } \n");
    takes("{}");
}

static void numbers_have_one_spelling(void **state) {
    (void)state;
    static const char *const values[] = {"01", "-01", "00",  "1.",  "1.e5",  "-",   "-.5",  ".5",
                                         "+1", "1e",  "1e+", "1E-", "1.5.5", "1-2", "1e5.", "--1"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        refuses_value(values[i], REFUSAL_NOT_JSON);
    takes_value("[0,-0,0.5,-0.25e-3,1E5,1e+5,10,100]");
}

static void integers_that_would_be_bent_are_out_of_range(void **state) {
    (void)state;
    takes_value("9999999999999999999");
    refuses_value("10000000000000000000", REFUSAL_OUT_OF_RANGE);
    takes_value("-999999999999999999");
    refuses_value("-1000000000000000000", REFUSAL_OUT_OF_RANGE);
    takes_value("10000000000000000000.0");
    takes_value("10000000000000000000e0");
}

static void numbers_beyond_a_double_are_out_of_range(void **state) {
    (void)state;
    refuses_value("1e309", REFUSAL_OUT_OF_RANGE);
    refuses_value("[-1.8e308]", REFUSAL_OUT_OF_RANGE);
    takes_value("1.7e308");
    takes_value("1e-400");
}

static void strings_hold_text_and_nothing_else(void **state) {
    (void)state;
    static const char *const values[] = {"\"\x01\"",    "\"\n\"",      "\"\\n\n\"",
                                         "\"\\u0000\"", "\"\\x\"",     "\"\\u12\"",
                                         "\"\\u12G4\"", "\"\\U0041\"", "{\"a\\u0000\":1}"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        refuses_value(values[i], REFUSAL_NOT_JSON);
    refuses("{\"v\":\"open}", REFUSAL_NOT_JSON);
    refuses("{\"v\":\"open\\", REFUSAL_NOT_JSON);
    refuses("{\"v\":\"open\\\"", REFUSAL_NOT_JSON);
    takes_value("\"\\u0001\\n\\\\\\\"\"");
}

static void lone_surrogates_are_no_text(void **state) {
    (void)state;
    refuses_value("\"\\ud800\"", REFUSAL_NOT_UTF8);
    refuses_value("\"\\udfff\"", REFUSAL_NOT_UTF8);
    refuses_value("\"\\ud83d\\u0041\"", REFUSAL_NOT_UTF8);
    refuses_value("\"\\ud83d\\ud83d\"", REFUSAL_NOT_UTF8);
    refuses_value("\"\\uDE00\\uD83D\"", REFUSAL_NOT_UTF8);
    refuses("{\"v\":\"\\ud83d", REFUSAL_NOT_UTF8);
    takes_value("\"\\ud83d\\ude00\"");
    takes_value("\"\\uD7FF\\uE000\"");
}

static void nul_bytes_are_refused_wherever_they_are(void **state) {
    (void)state;
    static const char text[] = "{\"v\":[1.5e1,\"x\",true,{}]}";
    for (size_t i = 0; i <= strlen(text); i++) {
        char with_nul[sizeof text + 1];
        memcpy(with_nul, text, i);
        with_nul[i] = '\0';
        memcpy(with_nul + i + 1, text + i, sizeof text - i);
        refuses_bytes(with_nul, sizeof text, REFUSAL_NOT_JSON);
    }
}

/* Each beginning of it, in memory of just that size: reading behind its end is seen by the sanitizers. */
static void no_text_is_read_beyond_its_end(void **state) {
    (void)state;
    static const char text[] = "{\"v\":[-1.5e-10,\"\\u0041\\n\",true,{\"a\":null}]}";
    for (size_t i = 0; i < strlen(text); i++) {
        char *begun = malloc(i > 0 ? i : 1);
        assert_non_null(begun);
        memcpy(begun, text, i);
        refuses_bytes(begun, i, REFUSAL_NOT_JSON);
        free(begun);
    }
}

static void names_stand_once_in_an_object(void **state) {
    (void)state;
    refuses("{\"a\":1,\"b\":2,\"a\":1}", REFUSAL_NOT_JSON);
    refuses("{\"a\":1,\"\\u0061\":1}", REFUSAL_NOT_JSON);
    refuses("{\"\":1,\"\":1}", REFUSAL_NOT_JSON);
    refuses("{\"ab\":1,\"abcb\":2,\"cb\":3,\"ab\":4}", REFUSAL_NOT_JSON);
    takes("{\"axb\":1,\"ayb\":2,\"azb\":3}"); /* of one kind: length, first and last byte */
    refuses_value("[{\"c\":{\"d\":[],\"d\":[]}}]", REFUSAL_NOT_JSON);
    takes("{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]},\"aa\":1,\"A\":1}");
}

/* "n0" and on, the last of them again a name that was there when `repeats`. */
static size_t write_members(char *text, int n, int repeats) {
    size_t size = (size_t)sprintf(text, "{");
    for (int i = 0; i < n; i++)
        size +=
            (size_t)sprintf(text + size, "%s\"n%d\":{\"n\":%d}", i ? "," : "", i == n - 1 ? repeats : i, i);
    return size + (size_t)sprintf(text + size, "}");
}

static void names_stand_once_in_objects_of_any_size(void **state) {
    (void)state;
    static char text[64 * 1024];
    for (int n = 2; n < 2000; n += n < 60 ? 1 : 97) {
        for (int repeats = 0; repeats < n - 1; repeats += n < 60 ? 1 : 311)
            refuses_bytes(text, write_members(text, n, repeats), REFUSAL_NOT_JSON);
        write_members(text, n, n - 1);
        takes(text);
    }
}

static void problem_says_what_came_and_where(void **state) {
    (void)state;
    assert_string_equal(refuses("{\"a\": NaN}", REFUSAL_NOT_JSON).text,
                        "expected JSON at byte 6, got \"NaN}\"");
    assert_string_equal(refuses("{\"a\":[1}", REFUSAL_NOT_JSON).text,
                        "expected a comma or the end of the array at byte 7, got \"}\"");
    assert_string_equal(refuses("{\"a\":", REFUSAL_NOT_JSON).text,
                        "expected JSON at byte 5, got the end of the text");
    assert_string_equal(refuses("{\"a\":-01.5}", REFUSAL_NOT_JSON).text,
                        "expected a JSON number at byte 5, got \"-01.5}\"");
}

/* --- what the tokens say --- */

static void tokens_stand_as_in_the_text_and_know_where_they_end(void **state) {
    (void)state;
    static const JsonToken expected[] = {{.kind = JSON_OBJECT, .begin = 1, .end = 43, .next = 11},
                                         {.kind = JSON_STRING, .begin = 3, .end = 6, .next = 2},
                                         {.kind = JSON_ARRAY, .begin = 9, .end = 24, .next = 7},
                                         {.kind = JSON_INTEGER, .begin = 11, .end = 13, .next = 4},
                                         {.kind = JSON_DECIMAL, .begin = 14, .end = 17, .next = 5},
                                         {.kind = JSON_OBJECT, .begin = 18, .end = 20, .next = 6},
                                         {.kind = JSON_ARRAY, .begin = 21, .end = 23, .next = 7},
                                         {.kind = JSON_STRING, .begin = 25, .end = 28, .next = 8},
                                         {.kind = JSON_TRUE, .begin = 29, .end = 33, .next = 9},
                                         {.kind = JSON_STRING, .begin = 34, .end = 37, .next = 10},
                                         {.kind = JSON_NULL, .begin = 38, .end = 42, .next = 11}};
    const JsonToken *root = takes(" { \"a\" : [ -1,2e5,{},[]],\"b\":true,\"c\":null} ");
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(root[i].kind, expected[i].kind);
        assert_int_equal(root[i].begin, expected[i].begin);
        assert_int_equal(root[i].end, expected[i].end);
        assert_int_equal(root[i].next, expected[i].next);
    }
    assert_int_equal(json_tokens_depth(tokens), 3);
}

static void says(const JsonToken *token, const char *expected) {
    assert_int_equal(token->kind, JSON_STRING);
    assert_int_equal(token->size, strlen(expected));
    assert_memory_equal(token->text, expected, token->size);
}

static void strings_say_what_their_escapes_mean(void **state) {
    (void)state;
    says(takes_value("\"plain \xC3\xB1\""), "plain \xC3\xB1");
    says(takes_value("\"\""), "");
    says(takes_value("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t");
    says(takes_value("\"a\\u0062c\\u00f1\\u20AC\\ud83d\\ude00z\""),
         "abc\xC3\xB1\xE2\x82\xAC\xF0\x9F\x98\x80z");
    says(takes_value("\"\\u007f\\u0080\\u07FF\\u0800\\uFFFF\""),
         "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF");
    says(takes_value("\"\\ud836\\ude00\""), "\xF0\x9D\xA8\x80"); /* json-c 0.16: U+FFFD */
    const JsonToken *root = takes("{\"\\u0061\":\"\\u0062\",\"c\":\"\\\\d\",\"e\":\"f\"}");
    says(&root[1], "a");
    says(&root[2], "b");
    says(&root[4], "\\d");
    says(&root[6], "f");
}

static void numbers_are_what_they_are_worth(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double number;
    } numbers[] = {{"0", 0},
                   {"-0", 0},
                   {"-7", -7},
                   {"31.5", 31.5},
                   {"-0.25e-3", -0.25e-3},
                   {"1E5", 1e5},
                   {"0.1", 0.1},
                   {"9999999999999999999", 1e19},
                   {"-999999999999999999", -1e18},
                   {"1.7976931348623157e308", 1.7976931348623157e308},
                   {"1e-400", 0}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const JsonToken *token = takes_value(numbers[i].text);
        assert_true(json_token_is_number(token));
        assert_true(json_tokens_number(tokens, token) == numbers[i].number);
    }
    assert_false(json_token_is_number(takes_value("\"5\"")));
    assert_false(json_token_is_number(takes_value("true")));
}

static void decimals_are_what_strtod_reads(void **state) {
    (void)state;
    uint64_t random = 1;
    for (unsigned i = 0; i < 50000; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        char text[64];
        unsigned n_whole = 1 + (unsigned)(random >> 60) % 10, n_decimals = 1 + i % 12;
        int n = snprintf(text, sizeof text, "%s%.*s", random & 1 ? "-" : "", (int)n_whole, "1234567890");
        (void)snprintf(text + n, sizeof text - (size_t)n, ".%0*llu", (int)n_decimals,
                       (unsigned long long)(random >> 24));
        const JsonToken *token = takes_value(text);
        assert_int_equal(token->kind, JSON_DECIMAL);
        assert_true(json_tokens_number(tokens, token) == strtod(text, NULL));
    }
    assert_true(signbit(json_tokens_number(tokens, takes_value("-0.0"))));
}

static void whole_numbers_are_those_that_fit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_whole;
        int64_t number;
    } numbers[] = {{"5", true, 5},
                   {"-5", true, -5},
                   {"-0", true, 0},
                   {"3.0", true, 3},
                   {"3e2", true, 300},
                   {"3.5", false, 0},
                   {"9223372036854775807", true, INT64_MAX},
                   {"9223372036854775808", false, 0},
                   {"-999999999999999999", true, -999999999999999999},
                   {"9.3e18", false, 0},
                   {"-9.3e18", false, 0}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        int64_t number = 0;
        const JsonToken *token = takes_value(numbers[i].text);
        assert_int_equal(json_tokens_whole_number(tokens, token, &number), numbers[i].is_whole);
        assert_true(number == numbers[i].number);
    }
}

static void members_are_found_in_any_order_and_not_in_what_is_inside(void **state) {
    (void)state;
    const JsonToken *root = takes("{\"a\":{\"x\":1,\"b\":2},\"b\":3,\"\\u0063\":[{\"d\":4}],\"e\":\"d\"}");
    static const char *const orders[][4] = {{"a", "b", "c", "e"}, {"e", "c", "b", "a"}, {"b", "b", "e", "a"}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        uint32_t hint = 0;
        for (size_t j = 0; j < 4; j++) {
            const JsonToken *value = json_tokens_member(tokens, root, orders[i][j], &hint);
            assert_non_null(value);
            assert_ptr_equal(value, member(root, orders[i][j]));
            says(value - 1, orders[i][j]);
            assert_null(json_tokens_member(tokens, root, "d", &hint));
        }
    }
    assert_true(json_tokens_number(tokens, member(member(root, "a"), "b")) == 2);
    assert_null(member(root, "x"));
    assert_null(member(root, ""));
    assert_null(member(takes("{}"), "a"));
}

static void source_is_the_slice_of_the_text(void **state) {
    (void)state;
    const JsonToken *value = takes_value("[1, {\"}\":\",\"} ]");
    JsonText source = json_tokens_source(tokens, value);
    assert_int_equal(source.size, strlen("[1, {\"}\":\",\"} ]"));
    assert_memory_equal(source.text, "[1, {\"}\":\",\"} ]", source.size);
}

static void elements_are_counted_without_what_is_inside_them(void **state) {
    (void)state;
    assert_int_equal(json_tokens_n_elements(tokens, takes_value("[]")), 0);
    assert_int_equal(json_tokens_n_elements(tokens, takes_value("[[1,2],{\"a\":[3]},4]")), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_are_no_json_are_refused),
        cmocka_unit_test(brackets_commas_and_colons_are_where_they_belong),
        cmocka_unit_test(numbers_have_one_spelling),
        cmocka_unit_test(integers_that_would_be_bent_are_out_of_range),
        cmocka_unit_test(numbers_beyond_a_double_are_out_of_range),
        cmocka_unit_test(strings_hold_text_and_nothing_else),
        cmocka_unit_test(lone_surrogates_are_no_text),
        cmocka_unit_test(nul_bytes_are_refused_wherever_they_are),
        cmocka_unit_test(no_text_is_read_beyond_its_end),
        cmocka_unit_test(names_stand_once_in_an_object),
        cmocka_unit_test(names_stand_once_in_objects_of_any_size),
        cmocka_unit_test(problem_says_what_came_and_where),
        cmocka_unit_test(tokens_stand_as_in_the_text_and_know_where_they_end),
        cmocka_unit_test(strings_say_what_their_escapes_mean),
        cmocka_unit_test(numbers_are_what_they_are_worth),
        cmocka_unit_test(decimals_are_what_strtod_reads),
        cmocka_unit_test(whole_numbers_are_those_that_fit),
        cmocka_unit_test(members_are_found_in_any_order_and_not_in_what_is_inside),
        cmocka_unit_test(source_is_the_slice_of_the_text),
        cmocka_unit_test(elements_are_counted_without_what_is_inside_them),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
