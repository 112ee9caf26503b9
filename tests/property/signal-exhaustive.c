/* Every state that the lights can reach with small times and a clock of whole seconds, and from each every
 * request and the passing of a second: not a sample, all of them.
 *
 * A state is packed into 64 bits, ages in place of instants, and unpacked again beside a fixed `now`; that
 * the packing forgets nothing that matters is itself tested (`packing_forgets_nothing`). */
#include "core/signal-plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* Small, so that everything overlaps: a long hold meets the maximum red, a short one the minimum green. */
static const SignalTimes times = {
    .interlock = {.min_green_usec = 5 * SEC, .all_red_usec = 2 * SEC, .max_red_usec = 17 * SEC},
    .green_usec = 9 * SEC,
    .extension_usec = 4 * SEC,
    .cross_reduction_usec = 3 * SEC,
    .wave_usec = 11 * SEC,
};
enum { LONG_HOLD_SEC = 23, SHORT_HOLD_SEC = 1, GREEN_ENDS_BIAS = 20 };

static const Mono now = {1000 * SEC};

/* --- packing --- */

typedef struct Packer {
    uint64_t word;
    unsigned shift;
} Packer;

static void put(Packer *packer, uint64_t value, unsigned bits) {
    assert_true(value < UINT64_C(1) << bits);
    packer->word |= value << packer->shift;
    packer->shift += bits;
    assert_true(packer->shift <= 64);
}

static uint64_t get(Packer *packer, unsigned bits) {
    uint64_t value = packer->word >> packer->shift & ((UINT64_C(1) << bits) - 1);
    packer->shift += bits;
    return value;
}

static uint64_t age_sec(Mono since) {
    assert_true(since.usec <= now.usec);
    return (now.usec - since.usec) / SEC;
}

static Mono aged(uint64_t seconds) {
    return (Mono){now.usec - seconds * SEC};
}

static bool is_hold(const SignalPlan *plan) {
    return plan->mode == SIGNAL_MODE_FORCED || plan->mode == SIGNAL_MODE_WAVE;
}

static uint64_t pack(const SignalPlan *plan) {
    const Interlock *interlock = &plan->interlock;
    const bool is_green = interlock->state == INTERLOCK_GREEN;
    Packer packer = {0};
    put(&packer, interlock->state, 2);
    put(&packer, is_green ? interlock->green : 0, 1);
    put(&packer, interlock->wanted, 1);
    put(&packer, age_sec(interlock->since), 5);
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++)
        put(&packer, is_green && interlock->green == d ? 0 : age_sec(interlock->red_since[d]), 5);
    put(&packer, plan->mode, 2);
    put(&packer, plan->has_started, 1);
    put(&packer, is_green ? plan->green_ends.usec / SEC + GREEN_ENDS_BIAS - now.usec / SEC : 0, 6);
    put(&packer, is_green && plan->is_extended, 1);
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        put(&packer, plan->extension_waits[d], 1);
        put(&packer, plan->shortened_next[d], 1);
    }
    put(&packer, is_hold(plan) ? plan->hold_direction : 0, 1);
    put(&packer, is_hold(plan) && plan->hold_has_begun, 1);
    put(&packer, is_hold(plan) ? plan->hold_usec / SEC : 0, 5);
    put(&packer, is_hold(plan) && plan->hold_has_begun ? age_sec(plan->hold_began) : 0, 5);
    return packer.word;
}

/* What the checker remembers follows from what the interlock does; transitions assert that it is so. */
static InterlockCheck expected_check(const Interlock *interlock) {
    InterlockCheck check = {.has_started = true, .shown = interlock_lights(interlock)};
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++)
        check.changed[d] = check.shown.colour[d] == COLOUR_GREEN ? interlock->since : interlock->red_since[d];
    return check;
}

static SignalPlan unpack(uint64_t word) {
    Packer packer = {.word = word};
    SignalPlan plan = {.times = &times, .interlock = {.times = &times.interlock}};
    plan.interlock.state = (InterlockState)get(&packer, 2);
    plan.interlock.green = (Direction)get(&packer, 1);
    plan.interlock.wanted = (Direction)get(&packer, 1);
    plan.interlock.since = aged(get(&packer, 5));
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++)
        plan.interlock.red_since[d] = aged(get(&packer, 5));
    plan.mode = (SignalMode)get(&packer, 2);
    plan.has_started = get(&packer, 1);
    plan.green_ends = (Mono){now.usec + get(&packer, 6) * SEC - GREEN_ENDS_BIAS * SEC};
    plan.is_extended = get(&packer, 1);
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        plan.extension_waits[d] = get(&packer, 1);
        plan.shortened_next[d] = get(&packer, 1);
    }
    plan.hold_direction = (Direction)get(&packer, 1);
    plan.hold_has_begun = get(&packer, 1);
    plan.hold_usec = get(&packer, 5) * SEC;
    plan.hold_began = aged(get(&packer, 5));
    plan.check = expected_check(&plan.interlock);
    return plan;
}

/* The same state seen one second later: every instant one second further back. */
static void age_by_one_second(SignalPlan *plan) {
    plan->interlock.since.usec -= SEC;
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        plan->interlock.red_since[d].usec -= SEC;
        plan->check.changed[d].usec -= SEC;
    }
    plan->green_ends.usec -= SEC;
    plan->hold_began.usec -= SEC;
}

/* --- events --- */

static const SignalRequest requests[] = {
    {.action = SIGNAL_EXTEND},
    {.action = SIGNAL_EXTEND, .has_direction = true, .direction = DIRECTION_NS},
    {.action = SIGNAL_EXTEND, .has_direction = true, .direction = DIRECTION_EW},
    {.action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_NS},
    {.action = SIGNAL_FORCE, .has_direction = true, .direction = DIRECTION_EW},
    {.action = SIGNAL_FORCE,
     .has_direction = true,
     .direction = DIRECTION_NS,
     .duration_usec = LONG_HOLD_SEC * SEC},
    {.action = SIGNAL_FORCE,
     .has_direction = true,
     .direction = DIRECTION_EW,
     .duration_usec = SHORT_HOLD_SEC * SEC},
    {.action = SIGNAL_WAVE, .has_direction = true, .direction = DIRECTION_NS},
    {.action = SIGNAL_WAVE,
     .has_direction = true,
     .direction = DIRECTION_EW,
     .duration_usec = LONG_HOLD_SEC * SEC},
};
enum { N_REQUESTS = ARRAY_LEN(requests), N_EVENTS = N_REQUESTS + 1 };

static SignalChange apply(SignalPlan *plan, size_t event) {
    SignalChange change;
    if (event == N_REQUESTS) {
        age_by_one_second(plan);
        return signal_plan_step(plan, now);
    }
    signal_plan_request(plan, &requests[event], now, &change);
    return change;
}

/* The promises, from the state before (one second older when time passed) and what is shown after. */
static void assert_promises(const SignalPlan *before, const SignalPlan *after, uint64_t passed_sec) {
    Lights was = interlock_lights(&before->interlock), is = interlock_lights(&after->interlock);
    assert_true(after->mode != SIGNAL_MODE_LATCHED);
    assert_false(is.colour[DIRECTION_NS] == COLOUR_GREEN && is.colour[DIRECTION_EW] == COLOUR_GREEN);
    uint64_t held_sec = age_sec(before->interlock.since) + passed_sec;
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        if (was.colour[d] == COLOUR_GREEN && is.colour[d] == COLOUR_RED)
            assert_true(held_sec * SEC >= times.interlock.min_green_usec);
        if (was.colour[d] == COLOUR_RED && is.colour[d] == COLOUR_GREEN) {
            assert_int_equal(was.colour[direction_across(d)], COLOUR_RED);
            assert_true(held_sec * SEC >= times.interlock.all_red_usec);
        }
        if (is.colour[d] == COLOUR_RED)
            assert_true(age_sec(after->interlock.red_since[d]) * SEC <= times.interlock.max_red_usec);
    }
    InterlockCheck expected = expected_check(&after->interlock);
    assert_memory_equal(&after->check.shown, &expected.shown, sizeof expected.shown);
    assert_memory_equal(after->check.changed, expected.changed, sizeof expected.changed);
    Mono deadline = signal_plan_deadline(after);
    assert_true(deadline.usec > now.usec && deadline.usec <= now.usec + times.interlock.max_red_usec);
}

/* --- the search --- */

typedef struct Seen {
    uint64_t *table; /* open addressing; 0 is free, so words are kept plus one */
    size_t size;     /* a power of two */
    uint64_t *queue;
    size_t n;
} Seen;

static void see(Seen *seen, uint64_t word) {
    size_t i = (word * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & (seen->size - 1);
    while (seen->table[i] && seen->table[i] != word + 1)
        i = (i + 1) & (seen->size - 1);
    if (seen->table[i])
        return;
    seen->table[i] = word + 1;
    assert_true(seen->n < seen->size / 2); /* else the table is too small: enlarge it here */
    seen->queue[seen->n++] = word;
}

static Seen search(void) {
    Seen seen = {.size = (size_t)1 << 20};
    seen.table = calloc(seen.size, sizeof *seen.table);
    seen.queue = calloc(seen.size / 2, sizeof *seen.queue);
    assert_non_null(seen.table);
    assert_non_null(seen.queue);
    SignalPlan plan;
    signal_plan_init(&plan, &times, now);
    see(&seen, pack(&plan));
    for (size_t i = 0; i < seen.n; i++)
        for (size_t event = 0; event < N_EVENTS; event++) {
            SignalPlan before = unpack(seen.queue[i]), after = before;
            apply(&after, event);
            assert_promises(&before, &after, event == N_REQUESTS);
            see(&seen, pack(&after));
        }
    return seen;
}

static Seen all;

static int search_all(void **state) {
    (void)state;
    all = search();
    return 0;
}

static int forget_all(void **state) {
    (void)state;
    free(all.table);
    free(all.queue);
    return 0;
}

static void no_reachable_state_breaks_a_promise(void **state) {
    (void)state; /* the search has asserted it */
    print_message("%zu states, %zu transitions\n", all.n, all.n * N_EVENTS);
    assert_true(all.n > 10 * 1000);
}

static void packing_forgets_nothing(void **state) {
    (void)state;
    SignalPlan real;
    signal_plan_init(&real, &times, now);
    uint64_t choice = 1;
    for (int i = 0; i < 100000; i++) {
        choice = choice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t event = (choice >> 33) % (3 * N_EVENTS);
        event = event < N_EVENTS ? event : N_REQUESTS;
        SignalPlan twin = unpack(pack(&real));
        SignalChange a = apply(&real, event), b = apply(&twin, event);
        assert_int_equal(pack(&real), pack(&twin));
        assert_int_equal(a.is_change, b.is_change);
        if (a.is_change) {
            assert_int_equal(a.cause, b.cause);
            assert_int_equal(a.green_usec, b.green_usec);
        }
    }
}

/* Left alone, every state comes back to the plan within its hold and what waits for later greens. */
static void every_state_returns_to_the_plan(void **state) {
    (void)state;
    for (size_t i = 0; i < all.n; i++) {
        SignalPlan plan = unpack(all.queue[i]);
        for (int second = 0; second < 90; second++)
            apply(&plan, N_REQUESTS);
        assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
        assert_false(plan.extension_waits[DIRECTION_NS] || plan.extension_waits[DIRECTION_EW]);
        assert_false(plan.shortened_next[DIRECTION_NS] || plan.shortened_next[DIRECTION_EW]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reachable_state_breaks_a_promise),
        cmocka_unit_test(packing_forgets_nothing),
        cmocka_unit_test(every_state_returns_to_the_plan),
    };
    return cmocka_run_group_tests_name("signal-exhaustive", tests, search_all, forget_all);
}
