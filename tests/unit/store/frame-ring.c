/* A ring of frames against what it promises: positions without gaps, borrowed frames that stay where they
 * are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/random.h"
#include "store/frame-ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int setup(void **state) {
    FrameRing *ring = NULL;
    assert_int_equal(frame_ring_new(&ring), 0);
    *state = ring;
    return 0;
}

static int teardown(void **state) {
    frame_ring_free(*state);
    return 0;
}

static void push(FrameRing *ring, uint64_t position, const char *frame) {
    assert_int_equal(frame_ring_push(ring, position, frame, strlen(frame)), 0);
}

static void assert_frame(const FrameRing *ring, uint64_t position, const char *expected) {
    size_t size = SIZE_MAX;
    const char *frame = frame_ring_at(ring, position, &size);
    assert_non_null(frame);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(frame, expected, size);
}

static void assert_absent(const FrameRing *ring, uint64_t position) {
    size_t size = 77;
    assert_null(frame_ring_at(ring, position, &size));
    assert_int_equal(size, 77);
}

static void empty_ring_has_nothing(void **state) {
    assert_true(frame_ring_is_empty(*state));
    assert_int_equal(frame_ring_count(*state), 0);
    assert_int_equal(frame_ring_bytes(*state), 0);
    assert_absent(*state, 0);
    assert_absent(*state, 1);
    assert_absent(*state, UINT64_MAX);
    frame_ring_drop(*state, UINT64_MAX);
}

static void first_frame_says_where_the_ring_begins(void **state) {
    push(*state, 41, "a");
    push(*state, 41, "bc"); /* the position of a later one is the next, whatever is said */
    assert_int_equal(frame_ring_first(*state), 41);
    assert_int_equal(frame_ring_count(*state), 2);
    assert_int_equal(frame_ring_bytes(*state), 3);
    assert_absent(*state, 40);
    assert_frame(*state, 41, "a");
    assert_frame(*state, 42, "bc");
    assert_absent(*state, 43);
}

static void dropping_forgets_what_is_before_and_the_position_itself(void **state) {
    push(*state, 5, "five");
    push(*state, 6, "six");
    push(*state, 7, "seven");
    frame_ring_drop(*state, 4);
    assert_int_equal(frame_ring_count(*state), 3);
    frame_ring_drop(*state, 6);
    assert_int_equal(frame_ring_first(*state), 7);
    assert_int_equal(frame_ring_bytes(*state), 5);
    assert_absent(*state, 6);
    assert_frame(*state, 7, "seven");
}

static void emptied_ring_begins_anywhere(void **state) {
    push(*state, 5, "five");
    frame_ring_drop(*state, 5);
    assert_true(frame_ring_is_empty(*state));
    push(*state, 900, "anew");
    assert_int_equal(frame_ring_first(*state), 900);
    assert_frame(*state, 900, "anew");
    assert_absent(*state, 5);
}

static void frame_without_bytes_is_a_frame(void **state) {
    push(*state, 1, "");
    push(*state, 2, "x");
    assert_frame(*state, 1, "");
    assert_frame(*state, 2, "x");
}

static void borrowed_frame_stays_where_it_is_while_others_come(void **state) {
    char large[200000];
    size_t size;
    memset(large, 'x', sizeof large);
    push(*state, 1, "first");
    const char *borrowed = frame_ring_at(*state, 1, &size);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(frame_ring_push(*state, 0, large, (size_t)i), 0);
    assert_int_equal(frame_ring_push(*state, 0, large, sizeof large), 0);
    assert_ptr_equal(frame_ring_at(*state, 1, &size), borrowed);
    assert_frame(*state, 1, "first");
}

static void frame_larger_than_a_block_is_whole(void **state) {
    size_t size = 3 << 20, got;
    char *large = malloc(size);
    assert_non_null(large);
    for (size_t i = 0; i < size; i++)
        large[i] = (char)(i * 7);
    push(*state, 1, "before");
    assert_int_equal(frame_ring_push(*state, 0, large, size), 0);
    push(*state, 3, "behind");
    assert_memory_equal(frame_ring_at(*state, 2, &got), large, size);
    assert_int_equal(got, size);
    frame_ring_drop(*state, 2);
    assert_frame(*state, 3, "behind");
    free(large);
}

/* The number of a frame, as often as its size says. */
static size_t make_frame(uint64_t position, char *frame) {
    size_t size = (size_t)(position * 2654435761u % 700);
    for (size_t i = 0; i < size; i++)
        frame[i] = (char)(position + i);
    return size;
}

static void any_order_of_pushes_and_drops_keeps_every_frame(void **state) {
    uint64_t seed = (uint64_t)time(NULL), first = 1000, next = first, bytes = 0;
    Random random = random_seeded(seed, 0);
    char frame[700];
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int step = 0; step < 300000; step++) {
        if (random_below(&random, 100) < 51) {
            size_t size = make_frame(next, frame);
            assert_int_equal(frame_ring_push(*state, next++, frame, size), 0);
            bytes += size;
        } else if (random_below(&random, 3) == 0) {
            uint64_t until = first + random_below(&random, 4);
            frame_ring_drop(*state, until);
            for (; first <= until && first < next; first++)
                bytes -= make_frame(first, frame);
        }
        assert_int_equal(frame_ring_count(*state), next - first);
        assert_int_equal(frame_ring_bytes(*state), bytes);
        size_t size;
        uint64_t any = first + random_below(&random, next - first + 2);
        const char *got = frame_ring_at(*state, any, &size);
        assert_int_equal(got != NULL, any < next);
        if (got) {
            assert_int_equal(size, make_frame(any, frame));
            assert_memory_equal(got, frame, size);
        }
    }
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        RING_TEST(empty_ring_has_nothing),
        RING_TEST(first_frame_says_where_the_ring_begins),
        RING_TEST(dropping_forgets_what_is_before_and_the_position_itself),
        RING_TEST(emptied_ring_begins_anywhere),
        RING_TEST(frame_without_bytes_is_a_frame),
        RING_TEST(borrowed_frame_stays_where_it_is_while_others_come),
        RING_TEST(frame_larger_than_a_block_is_whole),
        RING_TEST(any_order_of_pushes_and_drops_keeps_every_frame),
    };
    return cmocka_run_group_tests_name("store: frames in memory", tests, NULL, NULL);
}
