/* Every state that the interlock can reach with small times and a clock of whole seconds, and from each every set of
 * wanted groups, at once and a second later: not a sample, all of them. For two streets, with and without yellow, and
 * for three and four groups.
 *
 * A state is packed into 64 bits, ages in place of instants, and unpacked again beside a fixed `now`. What was asked
 * for before is no part of it: a step is told. */
#include "core/interlock.h"
#include "interlock-witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

enum { AGE_BITS = 6, GROUP_BITS = AGE_BITS + 2 };

static const Mono now = {1000 * SEC};

/* --- packing --- */

static uint64_t pack(const Interlock *interlock) {
    uint64_t word = interlock->state;
    for (unsigned g = 0; g < interlock->model->n_groups; g++) {
        const uint64_t age = (now.usec - interlock->since[g].usec) / SEC;
        assert_true(age < 1 << AGE_BITS);
        word = word << GROUP_BITS | age << 2 | interlock->colour[g];
    }
    return word;
}

static Interlock unpack(const SignalModel *model, uint64_t word) {
    Interlock interlock;
    interlock_init(&interlock, model, now);
    for (unsigned g = model->n_groups; g-- > 0; word >>= GROUP_BITS) {
        interlock.colour[g] = (SignalColour)(word & 3);
        interlock.since[g] = (Mono){now.usec - (word >> 2 & ((1 << AGE_BITS) - 1)) * SEC};
    }
    interlock.state = (InterlockState)word;
    return interlock;
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

/* What a witness who has been there all the time remembers. */
static Witness witness_of(const Interlock *interlock) {
    Witness witness = witness_begin(interlock->model, now.usec);
    for (unsigned g = 0; g < witness.n; g++) {
        const GroupSet bit = (GroupSet)1 << g;
        witness.seen[g] = interlock->colour[g];
        witness.turned_usec[g] = interlock->since[g].usec;
        witness.open |= interlock->colour[g] != SIGNAL_RED ? bit : 0;
        witness.green |= interlock->colour[g] == SIGNAL_GREEN ? bit : 0;
    }
    witness_remember_overdue(&witness);
    return witness;
}

static void age_by(Interlock *interlock, uint64_t seconds) {
    for (unsigned g = 0; g < interlock->model->n_groups; g++)
        interlock->since[g].usec -= seconds * SEC;
}

static void assert_promises(Witness *witness, const Interlock *after, uint64_t longest_red_sec) {
    const Lights lights = interlock_lights(after);
    bool is_change;
    const char *wrong = witness_look(witness, &lights, now.usec, &is_change);
    if (wrong)
        print_error("%s\n", wrong);
    assert_null(wrong);
    for (unsigned g = 0; g < witness->n; g++) {
        assert_int_equal(after->since[g].usec, witness->turned_usec[g]);
        if (lights.colour[g] == SIGNAL_RED)
            assert_true(witness_held_usec(witness, g) <= longest_red_sec * SEC);
    }
    assert_true(interlock_deadline(after).usec > now.usec);
}

/* Steps of a second are in time; so no red lasts longer than `longest_red_sec`. */
static void search(const SignalModel *model, uint64_t longest_red_sec, size_t least_states) {
    Problem problem;
    if (signal_model_check(model, NULL, &problem) < 0)
        fail_msg("%s", problem.text);
    Seen seen = {.size = (size_t)1 << 23};
    seen.table = calloc(seen.size, sizeof *seen.table);
    seen.queue = calloc(seen.size / 2, sizeof *seen.queue);
    assert_non_null(seen.table);
    assert_non_null(seen.queue);
    Interlock first;
    interlock_init(&first, model, now);
    see(&seen, pack(&first));
    for (size_t i = 0; i < seen.n; i++)
        for (GroupSet event = 0; event < 2U << model->n_groups; event++) {
            Interlock interlock = unpack(model, seen.queue[i]);
            age_by(&interlock, event & 1);
            Witness witness = witness_of(&interlock);
            interlock_step(&interlock, event >> 1, now);
            assert_promises(&witness, &interlock, longest_red_sec);
            see(&seen, pack(&interlock));
        }
    print_message("%zu states, %zu transitions\n", seen.n, seen.n << (model->n_groups + 1));
    assert_true(seen.n > least_states);
    free(seen.table);
    free(seen.queue);
}

/* --- models --- */

static const SafetyTimes small = {
    .min_green_usec = 5 * SEC, .all_red_usec = 2 * SEC, .max_red_usec = 17 * SEC};

static void two_streets_keep_every_promise(void **state) {
    (void)state;
    const SignalModel model = signal_model_two_streets(&small, 9 * SEC);
    search(&model, 17, 200);
}

static void so_they_do_with_yellow_and_patience(void **state) {
    (void)state;
    SafetyTimes times = small;
    times.yellow_usec = 3 * SEC;
    times.max_red_usec = 50 * SEC;
    const SignalModel model = signal_model_two_streets(&times, 9 * SEC);
    search(&model, 50, 2000);
}

static SignalModel model_of(const GroupSet *conflicts, unsigned n, uint64_t yellow_sec,
                            uint64_t max_red_sec) {
    SignalModel model = {
        .n_groups = n, .yellow_usec = yellow_sec * SEC, .all_red_usec = SEC, .n_phases = n, .n_stages = n};
    for (unsigned g = 0; g < n; g++) {
        model.conflicts[g] = conflicts[g];
        model.min_green_usec[g] = 5 * SEC;
        model.max_red_usec[g] = max_red_sec * SEC;
        model.phases[g] = (GroupSet)1 << g;
        model.stages[g] = (SignalStage){g, 5 * SEC};
    }
    return model;
}

/* Three can not all be served within a maximum that is room for two; the third follows at once. */
static void so_do_three_that_all_conflict(void **state) {
    (void)state;
    const SignalModel model = model_of((const GroupSet[]){6, 5, 3}, 3, 0, 9);
    search(&model, 9 + 6, 200);
}

static void so_do_three_of_which_two_are_compatible(void **state) {
    (void)state;
    const SignalModel model = model_of((const GroupSet[]){2, 5, 2}, 3, 1, 18);
    search(&model, 18 + 7, 2000);
}

/* Two that go together across two others that go together. */
static void so_do_four_in_two_pairs(void **state) {
    (void)state;
    const SignalModel model = model_of((const GroupSet[]){12, 12, 3, 3}, 4, 1, 13);
    search(&model, 13 + 14, 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_streets_keep_every_promise),
        cmocka_unit_test(so_they_do_with_yellow_and_patience),
        cmocka_unit_test(so_do_three_that_all_conflict),
        cmocka_unit_test(so_do_three_of_which_two_are_compatible),
        cmocka_unit_test(so_do_four_in_two_pairs),
    };
    return cmocka_run_group_tests_name("interlock-exhaustive", tests, NULL, NULL);
}
