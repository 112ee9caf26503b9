/* Ownership at the declaration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"

typedef struct Thing {
    int *n_freed;
} Thing;

static Thing *thing_free(Thing *thing) {
    if (thing)
        ++*thing->n_freed;
    return NULL;
}
DEFINE_FREEP(Thing, thing_free)

static void scoped_value_is_freed_once_when_its_scope_ends(void **state) {
    (void)state;
    int n_freed = 0;
    Thing thing = {&n_freed};
    {
        scoped(thing_freep) Thing *t = &thing;
        assert_ptr_equal(t, &thing);
        assert_int_equal(n_freed, 0);
    }
    assert_int_equal(n_freed, 1);
}

static Thing *hand_on(Thing *thing) {
    scoped(thing_freep) Thing *t = thing;
    return take(t);
}

static void taken_value_survives_its_scope(void **state) {
    (void)state;
    int n_freed = 0;
    Thing thing = {&n_freed};
    assert_ptr_equal(hand_on(&thing), &thing);
    assert_int_equal(n_freed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scoped_value_is_freed_once_when_its_scope_ends),
        cmocka_unit_test(taken_value_survives_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
