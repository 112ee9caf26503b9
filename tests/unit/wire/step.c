/* Which frames of a link are lines of lock-step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "wire/messages.h"
#include "wire/step.h"

#include <string.h>

static void what_the_encoder_writes_is_one(void **state) {
    (void)state;
    for (int kind = 0; kind < STEP_COUNT; kind++) {
        char frame[256];
        Problem problem = {""};
        Message message = {.tag = MESSAGE_STEP};
        message_set(&message.STEP, Step, kind, kind);
        message_set(&message.STEP, Step, number, 7);
        int size = message_encode(&message, frame, sizeof frame, &problem);
        assert_true(size > 0);
        assert_true(step_is_one(frame, (size_t)size));
    }
}

static void what_was_missed_is_told_from_steps(void **state) {
    (void)state;
    char frame[128];
    Problem problem = {""};
    Message message = {.tag = MESSAGE_MISSED};
    message_set(&message.MISSED, Missed, epoch, 3);
    message_set(&message.MISSED, Missed, after, 17);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    assert_true(size > 0);
    assert_true(missed_is_one(frame, (size_t)size));
    assert_false(step_is_one(frame, (size_t)size));
}

static void reports_and_commands_are_none(void **state) {
    (void)state;
    static const char *const frames[] = {"",
                                         "{",
                                         "{\"report\":\"CHANGE\",\"interseccion\":\"INT-A1\"}",
                                         "{\"report\":\"DONEX\",\"k\":1}",
                                         "{\"report\":\"DONE",
                                         "{\"interseccion\":\"DONE\"}"};
    for (size_t i = 0; i < ARRAY_LEN(frames); i++)
        assert_false(step_is_one(frames[i], strlen(frames[i])) ||
                     missed_is_one(frames[i], strlen(frames[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_encoder_writes_is_one),
        cmocka_unit_test(what_was_missed_is_told_from_steps),
        cmocka_unit_test(reports_and_commands_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
