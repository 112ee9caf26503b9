/* The name under which a process makes events, records and reports. */
#include "shell/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void name_says_who_and_on_which_host(void **state) {
    (void)state;
    char expected[128] = "broker@";
    assert_string_equal(producer_name_on("sensor-gps", "pc1").text, "sensor-gps@pc1");
    assert_int_equal(gethostname(expected + 7, sizeof expected - 7), 0);
    expected[63] = '\0';
    assert_string_equal(producer_name("broker").text, expected);
}

static void longest_host_name_is_cut_to_what_the_wire_takes(void **state) {
    (void)state;
    char host[65];
    memset(host, 'h', 64);
    host[64] = '\0';
    ProducerName name = producer_name_on("analytics", host);
    assert_int_equal(strlen(name.text), 63);
    assert_memory_equal(name.text, "analytics@hhh", 13);
    host[53] = '\0';
    assert_int_equal(strlen(producer_name_on("analytics", host).text), 63);
    host[52] = '\0';
    assert_int_equal(strlen(producer_name_on("analytics", host).text), 62);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_says_who_and_on_which_host),
        cmocka_unit_test(longest_host_name_is_cut_to_what_the_wire_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
