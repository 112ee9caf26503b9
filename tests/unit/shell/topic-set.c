/* Prefixes: what a subscription covers. */
#include "shell/topic-set.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const TopicSet *set, const char *text) {
    return topic_set_matches(set, text, strlen(text));
}

static void a_prefix_covers_what_it_begins_and_nothing_shorter(void **state) {
    (void)state;
    TopicSet set = {0};
    assert_false(matches(&set, "camara {}"));
    topic_set_add(&set, "camara", 6);
    assert_true(matches(&set, "camara"));
    assert_true(matches(&set, "camara {}"));
    assert_false(matches(&set, "camar"));
    assert_false(matches(&set, "gps {}"));
    topic_set_clear(&set);
}

static void the_empty_prefix_covers_everything(void **state) {
    (void)state;
    TopicSet set = {0};
    topic_set_add(&set, "", 0);
    assert_true(matches(&set, "anything"));
    assert_true(matches(&set, ""));
    topic_set_clear(&set);
}

static void a_prefix_added_twice_is_removed_at_once(void **state) {
    (void)state;
    TopicSet set = {0};
    topic_set_add(&set, "a", 1);
    topic_set_add(&set, "b", 1);
    topic_set_add(&set, "a", 1);
    topic_set_remove(&set, "a", 1);
    assert_false(matches(&set, "a"));
    assert_true(matches(&set, "b"));
    topic_set_remove(&set, "never there", 11);
    assert_true(matches(&set, "b"));
    topic_set_clear(&set);
}

static void number_and_length_are_bounded(void **state) {
    (void)state;
    TopicSet set = {0};
    char name[TOPIC_MAX_BYTES + 1];
    memset(name, 'x', sizeof name);
    assert_int_equal(topic_set_add(&set, name, TOPIC_MAX_BYTES + 1), -E2BIG);
    assert_int_equal(topic_set_add(&set, name, TOPIC_MAX_BYTES), 0);
    for (unsigned i = 1; i < TOPICS_MAX; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(topic_set_add(&set, name, strlen(name)), 0);
    }
    memset(name, 'y', sizeof name);
    assert_int_equal(topic_set_add(&set, name, TOPIC_MAX_BYTES), -ENOSPC);
    topic_set_clear(&set);
}

static void a_full_set_gives_up_its_longest_prefix_for_a_shorter_one(void **state) {
    (void)state;
    TopicSet set = {0};
    char name[32];
    for (unsigned i = 0; i < TOPICS_MAX; i++) {
        snprintf(name, sizeof name, "strange-%03u%s", i, i == 7 ? "-long" : "");
        assert_int_equal(topic_set_add(&set, name, strlen(name)), 0);
    }
    assert_int_equal(topic_set_add(&set, "", 0), 0);
    assert_true(matches(&set, "camara {}"));
    topic_set_remove(&set, "strange-007-long", 16); /* it had gone already */
    assert_int_equal(topic_set_add(&set, "camara", 6), 0);
    assert_int_equal(topic_set_add(&set, "strange-256", 11), -ENOSPC);
    topic_set_remove(&set, "", 0);
    assert_true(matches(&set, "camara {}"));
    assert_false(matches(&set, "strange-007-long"));
    assert_true(matches(&set, "strange-255"));
    topic_set_clear(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_covers_what_it_begins_and_nothing_shorter),
        cmocka_unit_test(the_empty_prefix_covers_everything),
        cmocka_unit_test(a_prefix_added_twice_is_removed_at_once),
        cmocka_unit_test(number_and_length_are_bounded),
        cmocka_unit_test(a_full_set_gives_up_its_longest_prefix_for_a_shorter_one),
    };
    return cmocka_run_group_tests_name("topic-set", tests, NULL, NULL);
}
