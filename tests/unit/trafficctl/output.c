/* Tables, CSV and summaries from JSON. */
#include "output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const Column columns[] = {
    {"ID", "/id"}, {"TEXT", "/text"}, {"DEEP", "/deep/value"}, {"LIST", "/list"}};

static char *printed_rows(OutputFormat format, const char *json) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct json_object *rows = json_tokener_parse(json);
    assert_int_equal(output_rows(out, format, rows, columns, 4), 0);
    json_object_put(rows);
    fclose(out);
    return text;
}

static void csv_quotes_commas_quotes_and_line_breaks_only(void **state) {
    (void)state;
    char *text = printed_rows(OUTPUT_CSV,
                              "[{\"id\":1,\"text\":\"plain\"},{\"id\":2,\"text\":\"a,b\"},"
                              "{\"id\":3,\"text\":\"say \\\"no\\\"\"},{\"id\":4,\"text\":\"two\\nlines\"}]");
    assert_string_equal(
        text, "ID,TEXT,DEEP,LIST\n1,plain,,\n2,\"a,b\",,\n3,\"say \"\"no\"\"\",,\n4,\"two\nlines\",,\n");
    free(text);
}

static void nested_members_and_lists_are_shown(void **state) {
    (void)state;
    char *text = printed_rows(
        OUTPUT_CSV, "[{\"id\":1.5,\"text\":null,\"deep\":{\"value\":true},\"list\":[\"A\",\"B\"]}]");
    assert_string_equal(text, "ID,TEXT,DEEP,LIST\n1.5,,true,A B\n");
    free(text);
}

static void no_rows_leave_the_headings_in_csv(void **state) {
    (void)state;
    char *text = printed_rows(OUTPUT_CSV, "[]");
    assert_string_equal(text, "ID,TEXT,DEEP,LIST\n");
    free(text);
}

static void a_table_aligns_and_marks_what_is_absent(void **state) {
    (void)state;
    char *text = printed_rows(OUTPUT_TABLE, "[{\"id\":1,\"text\":\"longer than its heading\"}]");
    assert_non_null(strstr(text, "ID TEXT"));
    assert_non_null(strstr(text, "longer than its heading -"));
    free(text);
}

static void an_event_shows_its_readings_in_a_table_and_all_in_csv(void **state) {
    (void)state;
    static const Column event_columns[] = {{"EVENT", EVENT_POINTER}};
    const char *json = "[{\"event_data\":\"{\\\"sensor_id\\\":\\\"CAM\\\",\\\"volumen\\\":3,\\\"velocidad_"
                       "promedio\\\":41.5}\"},"
                       "{\"event_data\":\"no JSON\"}]";
    struct json_object *rows = json_tokener_parse(json);
    for (OutputFormat format = OUTPUT_TABLE; format <= OUTPUT_CSV; format++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        assert_int_equal(output_rows(out, format, rows, event_columns, 1), 0);
        fclose(out);
        assert_int_equal(strstr(text, "sensor_id") != NULL, format == OUTPUT_CSV);
        assert_int_equal(strstr(text, "volumen=3 velocidad_promedio=41.5\n-\n") != NULL,
                         format == OUTPUT_TABLE);
        free(text);
    }
    json_object_put(rows);
}

static void a_summary_is_one_line_per_member(void **state) {
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct json_object *object = json_tokener_parse("{\"id\":7,\"list\":[]}");
    assert_int_equal(output_summary(out, OUTPUT_CSV, object, columns, 4), 0);
    json_object_put(object);
    fclose(out);
    assert_string_equal(text, "WHAT,VALUE\nID,7\nTEXT,\nDEEP,\nLIST,\n");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_commas_quotes_and_line_breaks_only),
        cmocka_unit_test(nested_members_and_lists_are_shown),
        cmocka_unit_test(no_rows_leave_the_headings_in_csv),
        cmocka_unit_test(a_table_aligns_and_marks_what_is_absent),
        cmocka_unit_test(an_event_shows_its_readings_in_a_table_and_all_in_csv),
        cmocka_unit_test(a_summary_is_one_line_per_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
