/* Published detector files: order, repetition, gaps, bad rows, all of it told. The synthetic files are in
 * data/. */
#include "recording-test.h"

#include "convert.h"
#include "samples.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was told on the last reading. */
static char *told;
static size_t told_size;

static Wall wall(const char *text) {
    Wall at = {0};
    assert_int_equal(timestamp_parse(text, strlen(text), &at), 0);
    return at;
}

static Samples read_samples(const char *format, const char *path) {
    Problem problem = {.text = ""};
    Samples samples = {0};
    free(told);
    FILE *out = open_memstream(&told, &told_size);
    const ConvertFormat *known = convert_format_find(format, &problem);
    assert_non_null(known);
    int r = samples_read(&known->source, (char *[]){(char *)path}, 1, out, &samples, &problem);
    assert_string_equal(r < 0 ? problem.text : "", "");
    fclose(out);
    return samples;
}

static void assert_told(const char *what) {
    if (!strstr(told, what))
        fail_msg("expected \"%s\" in:\n%s", what, told);
}

static void counts_come_in_order_each_hour_once(void **state) {
    (void)state;
    Samples samples = read_samples("uci-traffic-volume", DATA_DIR "/counts.csv");
    static const struct {
        const char *at;
        double value;
    } expected[] = {{"2012-11-03T23:00:00Z", 120},
                    {"2012-11-04T00:00:00Z", 700},
                    {"2012-11-04T01:00:00Z", 401},
                    {"2012-11-04T05:00:00Z", 6001},
                    {"2012-11-04T06:00:00Z", 0}};
    assert_int_equal(samples.n, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_string_equal(timestamp_format(samples.items[i].at).text, expected[i].at);
        assert_true(samples.items[i].value == expected[i].value);
    }
    samples_clear(&samples);
}

static void everything_wrong_is_counted_and_named_with_its_line(void **state) {
    (void)state;
    Samples samples = read_samples("uci-traffic-volume", DATA_DIR "/counts.csv");
    assert_int_equal(samples.n_rows, 13);
    assert_int_equal(samples.n_repeated, 2);
    assert_int_equal(samples.n_conflicting, 1);
    assert_int_equal(samples.n_bad_rows, 5);
    assert_int_equal(samples.n_rows,
                     samples.n + samples.n_repeated + samples.n_conflicting + samples.n_bad_rows);
    assert_told("counts.csv:7: row left out: 2012-11-04T01:00:00Z is there already with 401");
    assert_told("counts.csv:8: row left out: traffic_volume: expected 0 to 100000 vehicles, got \"many\"");
    assert_told("counts.csv:9: row left out: traffic_volume: expected 0 to 100000 vehicles, got \"-1\"");
    assert_told("counts.csv:10: row left out: date_time: expected a time that is a multiple of 3600 s, got "
                "\"11/4/12 4:30\"");
    assert_told("counts.csv:11: row left out: date_time: expected a date and time, got \"13/4/12 4:00\"");
    assert_told("counts.csv:12: row left out: expected a field 8");
    samples_clear(&samples);
}

static void gaps_are_told_where_they_are(void **state) {
    (void)state;
    Samples samples = read_samples("uci-traffic-volume", DATA_DIR "/counts.csv");
    free(told);
    FILE *out = open_memstream(&told, &told_size);
    samples_select(&samples, wall("2012-11-03T23:00:00Z"), wall("2012-11-04T07:00:00Z"), out);
    fclose(out);
    assert_int_equal(samples.n, 5);
    assert_int_equal(samples.n_gaps, 1);
    assert_int_equal(samples.n_missing, 3);
    assert_string_equal(told, "gap: 3 missing from 2012-11-04T02:00:00Z to 2012-11-04T05:00:00Z\n");
    samples_clear(&samples);
}

static void gaps_at_both_ends_of_what_was_asked_for_count(void **state) {
    (void)state;
    Samples samples = read_samples("uci-traffic-volume", DATA_DIR "/counts.csv");
    free(told);
    FILE *out = open_memstream(&told, &told_size);
    samples_select(&samples, wall("2012-11-04T04:00:00Z"), wall("2012-11-04T10:00:00Z"), out);
    fclose(out);
    assert_int_equal(samples.n, 2);
    assert_int_equal(samples.n_gaps, 2);
    assert_int_equal(samples.n_missing, 4);
    samples_clear(&samples);
}

static void a_span_includes_its_start_and_not_its_end(void **state) {
    (void)state;
    Samples samples = read_samples("uci-traffic-volume", DATA_DIR "/counts.csv");
    FILE *out = fopen("/dev/null", "w");
    samples_select(&samples, wall("2012-11-04T00:00:00Z"), wall("2012-11-04T05:00:00Z"), out);
    fclose(out);
    assert_int_equal(samples.n, 2);
    assert_true(samples.items[0].value == 700 && samples.items[1].value == 401);
    samples_clear(&samples);
}

static void the_usual_distance_is_found_in_the_data(void **state) {
    (void)state;
    Samples samples = read_samples("mndot-speed", DATA_DIR "/speeds.csv");
    assert_int_equal(samples.n, 4);
    assert_int_equal(samples.n_bad_rows, 1);
    assert_int_equal(samples.step_usec, 300 * USEC_PER_SEC);
    samples_clear(&samples);
}

static void a_value_stands_for_one_step_and_a_half(void **state) {
    (void)state;
    Samples samples = read_samples("mndot-speed", DATA_DIR "/speeds.csv");
    size_t hint = 0;
    assert_null(samples_at(&samples, wall("2015-09-01T11:24:59Z"), &hint));
    assert_true(samples_at(&samples, wall("2015-09-01T11:25:00Z"), &hint)->value == 58);
    assert_true(samples_at(&samples, wall("2015-09-01T11:29:59Z"), &hint)->value == 58);
    assert_true(samples_at(&samples, wall("2015-09-01T11:30:00Z"), &hint)->value == 6);
    assert_true(samples_at(&samples, wall("2015-09-01T11:42:29Z"), &hint)->value == 30);
    assert_null(samples_at(&samples, wall("2015-09-01T11:42:30Z"), &hint));
    assert_true(samples_at(&samples, wall("2015-09-01T11:50:00Z"), &hint)->value == 0);
    samples_clear(&samples);
}

static void times_are_read_in_both_forms_and_only_when_they_exist(void **state) {
    (void)state;
    static const char *const good[] = {"2012-10-02 09:00:00", "10/2/12 9:00", "10/02/2012 09:00",
                                       "2012-10-02T09:00:00Z"};
    static const char *const bad[] = {"",
                                      "9:00",
                                      "10/2/12",
                                      "2012-10-02",
                                      "2/30/12 9:00",
                                      "10/2/12 24:00",
                                      "10/2/12 9:00 pm",
                                      "2012-10-02 09:00",
                                      "2012-02-30 09:00:00"};
    Wall at;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(sample_time_parse(good[i], &at), 0);
        assert_string_equal(timestamp_format(at).text, "2012-10-02T09:00:00Z");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (sample_time_parse(bad[i], &at) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(sample_time_parse("1/1/69 0:00", &at), 0); /* 2069, not before the epoch */
    assert_string_equal(timestamp_format(at).text, "2069-01-01T00:00:00Z");
    assert_int_equal(sample_time_parse("1/1/70 0:00", &at), 0);
    assert_int_equal(at.usec, 0);
}

static void a_file_without_the_columns_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
    } files[] = {
        {"a,b\n1,2\n", "a.csv:1: expected a header line with a column \"timestamp\", got \"a,b\""},
        {"", "got \"an empty file\""},
        {"timestamp,value\n", "got 0 rows, none of them good"},
        {"timestamp,value\nx,y\n", "got 1 rows, none of them good"},
    };
    const ConvertFormat *format = convert_format_find("mndot-speed", NULL);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        Problem problem;
        Samples samples = {0};
        FILE *out = fopen("/dev/null", "w");
        char *path = (char *)test_text("a.csv", files[i].text);
        assert_int_equal(samples_read(&format->source, &path, 1, out, &samples, &problem), -EBADMSG);
        fclose(out);
        if (!strstr(problem.text, files[i].why))
            fail_msg("expected \"%s\" in: %s", files[i].why, problem.text);
    }
}

static void quoted_fields_and_carriage_returns_are_understood(void **state) {
    (void)state;
    Samples samples = read_samples(
        "mndot-speed",
        test_text("q.csv",
                  "note,\"timestamp\",value\r\n\"a, \"\"b\"\"\",2015-09-01 11:25:00,\"58\"\r\n\r\n"));
    assert_int_equal(samples.n, 1);
    assert_true(samples.items[0].value == 58);
    assert_int_equal(samples.items[0].line, 2);
    samples_clear(&samples);
}

static void an_unknown_format_gets_the_known_ones(void **state) {
    (void)state;
    Problem problem;
    assert_null(convert_format_find("excel", &problem));
    assert_string_equal(
        problem.text,
        "unknown format \"excel\"; the known ones are uci-traffic-volume, mndot-speed, mndot-occupancy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_come_in_order_each_hour_once),
        cmocka_unit_test(everything_wrong_is_counted_and_named_with_its_line),
        cmocka_unit_test(gaps_are_told_where_they_are),
        cmocka_unit_test(gaps_at_both_ends_of_what_was_asked_for_count),
        cmocka_unit_test(a_span_includes_its_start_and_not_its_end),
        cmocka_unit_test(the_usual_distance_is_found_in_the_data),
        cmocka_unit_test(a_value_stands_for_one_step_and_a_half),
        cmocka_unit_test(times_are_read_in_both_forms_and_only_when_they_exist),
        cmocka_unit_test(a_file_without_the_columns_is_refused),
        cmocka_unit_test(quoted_fields_and_carriage_returns_are_understood),
        cmocka_unit_test(an_unknown_format_gets_the_known_ones),
    };
    int failed = cmocka_run_group_tests(tests, make_test_directory, remove_test_directory);
    free(told);
    return failed;
}
