/* Random and adversarial requests at random times, backwards ones too, to random intersections of 2 to 12 groups,
 * judged twice: by the second checker, and by a witness (interlock-witness.h) that shares no code with either.
 *
 * Ten million steps by default; property-run.h says how to ask for more, or for the same again. */
#include "core/interlock-check.h"
#include "core/interlock.h"
#include "core/random.h"
#include "interlock-witness.h"
#include "property-run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static uint64_t n_steps = 10 * 1000 * 1000;
static uint64_t seed;

enum { STEPS_PER_MODEL = 5000, STEPS_PER_MOOD = 64, GROUPS_MOST = 12 };

/* --- models --- */

/* Seconds with a little more, and often the least. */
static uint64_t random_usec(Random *random, uint64_t least_sec, uint64_t more_sec) {
    if (random_below(random, 3) == 0)
        return least_sec * SEC;
    return least_sec * SEC + random_below(random, more_sec * SEC + 1);
}

/* As many groups as fit with `first` and with each other, in random order. */
static GroupSet random_phase(Random *random, const SignalModel *model, unsigned first) {
    GroupSet phase = (GroupSet)1 << first;
    const unsigned from = (unsigned)random_below(random, model->n_groups);
    for (unsigned i = 0; i < model->n_groups; i++) {
        const unsigned g = (from + i) % model->n_groups;
        if (!(model->conflicts[g] & phase))
            phase |= (GroupSet)1 << g;
    }
    return phase;
}

static uint64_t least_max_red_usec(const SignalModel *model, unsigned group) {
    uint64_t longest = 0;
    for (unsigned g = 0; g < model->n_groups; g++)
        if (set_has(model->conflicts[group], g) && model->min_green_usec[g] > longest)
            longest = model->min_green_usec[g];
    return longest + 2 * (model->yellow_usec + model->all_red_usec);
}

static SignalModel random_model(Random *random) {
    SignalModel model = {.n_groups = 2 + (unsigned)random_below(random, GROUPS_MOST - 1)};
    const uint64_t percent = 10 + random_below(random, 91);
    for (unsigned a = 0; a < model.n_groups; a++)
        for (unsigned b = 0; b < a; b++)
            if (random_below(random, 100) < percent) {
                model.conflicts[a] |= (GroupSet)1 << b;
                model.conflicts[b] |= (GroupSet)1 << a;
            }
    model.yellow_usec = random_below(random, 3) == 0 ? 0 : random_usec(random, 1, 5);
    model.all_red_usec = random_usec(random, 1, 3);
    for (unsigned g = 0; g < model.n_groups; g++)
        model.min_green_usec[g] = random_usec(random, 5, 10);
    for (unsigned g = 0; g < model.n_groups; g++) {
        model.max_red_usec[g] = least_max_red_usec(&model, g);
        if (random_below(random, 4) > 0)
            model.max_red_usec[g] += random_below(random, 120 * SEC);
    }
    GroupSet served = 0;
    for (unsigned g = 0; g < model.n_groups; g++)
        if (!set_has(served, g))
            served |= model.phases[model.n_phases++] = random_phase(random, &model, g);
    model.n_stages = model.n_phases;
    for (unsigned s = 0; s < model.n_stages; s++)
        model.stages[s] = (SignalStage){s, 30 * SEC};
    return model;
}

/* Nothing that a check would take: any conflicts, any times. */
static SignalModel hostile_model(Random *random) {
    static const uint64_t times[] = {
        0, 1, 2, SEC, 3 * SEC, 10 * SEC, 100 * SEC, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
    SignalModel model = random_model(random);
    model.yellow_usec = times[random_below(random, 6)];
    model.all_red_usec = times[random_below(random, 6)];
    for (unsigned g = 0; g < model.n_groups; g++) {
        model.conflicts[g] ^= (GroupSet)(random_next(random) & random_next(random));
        model.min_green_usec[g] = times[random_below(random, random_below(random, 8) ? 7 : ARRAY_LEN(times))];
        model.max_red_usec[g] = times[random_below(random, ARRAY_LEN(times))];
    }
    return model;
}

/* --- what is asked, and when --- */

typedef enum Mood {
    HOLDS_A_PHASE,
    CHANGES_ITS_MIND,
    ASKS_FOR_ANYTHING,
    ASKS_FOR_ALL,
    ASKS_FOR_NOTHING,
    HOLDS_A_GROUP,
    WANTS_WHAT_IS_RED,
    WANTS_WHAT_IS_OPEN,
    HOLDS_CONFLICTS,
    MOOD_COUNT
} Mood;

static GroupSet new_request(Random *random, Mood mood, const Witness *witness, GroupSet last, bool is_new) {
    const SignalModel *model = witness->model;
    const GroupSet phase = model->phases[random_below(random, model->n_phases)];
    switch (mood) {
    case HOLDS_A_PHASE:
        return is_new ? phase : last;
    case CHANGES_ITS_MIND:
        return phase;
    case HOLDS_A_GROUP:
        return is_new ? (GroupSet)1 << random_below(random, model->n_groups) : last;
    case HOLDS_CONFLICTS:
        return is_new ? (GroupSet)random_next(random) : last;
    case ASKS_FOR_ALL:
        return UINT32_MAX;
    case ASKS_FOR_NOTHING:
        return 0;
    case WANTS_WHAT_IS_RED:
        return ~witness->open;
    case WANTS_WHAT_IS_OPEN:
        return witness->open;
    default:
        return (GroupSet)random_next(random);
    }
}

/* An instant at which something may be decided for some group, or a microsecond beside it. */
static uint64_t random_boundary(Random *random, const Witness *witness) {
    const SignalModel *model = witness->model;
    const unsigned g = (unsigned)random_below(random, model->n_groups);
    const uint64_t usec[] = {model->min_green_usec[g], model->yellow_usec, model->all_red_usec,
                             model->max_red_usec[g],
                             model->max_red_usec[g] - model->yellow_usec - model->all_red_usec};
    return witness->turned_usec[g] + usec[random_below(random, ARRAY_LEN(usec))] + random_below(random, 3) -
           1;
}

/* How the clock behaves. */
typedef enum Clock { ON_TIME, OFTEN_LATE } Clock;

static uint64_t random_instant(Random *random, const Witness *witness, uint64_t deadline_usec, Clock clock) {
    const uint64_t now_usec = witness->now_usec;
    uint64_t next_usec;
    switch (random_below(random, 8)) {
    case 0:
        next_usec = now_usec;
        break;
    case 1:
        next_usec = deadline_usec - 1;
        break;
    case 2:
    case 3:
        next_usec = deadline_usec;
        break;
    case 4:
        next_usec = random_boundary(random, witness);
        break;
    default:
        next_usec = now_usec + random_below(random, 4 * SEC);
    }
    /* Not to the end of time: nothing happens there any more. */
    if (next_usec > now_usec + 3600 * SEC)
        next_usec = now_usec + SEC;
    if (clock == ON_TIME) {
        next_usec = next_usec < now_usec ? now_usec : next_usec;
        return next_usec < deadline_usec ? next_usec : deadline_usec;
    }
    const uint64_t jump_usec = random_below(random, 200 * SEC);
    switch (random_below(random, 64)) {
    case 0:
        return now_usec + jump_usec;
    case 1:
        return now_usec > jump_usec ? now_usec - jump_usec : 0;
    case 2:
        return 0;
    default:
        return next_usec;
    }
}

/* --- the driver --- */

static const Witness *on_trial; /* for the words of a failure */

#define expect(condition, ...)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_error("TRAFFIC_PROPERTY_SEED=%" PRIu64 " at %" PRIu64 " us, %u groups, open %x: ", seed,   \
                        on_trial->now_usec, on_trial->n, on_trial->open);                                    \
            print_error(__VA_ARGS__);                                                                        \
            fail();                                                                                          \
        }                                                                                                    \
    } while (0)

/* Steps before the deadline change nothing. */
static void expect_no_change_before(const Interlock *interlock, Mono deadline) {
    Interlock twin = *interlock;
    expect(deadline.usec > interlock->seen.usec, "a deadline in the past\n");
    expect(!interlock_step(&twin, twin.wanted, (Mono){deadline.usec - 1}), "a change before its deadline\n");
}

/* When every step is in time, who is overdue waits at most for everybody who has been red for longer: for each of them,
 * that a green in its way is not wanted any more or gives way to the guard, and then for its own minimum. */
static void expect_nobody_starves(const Witness *witness) {
    const SignalModel *model = witness->model;
    uint64_t longest_usec = 0, others_usec = 0;
    for (unsigned g = 0; g < witness->n; g++)
        longest_usec = model->min_green_usec[g] > longest_usec ? model->min_green_usec[g] : longest_usec;
    for (unsigned g = 0; g < witness->n; g++)
        others_usec +=
            longest_usec + model->min_green_usec[g] + 2 * (model->yellow_usec + model->all_red_usec);
    for (unsigned g = 0; g < witness->n; g++)
        expect(set_has(witness->open, g) ||
                   witness_held_usec(witness, g) <= model->max_red_usec[g] + others_usec,
               "a red of %" PRIu64 " us\n", witness_held_usec(witness, g));
}

typedef struct Trial {
    SignalModel model;
    Interlock interlock;
    InterlockCheck check;
    Witness witness;
    Clock clock;
    bool is_hostile; /* the checker expects a model that was checked */
} Trial;

static void begin(Trial *trial, Random *random) {
    trial->model = trial->is_hostile ? hostile_model(random) : random_model(random);
    const uint64_t begin_usec = random_below(random, 2000 * SEC);
    interlock_init(&trial->interlock, &trial->model, (Mono){begin_usec});
    trial->witness = witness_begin(&trial->model, begin_usec);
    trial->check = (InterlockCheck){0};
    on_trial = &trial->witness;
    if (trial->is_hostile)
        return;
    Problem problem;
    expect(signal_model_check(&trial->model, NULL, &problem) == 0, "refused: %s\n", problem.text);
    const Lights lights = interlock_lights(&trial->interlock);
    expect(interlock_check(&trial->check, &trial->model, &lights, (Mono){begin_usec}).violation ==
               VIOLATION_NONE,
           "the checker objects to the start\n");
}

static void step(Trial *trial, GroupSet wanted, uint64_t now_usec) {
    const bool has_changed = interlock_step(&trial->interlock, wanted, (Mono){now_usec});
    const Lights lights = interlock_lights(&trial->interlock);
    bool is_change = false;
    const char *wrong = witness_look(&trial->witness, &lights, now_usec, &is_change);
    expect(!wrong || (trial->is_hostile && strstr(wrong, "overdue")), "%s\n", wrong);
    expect(is_change == has_changed, "a change that is not told, or told and not shown\n");
    if (trial->is_hostile)
        return;
    const InterlockVerdict verdict = interlock_check(&trial->check, &trial->model, &lights, (Mono){now_usec});
    expect(verdict.violation == VIOLATION_NONE, "the checker objects: %s\n",
           interlock_violation_words[verdict.violation]);
    if (trial->clock == ON_TIME && is_change)
        expect_nobody_starves(&trial->witness);
}

static uint64_t drive(Trial *trial, Random *random) {
    GroupSet wanted = 0;
    Mood mood = HOLDS_A_PHASE;
    begin(trial, random);
    for (unsigned i = 0; i < STEPS_PER_MODEL; i++) {
        const bool is_new = i % STEPS_PER_MOOD == 0;
        if (is_new)
            mood = (Mood)random_below(random, MOOD_COUNT);
        wanted = new_request(random, mood, &trial->witness, wanted, is_new);
        const Mono deadline = interlock_deadline(&trial->interlock);
        if (i % 8 == 0 && !trial->is_hostile)
            expect_no_change_before(&trial->interlock, deadline);
        step(trial, wanted, random_instant(random, &trial->witness, deadline.usec, trial->clock));
    }
    return trial->witness.n_greens;
}

static void drive_many(uint64_t stream, Clock clock, bool is_hostile, uint64_t percent) {
    Random random = random_seeded(seed, stream);
    Trial trial = {.clock = clock, .is_hostile = is_hostile};
    uint64_t n_greens = 0, n_models = 0;
    for (uint64_t done = 0; done < n_steps / 100 * percent; done += STEPS_PER_MODEL, n_models++)
        n_greens += drive(&trial, &random);
    print_message("%" PRIu64 " models, %" PRIu64 " steps, %" PRIu64 " greens\n", n_models,
                  n_models * STEPS_PER_MODEL, n_greens);
    expect(n_greens > n_models, "lights that never change\n");
}

/* --- properties --- */

static void no_requests_at_any_time_break_a_promise(void **state) {
    (void)state;
    drive_many(1, ON_TIME, false, 40);
}

static void nor_does_a_clock_that_jumps_and_goes_back(void **state) {
    (void)state;
    drive_many(2, OFTEN_LATE, false, 40);
}

static void nor_does_a_model_that_nobody_checked(void **state) {
    (void)state;
    drive_many(3, OFTEN_LATE, true, 20);
}

/* --- main --- */

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_requests_at_any_time_break_a_promise),
        cmocka_unit_test(nor_does_a_clock_that_jumps_and_goes_back),
        cmocka_unit_test(nor_does_a_model_that_nobody_checked),
    };
    property_begin(&n_steps, &seed);
    return cmocka_run_group_tests_name("interlock-random", tests, NULL, NULL);
}
