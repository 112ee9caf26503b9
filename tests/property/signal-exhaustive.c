/* Every state that the lights of two streets can reach with small times and a clock of whole seconds, and from each
 * every request and the passing of a second: not a sample, all of them. Several searches, because all requests
 * together reach too many states: what operators and rules ask, green waves that cross, and whoever commands.
 *
 * A state is kept as a row of small numbers, ages in place of instants, and made a plan again beside a fixed `now`;
 * that the row forgets nothing that matters is itself tested (`rows_forget_nothing`). */
#include "core/signal-cycle.h"
#include "core/signal-plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

enum { LONG_HOLD_SEC = 23, SHORT_HOLD_SEC = 1, REQUESTS_MAX = 10 };

static const Mono now = {10 * 1000 * 1000 * SEC};

/* Small, so that everything overlaps: a long hold meets the maximum red, a short one the minimum green. */
typedef struct Search {
    const char *name;
    SignalTimes times;
    SafetyTimes safety;
    uint64_t green_usec;
    bool gets_in_step; /* there is room for shorter or longer greens, so the place in the cycle matters */
    size_t n_requests;
    SignalRequest requests[REQUESTS_MAX];
    SignalModel model; /* made */
} Search;

#define TIMES(max_red_sec)                                                                                   \
    .times = {.extension_usec = 4 * SEC,                                                                     \
              .cross_reduction_usec = 3 * SEC,                                                               \
              .force_usec = 9 * SEC,                                                                         \
              .wave_usec = 11 * SEC,                                                                         \
              .lease_usec = 4 * SEC},                                                                        \
    .safety = {.min_green_usec = 5 * SEC, .all_red_usec = 2 * SEC, .max_red_usec = (max_red_sec)*SEC}
#define REQUEST(what, where, ...)                                                                            \
    { .action = SIGNAL_##what, .has_phase = true, .phase = DIRECTION_##where, __VA_ARGS__ }

static Search searches[] = {
    {.name = "forced and extended",
     TIMES(17),
     .green_usec = 9 * SEC,
     .gets_in_step = true,
     .n_requests = 7,
     .requests = {{.action = SIGNAL_EXTEND},
                  REQUEST(EXTEND, NS, .priority = 0),
                  REQUEST(EXTEND, EW, .priority = 0),
                  REQUEST(FORCE, NS, .duration_usec = 0),
                  REQUEST(FORCE, EW, .duration_usec = 0),
                  REQUEST(FORCE, NS, .duration_usec = LONG_HOLD_SEC * SEC),
                  REQUEST(FORCE, EW, .duration_usec = SHORT_HOLD_SEC * SEC)}},
    {.name = "waves",
     TIMES(16),
     .green_usec = 5 * SEC,
     .n_requests = 5,
     .requests = {REQUEST(WAVE, NS, .priority = 5),
                  REQUEST(WAVE, EW, .priority = 5, .duration_usec = LONG_HOLD_SEC * SEC),
                  REQUEST(WAVE, EW, .priority = 6, .duration_usec = SHORT_HOLD_SEC * SEC),
                  REQUEST(FORCE, NS, .duration_usec = 0), REQUEST(EXTEND, NS, .priority = 0)}},
    {.name = "waves to come",
     TIMES(16),
     .green_usec = 5 * SEC,
     .n_requests = 2,
     .requests = {REQUEST(WAVE, NS, .priority = 5, .delay_usec = 2 * SEC, .duration_usec = 6 * SEC),
                  REQUEST(WAVE, EW, .priority = 6, .duration_usec = 6 * SEC)}},
    {.name = "commanded",
     TIMES(16),
     .green_usec = 5 * SEC,
     .n_requests = 6,
     .requests = {REQUEST(PHASE, NS, .priority = 0),
                  REQUEST(PHASE, EW, .priority = 0),
                  REQUEST(FORCE, NS, .duration_usec = LONG_HOLD_SEC * SEC),
                  REQUEST(FORCE, EW, .duration_usec = 0),
                  REQUEST(WAVE, EW, .priority = 5),
                  {.action = SIGNAL_EXTEND}}},
};

static const Search *search; /* the one that the functions below are about */

static size_t second_passes(void) { /* as an event: the one behind the requests */
    return search->n_requests;
}

/* --- rows --- */

typedef struct WaveRow {
    uint8_t is_there, phase, priority, starts_in, usec, has_begun, began, rank;
} WaveRow;

/* No holes: rows are compared as bytes. */
typedef struct Row {
    uint8_t state, colour[DIRECTION_COUNT], age[DIRECTION_COUNT];
    uint8_t mode, has_started, phase, is_begun, green_left;
    uint8_t stage, due, n_full, entry, is_extended, extension_waits, shortened_next, position;
    uint8_t command_left, command_phase, force_phase, force_usec, force_has_begun, force_began, charged;
    uint8_t spare[7];
    WaveRow waves[SIGNAL_WAVES_MAX];
} Row;
_Static_assert(sizeof(Row) == 32 + SIGNAL_WAVES_MAX * sizeof(WaveRow), "no holes");

static uint8_t small(uint64_t usec) {
    assert_true(usec % SEC == 0 && usec / SEC <= UINT8_MAX);
    return (uint8_t)(usec / SEC);
}

static uint8_t age_of(Mono since) {
    assert_true(since.usec <= now.usec);
    return small(now.usec - since.usec);
}

static uint8_t left_of(Mono until) {
    return small(mono_between(now, until));
}

static Mono aged(uint8_t seconds) {
    return (Mono){now.usec - seconds * SEC};
}

static bool is_earlier(const SignalWave *a, const SignalWave *b) {
    return a->starts.usec != b->starts.usec ? a->starts.usec < b->starts.usec : a->number < b->number;
}

/* Of those that have started it matters who did first, not when. */
static WaveRow wave_row(const SignalWaves *waves, int place) {
    const SignalWave *wave = &waves->waves[place];
    uint8_t rank = 1;
    if (wave->number == 0)
        return (WaveRow){0};
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++)
        rank += waves->waves[i].number != 0 && is_earlier(&waves->waves[i], wave);
    return (WaveRow){.is_there = true,
                     .phase = (uint8_t)wave->hold.phase,
                     .priority = (uint8_t)wave->priority,
                     .starts_in = left_of(wave->starts),
                     .usec = small(wave->hold.usec),
                     .has_begun = wave->hold.has_begun,
                     .began = wave->hold.has_begun ? age_of(wave->hold.began) : 0,
                     .rank = rank};
}

static Row row_of(const SignalPlan *plan) {
    const Interlock *interlock = &plan->interlock;
    const bool is_fixed = plan->mode == SIGNAL_MODE_FIXED, is_forced = plan->mode == SIGNAL_MODE_FORCED;
    Row row = {.state = (uint8_t)interlock->state,
               .mode = (uint8_t)plan->mode,
               .has_started = plan->has_started,
               .phase = (uint8_t)plan->phase,
               .is_begun = plan->is_begun,
               .green_left = plan->is_begun ? left_of(plan->green_ends) : 0,
               .stage = (uint8_t)plan->stage,
               .due = is_fixed && !plan->is_begun && plan->stage_due.usec >= now.usec
                          ? left_of(plan->stage_due) + 1
                          : 0,
               .n_full = search->gets_in_step ? (uint8_t)plan->n_full : 0,
               .entry = small(plan->entry_usec),
               .is_extended = is_fixed && plan->is_extended,
               .extension_waits = (uint8_t)plan->extension_waits,
               .shortened_next = (uint8_t)plan->shortened_next,
               .command_left = left_of(plan->command_ends)};
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        row.colour[d] = (uint8_t)interlock->colour[d];
        row.age[d] = age_of(interlock->since[d]);
    }
    if (search->gets_in_step)
        row.position = small((now.usec - plan->zero.usec) % signal_cycle_usec(&search->model));
    if (row.command_left > 0)
        row.command_phase = (uint8_t)plan->command_phase;
    if (is_forced) {
        row.force_phase = (uint8_t)plan->force.phase;
        row.force_usec = small(plan->force.usec);
        row.force_has_begun = plan->force.has_begun;
        row.force_began = plan->force.has_begun ? age_of(plan->force.began) : 0;
    }
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++)
        row.waves[i] = wave_row(&plan->waves, i);
    if (is_forced ? !plan->force.has_begun : plan->wave >= 0 && !row.waves[plan->wave].has_begun)
        row.charged = age_of(plan->charged);
    return row;
}

/* What the checker remembers follows from what the interlock does; transitions assert that it is so. */
static InterlockCheck expected_check(const SignalPlan *plan) {
    InterlockCheck check = {.has_started = true, .latest = now, .shown = interlock_lights(&plan->interlock)};
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++)
        check.changed[d] = plan->interlock.since[d];
    return check;
}

static SignalPlan plan_of(const Row *row) {
    SignalPlan plan = {
        .model = &search->model,
        .times = &search->times,
        .zero = aged(row->position),
        .interlock = {.model = &search->model, .state = (InterlockState)row->state, .seen = now},
        .mode = (SignalMode)row->mode,
        .has_started = row->has_started,
        .phase = row->phase,
        .is_begun = row->is_begun,
        .green_ends = mono_after(now, row->green_left * SEC),
        .stage = row->stage,
        .stage_due = row->due > 0 ? mono_after(now, (row->due - 1U) * SEC) : aged(100),
        .n_full = row->n_full,
        .entry_usec = row->entry * SEC,
        .is_extended = row->is_extended,
        .extension_waits = row->extension_waits,
        .shortened_next = row->shortened_next,
        .command_phase = row->command_phase,
        .command_ends = mono_after(now, row->command_left * SEC),
        .force = {.phase = row->force_phase,
                  .usec = row->force_usec * SEC,
                  .has_begun = row->force_has_begun,
                  .began = aged(row->force_began)},
        .charged = aged(row->charged),
        .waves = {.n_asked = SIGNAL_WAVES_MAX}};
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        plan.interlock.colour[d] = (SignalColour)row->colour[d];
        plan.interlock.since[d] = aged(row->age[d]);
    }
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++)
        if (row->waves[i].is_there)
            plan.waves.waves[i] = (SignalWave){.hold = {.phase = row->waves[i].phase,
                                                        .usec = row->waves[i].usec * SEC,
                                                        .has_begun = row->waves[i].has_begun,
                                                        .began = aged(row->waves[i].began)},
                                               .priority = row->waves[i].priority,
                                               .starts = mono_after(now, row->waves[i].starts_in * SEC),
                                               .number = row->waves[i].rank};
    plan.wave = plan.mode == SIGNAL_MODE_WAVE ? signal_waves_first(&plan.waves, now) : -1;
    plan.check = expected_check(&plan);
    return plan;
}

static void age(Mono *instant) {
    if (instant->usec != 0 && !mono_is_never(*instant))
        instant->usec -= SEC;
}

/* The same state seen one second later: every instant one second further back. */
static void age_by_one_second(SignalPlan *plan) {
    Mono *const instants[] = {&plan->zero,         &plan->interlock.seen, &plan->check.started,
                              &plan->check.latest, &plan->green_ends,     &plan->stage_due,
                              &plan->command_ends, &plan->force.began,    &plan->charged};
    for (size_t i = 0; i < ARRAY_LEN(instants); i++)
        age(instants[i]);
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        age(&plan->interlock.since[d]);
        age(&plan->check.changed[d]);
    }
    for (int i = 0; i < SIGNAL_WAVES_MAX; i++) {
        age(&plan->waves.waves[i].starts);
        age(&plan->waves.waves[i].hold.began);
    }
}

/* --- events --- */

static SignalChange apply(SignalPlan *plan, size_t event) {
    SignalChange change;
    if (event == second_passes()) {
        age_by_one_second(plan);
        return signal_plan_step(plan, now);
    }
    signal_plan_request(plan, &search->requests[event], now, &change);
    return change;
}

/* The promises, from the state before (one second older when time passed) and what is shown after. */
static void assert_promises(const SignalPlan *before, const SignalPlan *after, uint64_t passed_sec) {
    const SafetyTimes *safety = &search->safety;
    const Lights was = interlock_lights(&before->interlock), is = interlock_lights(&after->interlock);
    assert_true(after->mode != SIGNAL_MODE_LATCHED);
    assert_false(is.colour[DIRECTION_NS] != SIGNAL_RED && is.colour[DIRECTION_EW] != SIGNAL_RED);
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        const Direction across = d == DIRECTION_NS ? DIRECTION_EW : DIRECTION_NS;
        const uint64_t held_usec = (age_of(before->interlock.since[d]) + passed_sec) * SEC;
        const uint64_t across_usec = (age_of(before->interlock.since[across]) + passed_sec) * SEC;
        if (was.colour[d] == SIGNAL_GREEN && is.colour[d] == SIGNAL_RED)
            assert_true(held_usec >= safety->min_green_usec);
        if (was.colour[d] == SIGNAL_RED && is.colour[d] == SIGNAL_GREEN) {
            assert_int_equal(was.colour[across], SIGNAL_RED);
            assert_true(held_usec >= safety->all_red_usec && across_usec >= safety->all_red_usec);
        }
        if (is.colour[d] == SIGNAL_RED)
            assert_true(age_of(after->interlock.since[d]) * SEC <= safety->max_red_usec);
    }
    const InterlockCheck expected = expected_check(after);
    assert_memory_equal(&after->check.shown, &expected.shown, sizeof expected.shown);
    assert_memory_equal(after->check.changed, expected.changed, sizeof expected.changed);
    const Mono deadline = signal_plan_deadline(after);
    assert_true(deadline.usec > now.usec && deadline.usec <= now.usec + safety->max_red_usec);
}

/* --- the search --- */

typedef struct Seen {
    uint32_t *table; /* open addressing; 0 is free, so places in the queue are kept plus one */
    size_t size;     /* a power of two */
    Row *queue;
    size_t n;
} Seen;

static size_t hash_of(const Row *row) {
    uint64_t words[sizeof *row / sizeof(uint64_t)], hash = 0;
    memcpy(words, row, sizeof words);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        hash = (hash ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15) ^ hash >> 29;
    return (size_t)(hash >> 20);
}
_Static_assert(sizeof(Row) % sizeof(uint64_t) == 0, "all of it is hashed");

static void see(Seen *seen, const Row *row) {
    size_t i = hash_of(row) & (seen->size - 1);
    while (seen->table[i] && memcmp(&seen->queue[seen->table[i] - 1], row, sizeof *row) != 0)
        i = (i + 1) & (seen->size - 1);
    if (seen->table[i])
        return;
    assert_true(seen->n < seen->size / 2); /* else the table is too small: enlarge it here */
    seen->queue[seen->n++] = *row;
    seen->table[i] = (uint32_t)seen->n;
}

static SignalPlan started(void) {
    SignalPlan plan;
    signal_plan_init(&plan, &search->model, &search->times, mono_after(now, search->safety.all_red_usec),
                     now);
    plan.zero.usec -= signal_cycle_usec(&search->model); /* the same place, and not in the future */
    return plan;
}

static Seen search_all(void) {
    Seen seen = {.size = (size_t)1 << 22};
    seen.table = calloc(seen.size, sizeof *seen.table);
    seen.queue = calloc(seen.size / 2, sizeof *seen.queue);
    assert_non_null(seen.table);
    assert_non_null(seen.queue);
    SignalPlan first = started();
    Row row = row_of(&first);
    see(&seen, &row);
    for (size_t i = 0; i < seen.n; i++)
        for (size_t event = 0; event <= second_passes(); event++) {
            SignalPlan before = plan_of(&seen.queue[i]), after = before;
            apply(&after, event);
            assert_promises(&before, &after, event == second_passes());
            row = row_of(&after);
            see(&seen, &row);
        }
    return seen;
}

static void forget(Seen *seen) {
    free(seen->table);
    free(seen->queue);
}

/* Left alone, a state comes back to the plan within its holds and what waits for later greens. */
static void assert_returns_to_the_plan(const Row *row) {
    SignalPlan plan = plan_of(row);
    for (int second = 0; second < 300; second++)
        apply(&plan, second_passes());
    assert_int_equal(plan.mode, SIGNAL_MODE_FIXED);
    assert_int_equal(plan.extension_waits, 0);
    assert_int_equal(plan.shortened_next, 0);
}

enum { EVERY_SO_MANY = 17 };

static void no_reachable_state_breaks_a_promise_and_all_return_to_the_plan(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
        search = &searches[i];
        Seen seen = search_all(); /* asserts it */
        print_message("%s: %zu states, %zu transitions\n", search->name, seen.n,
                      seen.n * (search->n_requests + 1));
        assert_true(seen.n > 10 * 1000);
        for (size_t n = 0; n < seen.n; n += EVERY_SO_MANY)
            assert_returns_to_the_plan(&seen.queue[n]);
        forget(&seen);
    }
}

static void rows_forget_nothing(void **state) {
    (void)state;
    uint64_t choice = 1;
    for (size_t s = 0; s < ARRAY_LEN(searches); s++) {
        search = &searches[s];
        SignalPlan real = started();
        for (int i = 0; i < 100000; i++) {
            choice = choice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            size_t event = (choice >> 33) % (3 * (search->n_requests + 1));
            event = event < second_passes() ? event : second_passes();
            const Row row = row_of(&real);
            SignalPlan twin = plan_of(&row);
            SignalChange a = apply(&real, event), b = apply(&twin, event);
            const Row one = row_of(&real), other = row_of(&twin);
            assert_memory_equal(&one, &other, sizeof one);
            assert_int_equal(a.is_change, b.is_change);
            if (a.is_change) {
                assert_int_equal(a.cause, b.cause);
                assert_int_equal(a.green_usec, b.green_usec);
            }
        }
    }
}

static int make_models(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(searches); i++)
        searches[i].model = signal_model_two_streets(&searches[i].safety, searches[i].green_usec);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_forget_nothing),
        cmocka_unit_test(no_reachable_state_breaks_a_promise_and_all_return_to_the_plan),
    };
    return cmocka_run_group_tests_name("signal-exhaustive", tests, make_models, NULL);
}
