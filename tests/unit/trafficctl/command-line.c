/* Words in, a Request out: what argp does not do by itself. At the prompt, where a refused line returns. */
#include "command-line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* --help lists them; none is run here. */
const Verb verbs[] = {{"status", "", "", 0, 0, 0, NULL}};
const size_t n_verbs = 1;

#define PARSE(ret, ...) parse((char *[]){(char *)"trafficctl", __VA_ARGS__, NULL}, ret)

static int parse(char **words, CommandLine *ret) {
    int n = 0;
    while (words[n])
        n++;
    return command_line_parse(n, words, true, ret);
}

static void word_of_minus_and_digits_is_an_instant_in_its_place(void **state) {
    (void)state;
    CommandLine line;
    assert_int_equal(PARSE(&line, "history", "-2h", "now", "--limit", "3"), 0);
    assert_string_equal(line.request.verb, "history");
    assert_int_equal(line.request.n_arguments, 2);
    assert_string_equal(line.request.arguments[0], "-2h");
    assert_string_equal(line.request.arguments[1], "now");
    assert_int_equal(line.request.limit, 3);

    assert_int_equal(PARSE(&line, "--csv", "history", "-90s", "--limit", "3", "-15m"), 0);
    assert_string_equal(line.request.verb, "history");
    assert_string_equal(line.request.arguments[0], "-90s");
    assert_string_equal(line.request.arguments[1], "-15m");
}

static void instant_of_an_option_stays_its_value(void **state) {
    (void)state;
    CommandLine line;
    assert_int_equal(PARSE(&line, "events", "--from", "-2h", "--to=-1h", "INT-A1"), 0);
    assert_string_equal(line.request.from, "-2h");
    assert_string_equal(line.request.to, "-1h");
    assert_int_equal(line.request.n_arguments, 1);
}

static void options_may_stand_anywhere(void **state) {
    (void)state;
    CommandLine line;
    assert_int_equal(PARSE(&line, "wave", "--reason", "fire", "row", "B", "--json", "-w5"), 0);
    assert_string_equal(line.request.verb, "wave");
    assert_string_equal(line.request.arguments[1], "B");
    assert_string_equal(line.request.reason, "fire");
    assert_int_equal(line.request.format, OUTPUT_JSON);
    assert_true(line.request.watch_sec == 5);
}

static void number_that_is_none_is_refused(void **state) {
    (void)state;
    CommandLine line;
    assert_int_equal(PARSE(&line, "events", "--limit", "1"), 0);
    assert_int_equal(PARSE(&line, "events", "--limit", "0"), -EINVAL);
    assert_int_equal(PARSE(&line, "events", "--limit", "2.7"), -EINVAL);
    assert_int_equal(PARSE(&line, "wave", "--duration", "2.5"), 0);
    assert_int_equal(PARSE(&line, "wave", "--duration", "0"), -EINVAL);
    assert_int_equal(PARSE(&line, "wave", "--duration", "5s"), -EINVAL);
}

static void what_the_process_starts_with_is_refused_at_its_prompt(void **state) {
    (void)state;
    CommandLine line;
    assert_int_equal(PARSE(&line, "status", "--watch=3"), 0);
    assert_int_equal(PARSE(&line, "status", "--host", "pc3"), -EINVAL);
    assert_int_equal(PARSE(&line, "status", "--timeout", "3"), -EINVAL);
    assert_int_equal(PARSE(&line, "status", "--config", "/tmp/traffic.conf"), -EINVAL);
    assert_int_equal(PARSE(&line, "status", "--set", "network.pc1=pc9"), -EINVAL);
    char *words[] = {(char *)"trafficctl", (char *)"--host", (char *)"pc3", NULL};
    assert_int_equal(command_line_parse(3, words, false, &line), 0);
    assert_string_equal(line.request.host, "pc3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_of_minus_and_digits_is_an_instant_in_its_place),
        cmocka_unit_test(instant_of_an_option_stays_its_value),
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(number_that_is_none_is_refused),
        cmocka_unit_test(what_the_process_starts_with_is_refused_at_its_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
