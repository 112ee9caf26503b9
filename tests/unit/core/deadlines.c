/* The heap of deadlines against its definition: the least of all. */
#include "core/deadlines.h"
#include "core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MANY = 1000 };

static void nobody_has_a_deadline_at_first(void **state) {
    (void)state;
    DeadlineNode nodes[3];
    Deadlines deadlines;
    deadlines_init(&deadlines, nodes, 3);
    assert_true(mono_is_never(deadlines_first(&deadlines, NULL)));
}

static void no_items_have_no_deadline(void **state) {
    (void)state;
    Deadlines deadlines;
    uint32_t item = 7;
    deadlines_init(&deadlines, NULL, 0);
    assert_true(mono_is_never(deadlines_first(&deadlines, &item)));
    assert_int_equal(item, 7);
}

static void the_earliest_is_first_and_says_whose_it_is(void **state) {
    (void)state;
    DeadlineNode nodes[3];
    Deadlines deadlines;
    uint32_t item = 99;
    deadlines_init(&deadlines, nodes, 3);
    deadlines_set(&deadlines, 0, (Mono){30});
    deadlines_set(&deadlines, 1, (Mono){10});
    deadlines_set(&deadlines, 2, (Mono){20});
    assert_int_equal(deadlines_first(&deadlines, &item).usec, 10);
    assert_int_equal(item, 1);
}

static void a_deadline_moves_both_ways_and_goes_away(void **state) {
    (void)state;
    DeadlineNode nodes[2];
    Deadlines deadlines;
    uint32_t item = 99;
    deadlines_init(&deadlines, nodes, 2);
    deadlines_set(&deadlines, 0, (Mono){30});
    deadlines_set(&deadlines, 1, (Mono){10});
    deadlines_set(&deadlines, 1, (Mono){40});
    assert_int_equal(deadlines_first(&deadlines, &item).usec, 30);
    assert_int_equal(item, 0);
    deadlines_set(&deadlines, 1, (Mono){5});
    assert_int_equal(deadlines_first(&deadlines, &item).usec, 5);
    assert_int_equal(item, 1);
    deadlines_set(&deadlines, 1, mono_never());
    assert_int_equal(deadlines_first(&deadlines, &item).usec, 30);
}

static void equal_deadlines_come_in_the_order_of_their_items(void **state) {
    (void)state;
    DeadlineNode nodes[8];
    Deadlines deadlines;
    deadlines_init(&deadlines, nodes, 8);
    for (uint32_t item = 8; item-- > 0;)
        deadlines_set(&deadlines, item, (Mono){10});
    for (uint32_t expected = 0; expected < 8; expected++) {
        uint32_t item = 99;
        assert_int_equal(deadlines_first(&deadlines, &item).usec, 10);
        assert_int_equal(item, expected);
        deadlines_set(&deadlines, item, (Mono){20});
    }
}

static void random_moves_always_leave_the_least_first(void **state) {
    (void)state;
    static DeadlineNode nodes[MANY];
    static uint64_t usec[MANY];
    const uint64_t seed = 20240611;
    print_message("seed %llu\n", (unsigned long long)seed);
    Random random = random_seeded(seed, 0);
    Deadlines deadlines;
    deadlines_init(&deadlines, nodes, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        usec[i] = USEC_FOREVER;
    for (int step = 0; step < 5000; step++) {
        uint32_t item = (uint32_t)random_below(&random, MANY);
        usec[item] = random_below(&random, 10) ? random_below(&random, 100000) : USEC_FOREVER;
        deadlines_set(&deadlines, item, (Mono){usec[item]});
        uint64_t least = USEC_FOREVER;
        for (uint32_t i = 0; i < MANY; i++)
            least = usec[i] < least ? usec[i] : least;
        uint32_t first = MANY;
        assert_int_equal(deadlines_first(&deadlines, &first).usec, least);
        assert_int_equal(usec[first], least);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_a_deadline_at_first),
        cmocka_unit_test(no_items_have_no_deadline),
        cmocka_unit_test(the_earliest_is_first_and_says_whose_it_is),
        cmocka_unit_test(a_deadline_moves_both_ways_and_goes_away),
        cmocka_unit_test(equal_deadlines_come_in_the_order_of_their_items),
        cmocka_unit_test(random_moves_always_leave_the_least_first),
    };
    return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
