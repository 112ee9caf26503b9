/* Random requests at random times against the promises of the lights, judged by a witness that shares no code
 * with the interlock or its checker: it sees what is shown and when, nothing else.
 *
 *     TRAFFIC_PROPERTY_STEPS=1000000000   how many steps (default ten million)
 *     TRAFFIC_PROPERTY_SEED=1             repeat a run (default: a new seed, printed)
 */
#include "core/random.h"
#include "core/signal-plan.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static uint64_t n_steps = 10 * 1000 * 1000;
static uint64_t seed;

/* --- the witness --- */

typedef struct Witness {
    const SignalTimes *times;
    Lights seen;
    uint64_t turned_usec[DIRECTION_COUNT]; /* when each direction took its colour */
    uint64_t stepped_usec;                 /* the last look */
    uint64_t late_usec;                    /* how late looks were, summed over the present reds */
    uint64_t n_greens;
} Witness;

#define expect(condition, ...)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_error("seed %" PRIu64 ": ", seed);                                                         \
            print_error(__VA_ARGS__);                                                                        \
            fail();                                                                                          \
        }                                                                                                    \
    } while (0)

static void witness_turn(Witness *witness, Direction direction, Colour colour, uint64_t now_usec) {
    const InterlockTimes *times = &witness->times->interlock;
    uint64_t held_usec = now_usec - witness->turned_usec[direction];
    Direction other = direction == DIRECTION_NS ? DIRECTION_EW : DIRECTION_NS;
    if (colour == COLOUR_RED)
        expect(held_usec >= times->min_green_usec, "a green of %" PRIu64 " us\n", held_usec);
    else
        expect(witness->seen.colour[other] == COLOUR_RED &&
                   now_usec - witness->turned_usec[other] >= times->all_red_usec,
               "a green without clearance\n");
    witness->n_greens += colour == COLOUR_GREEN;
    witness->turned_usec[direction] = now_usec;
}

/* Looks at what is shown after a step that came `late_usec` after its deadline. */
static void witness_look(Witness *witness, Lights lights, uint64_t now_usec, uint64_t late_usec) {
    expect(!(lights.colour[DIRECTION_NS] == COLOUR_GREEN && lights.colour[DIRECTION_EW] == COLOUR_GREEN),
           "both directions green\n");
    witness->late_usec += late_usec;
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++)
        if (lights.colour[d] != witness->seen.colour[d])
            witness_turn(witness, d, lights.colour[d], now_usec);
    witness->seen = lights;
    bool is_red_long = false;
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++) {
        uint64_t held_usec = now_usec - witness->turned_usec[d];
        is_red_long |= lights.colour[d] == COLOUR_RED && held_usec > witness->times->interlock.all_red_usec;
        if (lights.colour[d] == COLOUR_RED)
            expect(held_usec <= witness->times->interlock.max_red_usec + witness->late_usec,
                   "a red of %" PRIu64 " us\n", held_usec);
    }
    if (!is_red_long)
        witness->late_usec = 0;
    witness->stepped_usec = now_usec;
}

/* --- the driver --- */

static SignalTimes random_times(Random *random) {
    SignalTimes times = {0};
    times.interlock.min_green_usec = (5 + random_below(random, 3)) * SEC;
    times.interlock.all_red_usec = SEC + random_below(random, 2 * SEC);
    times.green_usec = times.interlock.min_green_usec + random_below(random, 20) * SEC;
    times.extension_usec = random_below(random, 15) * SEC;
    times.cross_reduction_usec = random_below(random, 15) * SEC;
    times.wave_usec = random_below(random, 60) * SEC + 1;
    times.interlock.max_red_usec = times.green_usec + times.extension_usec +
                                   2 * times.interlock.all_red_usec + random_below(random, 60) * SEC;
    return times;
}

static SignalRequest random_request(Random *random) {
    SignalRequest request = {.action = (SignalAction)random_below(random, SIGNAL_ACTION_COUNT),
                             .has_direction = true,
                             .direction = (Direction)random_below(random, DIRECTION_COUNT)};
    if (request.action == SIGNAL_EXTEND)
        request.has_direction = random_below(random, 3) > 0;
    if (request.action != SIGNAL_EXTEND && random_below(random, 2))
        request.duration_usec = 1 + random_below(random, 200) * SEC;
    return request;
}

/* The next instant: mostly within seconds, often exactly at a deadline or a microsecond beside it; seldom
 * much too late. */
static uint64_t random_instant(Random *random, uint64_t now_usec, uint64_t deadline_usec, bool may_stall) {
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
    default:
        next_usec = now_usec + random_below(random, 4 * SEC);
    }
    if (may_stall && random_below(random, 50) == 0)
        return deadline_usec + random_below(random, 200 * SEC);
    if (next_usec < now_usec)
        next_usec = now_usec;
    return next_usec < deadline_usec ? next_usec : deadline_usec;
}

static void drive(SignalPlan *plan, Witness *witness, Random *random, uint64_t steps, bool may_stall) {
    uint64_t now_usec = witness->stepped_usec;
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t deadline_usec = signal_plan_deadline(plan).usec;
        expect(deadline_usec > now_usec, "a deadline in the past\n");
        now_usec = random_instant(random, now_usec, deadline_usec, may_stall);
        SignalChange change;
        if (random_below(random, 3) == 0) {
            SignalRequest request = random_request(random);
            SignalAnswer answer = signal_plan_request(plan, &request, (Mono){now_usec}, &change);
            expect(answer.outcome != SIGNAL_OUT_OF_ORDER, "latched\n");
        } else {
            change = signal_plan_step(plan, (Mono){now_usec});
        }
        Lights lights = signal_plan_lights(plan);
        bool is_change =
            lights.colour[0] != witness->seen.colour[0] || lights.colour[1] != witness->seen.colour[1];
        expect(change.is_change == is_change, "a change that is not told, or told and not shown\n");
        expect(change.violation == VIOLATION_NONE, "the checker objects: %s\n",
               interlock_violation_words[change.violation]);
        witness_look(witness, lights, now_usec, now_usec > deadline_usec ? now_usec - deadline_usec : 0);
    }
}

static void begin(SignalPlan *plan, Witness *witness, const SignalTimes *times) {
    const uint64_t begin_usec = 1000 * SEC;
    signal_plan_init(plan, times, (Mono){begin_usec});
    *witness = (Witness){.times = times, .turned_usec = {begin_usec, begin_usec}, .stepped_usec = begin_usec};
}

/* --- properties --- */

enum { STEPS_PER_CITY = 20000 };

static void drive_many(uint64_t stream, bool may_stall) {
    Random random = random_seeded(seed, stream);
    uint64_t n_greens = 0;
    for (uint64_t done = 0; done < n_steps / 2; done += STEPS_PER_CITY) {
        SignalTimes times = random_times(&random);
        expect(signal_times_check(&times, NULL) == 0, "times that are refused\n");
        SignalPlan plan;
        Witness witness;
        begin(&plan, &witness, &times);
        drive(&plan, &witness, &random, STEPS_PER_CITY, may_stall);
        expect(witness.n_greens > 0, "lights that never change\n");
        n_greens += witness.n_greens;
    }
    print_message("%" PRIu64 " greens\n", n_greens);
}

static void no_requests_at_any_time_break_a_promise(void **state) {
    (void)state;
    drive_many(1, false);
}

static void nor_does_a_process_that_is_often_late(void **state) {
    (void)state;
    drive_many(2, true);
}

/* Steps at every deadline until a green begins and ends again; returns how long it was. */
static uint64_t next_green_usec(SignalPlan *plan, uint64_t *now_usec, Direction *ret_direction) {
    uint64_t began_usec = 0;
    for (;;) {
        *now_usec = signal_plan_deadline(plan).usec;
        SignalChange change = signal_plan_step(plan, (Mono){*now_usec});
        if (!change.is_change)
            continue;
        if (change.green_usec > 0) {
            began_usec = *now_usec;
            *ret_direction = change.lights.colour[DIRECTION_NS] == COLOUR_GREEN ? DIRECTION_NS : DIRECTION_EW;
        } else if (began_usec) {
            return *now_usec - began_usec;
        }
    }
}

static void left_alone_the_lights_return_to_the_plan(void **state) {
    (void)state;
    Random random = random_seeded(seed, 3);
    for (int i = 0; i < 5000; i++) {
        SignalTimes times = random_times(&random);
        SignalPlan plan;
        Witness witness;
        begin(&plan, &witness, &times);
        drive(&plan, &witness, &random, 1 + random_below(&random, 50), true);
        uint64_t now_usec = witness.stepped_usec;
        Direction direction = DIRECTION_NS, before;
        /* The longest hold is 200 s, interrupted by the maximum red, and what waited for a green has had it
         * by then. */
        const uint64_t settled_usec = now_usec + 1000 * SEC;
        while (now_usec < settled_usec)
            next_green_usec(&plan, &now_usec, &direction);
        for (int cycle = 0; cycle < 4; cycle++) {
            before = direction;
            uint64_t green_usec = next_green_usec(&plan, &now_usec, &direction);
            expect(green_usec == times.green_usec, "a green of %" PRIu64 " us in the plan\n", green_usec);
            expect(direction != before, "the same direction twice\n");
        }
    }
}

/* With extensions alone every green is the plan's, perhaps shortened once, perhaps extended once. */
static void no_green_is_extended_twice(void **state) {
    (void)state;
    Random random = random_seeded(seed, 4);
    for (int i = 0; i < 500; i++) {
        SignalTimes times = random_times(&random);
        const uint64_t spare_usec = times.green_usec - times.interlock.min_green_usec;
        const uint64_t less_usec =
            times.cross_reduction_usec < spare_usec ? times.cross_reduction_usec : spare_usec;
        SignalPlan plan;
        signal_plan_init(&plan, &times, (Mono){1000 * SEC});
        uint64_t now_usec = 1000 * SEC, began_usec = 0;
        for (int step = 0; step < 2000; step++) {
            now_usec = random_instant(&random, now_usec, signal_plan_deadline(&plan).usec, false);
            SignalRequest request = {.action = SIGNAL_EXTEND,
                                     .has_direction = random_below(&random, 2),
                                     .direction = (Direction)random_below(&random, DIRECTION_COUNT)};
            SignalChange change;
            signal_plan_request(&plan, &request, (Mono){now_usec}, &change);
            if (change.is_change && change.green_usec > 0)
                began_usec = now_usec;
            if (!change.is_change || change.green_usec > 0)
                continue;
            uint64_t green_usec = now_usec - began_usec;
            expect(green_usec == times.green_usec || green_usec == times.green_usec - less_usec ||
                       green_usec == times.green_usec + times.extension_usec ||
                       green_usec == times.green_usec - less_usec + times.extension_usec,
                   "a green of %" PRIu64 " us\n", green_usec);
        }
    }
}

/* --- main --- */

static void read_environment(void) {
    const char *steps = getenv("TRAFFIC_PROPERTY_STEPS"), *chosen = getenv("TRAFFIC_PROPERTY_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (steps)
        n_steps = strtoull(steps, NULL, 10);
    seed = chosen ? strtoull(chosen, NULL, 10) : (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec;
    printf("TRAFFIC_PROPERTY_SEED=%" PRIu64 " TRAFFIC_PROPERTY_STEPS=%" PRIu64 "\n", seed, n_steps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_requests_at_any_time_break_a_promise),
        cmocka_unit_test(nor_does_a_process_that_is_often_late),
        cmocka_unit_test(left_alone_the_lights_return_to_the_plan),
        cmocka_unit_test(no_green_is_extended_twice),
    };
    read_environment();
    return cmocka_run_group_tests_name("signal-random", tests, NULL, NULL);
}
