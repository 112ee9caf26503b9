/* Random numbers that can be repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/random.h"

#include <math.h>
#include <string.h>

enum { SEED = 20121008, DRAWS = 100000 };

/* The first outputs of xoshiro256** for the state {1, 2, 3, 4}, from its authors' definition worked out by
 * hand. */
static void generator_is_xoshiro256_starstar(void **state) {
    (void)state;
    Random random = {{1, 2, 3, 4}};
    assert_int_equal(random_next(&random), 11520);
    assert_int_equal(random_next(&random), 0);
    assert_int_equal(random_next(&random), 1509978240);
    assert_int_equal(random_next(&random), 1215971899390074240);
}

static void same_seed_and_stream_give_the_same_numbers(void **state) {
    (void)state;
    Random a = random_seeded(SEED, 3), b = random_seeded(SEED, 3);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(random_next(&a), random_next(&b));
}

static void another_seed_or_stream_gives_others(void **state) {
    (void)state;
    Random a = random_seeded(SEED, 0), b = random_seeded(SEED, 1), c = random_seeded(SEED + 1, 0);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = random_next(&a), y = random_next(&b), z = random_next(&c);
        equal += x == y || x == z || y == z;
    }
    assert_int_equal(equal, 0);
}

static void seed_zero_is_a_seed_like_any_other(void **state) {
    (void)state;
    Random random = random_seeded(0, 0);
    assert_true(random_next(&random) != 0 || random_next(&random) != 0);
}

static void whole_numbers_reach_both_ends_and_no_further(void **state) {
    (void)state;
    Random random = random_seeded(SEED, 0);
    int counts[8] = {0};
    for (int i = 0; i < DRAWS; i++) {
        int64_t value = random_integer(&random, -3, 4);
        assert_in_range(value + 3, 0, 7);
        counts[value + 3]++;
    }
    /* each is expected 12500 times with a deviation of 105: six of them are a thousand-year event */
    for (int i = 0; i < 8; i++)
        assert_in_range(counts[i], 12500 - 630, 12500 + 630);
}

static void below_one_and_below_nothing_are_zero(void **state) {
    (void)state;
    Random random = random_seeded(SEED, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&random, 1), 0);
    assert_int_equal(random_below(&random, 0), 0);
}

static void the_largest_limit_is_respected(void **state) {
    (void)state;
    Random random = random_seeded(SEED, 0);
    uint64_t limit = (UINT64_C(1) << 63) + 1; /* nearly half of all draws are unfair here */
    for (int i = 0; i < DRAWS; i++)
        assert_true(random_below(&random, limit) < limit);
}

static void fractions_fill_their_range(void **state) {
    (void)state;
    Random random = random_seeded(SEED, 0);
    double sum = 0, least = 1e9, most = -1e9;
    for (int i = 0; i < DRAWS; i++) {
        double value = random_between(&random, 5, 50);
        sum += value;
        least = fmin(least, value);
        most = fmax(most, value);
    }
    assert_true(least >= 5 && least < 5.01);
    assert_true(most < 50 && most > 49.99);
    assert_true(fabs(sum / DRAWS - 27.5) < 0.25); /* six deviations of the mean */
}

int main(void) {
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generator_is_xoshiro256_starstar),
        cmocka_unit_test(same_seed_and_stream_give_the_same_numbers),
        cmocka_unit_test(another_seed_or_stream_gives_others),
        cmocka_unit_test(seed_zero_is_a_seed_like_any_other),
        cmocka_unit_test(whole_numbers_reach_both_ends_and_no_further),
        cmocka_unit_test(below_one_and_below_nothing_are_zero),
        cmocka_unit_test(the_largest_limit_is_respected),
        cmocka_unit_test(fractions_fill_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
