/* Petting needs every invariant, and each is asked every time. */
#include "shell/health-private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct Fact {
    bool holds;
    unsigned n_asked;
    Mono asked_at;
} Fact;

static bool fact_holds(void *userdata, Mono now, Problem *problem) {
    Fact *fact = userdata;
    fact->n_asked++;
    fact->asked_at = now;
    if (!fact->holds)
        problem_set(problem, -EIO, "the last commit is 9 s old");
    return fact->holds;
}

static const Mono now = {12345};

static void health_holds_only_while_every_invariant_does(void **state) {
    (void)state;
    scoped(health_freep) Health *health = NULL;
    Fact first = {.holds = true}, second = {.holds = true};
    assert_int_equal(health_new(&health), 0);
    assert_true(health_holds(health, now));
    assert_int_equal(health_add(health, "commits", fact_holds, &first), 0);
    assert_int_equal(health_add(health, "phases", fact_holds, &second), 0);

    assert_true(health_holds(health, now));
    first.holds = false;
    assert_false(health_holds(health, now));
    second.holds = false;
    assert_false(health_holds(health, now));
    first.holds = true;
    assert_false(health_holds(health, now));
    second.holds = true;
    assert_true(health_holds(health, now));
}

static void every_invariant_is_asked_although_one_fails(void **state) {
    (void)state;
    scoped(health_freep) Health *health = NULL;
    Fact first = {.holds = false}, second = {.holds = true};
    health_new(&health);
    health_add(health, "commits", fact_holds, &first);
    health_add(health, "phases", fact_holds, &second);
    assert_false(health_holds(health, now));
    assert_int_equal(first.n_asked, 1);
    assert_int_equal(second.n_asked, 1);
    assert_int_equal(second.asked_at.usec, now.usec);
}

static void there_is_room_for_sixteen_invariants(void **state) {
    (void)state;
    scoped(health_freep) Health *health = NULL;
    Fact fact = {.holds = true};
    health_new(&health);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(health_add(health, "one", fact_holds, &fact), 0);
    assert_int_equal(health_add(health, "one too many", fact_holds, &fact), -ENOSPC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_holds_only_while_every_invariant_does),
        cmocka_unit_test(every_invariant_is_asked_although_one_fails),
        cmocka_unit_test(there_is_room_for_sixteen_invariants),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
