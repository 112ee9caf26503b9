/* What comes again, or late, from a producer is refused; who is quiet gives up his place. */
#include "commanders.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static const uint64_t quiet_usec = 5 * SEC;

static SignalCommand command_from(const char *producer, int64_t epoch, int64_t sequence) {
    SignalCommand command = {0};
    message_set_text(&command, SignalCommand, producer, producer);
    message_set(&command, SignalCommand, epoch, epoch);
    message_set(&command, SignalCommand, sequence, sequence);
    return command;
}

static int admit(Commanders *commanders, const char *producer, int64_t epoch, int64_t sequence,
                 uint64_t seconds) {
    const SignalCommand command = command_from(producer, epoch, sequence);
    Refusal refusal = REFUSAL_NOT_JSON;
    Problem problem = {{0}};
    int r = commanders_admit(commanders, &command, (Mono){seconds * SEC}, quiet_usec, &refusal, &problem);
    if (r == 0)
        return 0;
    assert_int_equal(r, -EBADMSG);
    assert_true(problem.text[0]);
    return (int)refusal;
}

static void newer_commands_of_one_producer_are_taken(void **state) {
    (void)state;
    Commanders commanders = {0};
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 1, 100), 0);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 2, 100), 0);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 9, 101), 0); /* a gap is no business of this */
    assert_int_equal(admit(&commanders, "analytics@pc2", 8, 1, 102), 0); /* it was started again */
}

static void what_comes_again_or_late_is_refused(void **state) {
    (void)state;
    Commanders commanders = {0};
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 5, 100), 0);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 5, 100), REFUSAL_REPLAYED);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 4, 100), REFUSAL_REPLAYED);
    assert_int_equal(admit(&commanders, "analytics@pc2", 6, 9, 100), REFUSAL_REPLAYED);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 5, 3600), REFUSAL_REPLAYED);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 6, 100), 0);
}

static void each_producer_counts_for_itself(void **state) {
    (void)state;
    Commanders commanders = {0};
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 5, 100), 0);
    assert_int_equal(admit(&commanders, "simulator", 1, 1, 100), 0);
    assert_int_equal(admit(&commanders, "simulator", 1, 1, 100), REFUSAL_REPLAYED);
    assert_int_equal(admit(&commanders, "analytics@pc2", 7, 6, 100), 0);
}

static void a_command_without_an_identity_is_not_judged(void **state) {
    (void)state;
    Commanders commanders = {0};
    SignalCommand anonymous = {0}, partly = {0};
    message_set_text(&partly, SignalCommand, producer, "somebody");
    message_set(&partly, SignalCommand, sequence, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(commanders_admit(&commanders, &anonymous, (Mono){1}, quiet_usec, NULL, NULL), 0);
        assert_int_equal(commanders_admit(&commanders, &partly, (Mono){1}, quiet_usec, NULL, NULL), 0);
    }
}

static void a_full_table_takes_nobody_new_until_somebody_has_been_quiet(void **state) {
    (void)state;
    Commanders commanders = {0};
    for (int i = 0; i < COMMANDERS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "producer-%d", i);
        assert_int_equal(admit(&commanders, name, 1, 1, i == 3 ? 99 : 100), 0);
    }
    assert_int_equal(admit(&commanders, "newcomer", 1, 1, 104), REFUSAL_TOO_MANY);
    assert_int_equal(admit(&commanders, "producer-31", 1, 2, 104), 0);
    assert_int_equal(admit(&commanders, "newcomer", 1, 1, 105), 0); /* in the place of producer-3 */
    assert_int_equal(admit(&commanders, "newcomer", 1, 1, 105), REFUSAL_REPLAYED);
    assert_int_equal(admit(&commanders, "producer-3", 1, 1, 105), REFUSAL_TOO_MANY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newer_commands_of_one_producer_are_taken),
        cmocka_unit_test(what_comes_again_or_late_is_refused),
        cmocka_unit_test(each_producer_counts_for_itself),
        cmocka_unit_test(a_command_without_an_identity_is_not_judged),
        cmocka_unit_test(a_full_table_takes_nobody_new_until_somebody_has_been_quiet),
    };
    return cmocka_run_group_tests_name("signal-commanders", tests, NULL, NULL);
}
