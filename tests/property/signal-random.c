/* Random requests at random times to plans of two streets and of eight phases, judged by a witness
 * (interlock-witness.h) that shares no code with the interlock or its checker: it sees what is shown and when,
 * nothing else. interlock-random.c does the same to the interlock alone, of any intersection.
 *
 * Ten million steps by default; property-run.h says how to ask for more, or for the same again. */
#include "core/random.h"
#include "core/signal-cycle.h"
#include "core/signal-plan.h"
#include "eight-phases.h"
#include "interlock-witness.h"
#include "property-run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

static uint64_t n_steps = 10 * 1000 * 1000;
static uint64_t seed;

#define expect(condition, ...)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_error("seed %" PRIu64 ": ", seed);                                                         \
            print_error(__VA_ARGS__);                                                                        \
            fail();                                                                                          \
        }                                                                                                    \
    } while (0)

/* --- an intersection --- */

typedef struct City {
    SignalModel model;
    SignalTimes times;
    SignalPlan plan;
    Witness witness;
    uint64_t now_usec;
    /* Two streets only: no red is longer than its maximum, but for how late the steps were since it began. */
    bool is_two_streets;
    uint64_t late_usec;
} City;

static SignalTimes random_times(Random *random, uint64_t green_usec) {
    return (SignalTimes){.extension_usec = random_below(random, 15) * SEC,
                         .cross_reduction_usec = random_below(random, 15) * SEC,
                         .force_usec = green_usec,
                         .wave_usec = random_below(random, 60) * SEC + 1,
                         .lease_usec = SEC + random_below(random, 10 * SEC)};
}

static void make_two_streets(City *city, Random *random) {
    SafetyTimes safety = {.min_green_usec = (5 + random_below(random, 3)) * SEC,
                          .yellow_usec = random_below(random, 2) * random_below(random, 4 * SEC),
                          .all_red_usec = SEC + random_below(random, 2 * SEC)};
    const uint64_t green_usec = safety.min_green_usec + random_below(random, 20) * SEC;
    city->times = random_times(random, green_usec);
    safety.max_red_usec = green_usec + city->times.extension_usec +
                          2 * (safety.yellow_usec + safety.all_red_usec) + random_below(random, 60) * SEC;
    city->model = signal_model_two_streets(&safety, green_usec);
    city->is_two_streets = true;
}

static void make_eight_phases(City *city, Random *random) {
    city->model = eight_phases();
    city->model.yellow_usec = random_below(random, 2) * random_below(random, 5 * SEC);
    city->model.all_red_usec = SEC + random_below(random, 2 * SEC);
    city->model.n_stages = 1 + (unsigned)random_below(random, SIGNAL_STAGES_MAX);
    for (unsigned g = 0; g < EIGHT; g++) {
        city->model.min_green_usec[g] = (5 + random_below(random, 6)) * SEC;
        city->model.max_red_usec[g] = 30 * SEC + random_below(random, 100 * SEC);
    }
    for (unsigned i = 0; i < city->model.n_stages; i++)
        city->model.stages[i] = (SignalStage){.phase = (unsigned)random_below(random, city->model.n_phases),
                                              .green_usec = 10 * SEC + random_below(random, 20 * SEC)};
    city->times = random_times(random, 15 * SEC);
    city->is_two_streets = false;
}

static void begin(City *city, Random *random) {
    Problem problem = {{0}};
    if (random_below(random, 2))
        make_two_streets(city, random);
    else
        make_eight_phases(city, random);
    city->model.offset_usec = random_below(random, 60 * SEC);
    expect(signal_model_check(&city->model, NULL, &problem) == 0, "a model that is refused: %s\n",
           problem.text);
    if (city->is_two_streets)
        expect(signal_times_check(&city->times, &city->model, NULL) == 0, "times that are refused\n");
    city->now_usec = 1000 * SEC;
    city->late_usec = 0;
    signal_plan_init(&city->plan, &city->model, &city->times, (Mono){990 * SEC}, (Mono){city->now_usec});
    city->witness = witness_begin(&city->model, city->now_usec);
}

static void expect_no_long_red(City *city, uint64_t late_usec) {
    bool is_someone_long = false;
    city->late_usec += late_usec;
    for (unsigned g = 0; city->is_two_streets && g < city->model.n_groups; g++) {
        uint64_t held_usec = city->now_usec - city->witness.turned_usec[g];
        bool is_red = !set_has(city->witness.open, g);
        is_someone_long |= is_red && held_usec > city->model.all_red_usec;
        expect(!is_red || held_usec <= city->model.max_red_usec[g] + city->late_usec,
               "a red of %" PRIu64 " us\n", held_usec);
    }
    if (!is_someone_long)
        city->late_usec = 0;
}

/* --- the driver --- */

static SignalRequest random_request(const City *city, Random *random) {
    SignalRequest request = {.action = (SignalAction)random_below(random, SIGNAL_RELEASE),
                             .has_phase = random_below(random, 2),
                             .phase = (unsigned)random_below(random, city->model.n_phases),
                             .has_direction = true,
                             .direction = (Direction)random_below(random, DIRECTION_COUNT),
                             .priority = (unsigned)random_below(random, 3)};
    if (request.action == SIGNAL_EXTEND)
        request.has_direction = random_below(random, 3) > 0;
    if (random_below(random, 2))
        request.duration_usec = 1 + random_below(random, 200) * SEC;
    if (request.action == SIGNAL_WAVE && random_below(random, 3) == 0)
        request.delay_usec = random_below(random, 60 * SEC);
    if (random_below(random, 200) == 0) {
        request.has_phase = true;
        request.phase = 12345;
    }
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

static void drive(City *city, Random *random, uint64_t steps, bool may_stall) {
    for (uint64_t i = 0; i < steps; i++) {
        const uint64_t deadline_usec = signal_plan_deadline(&city->plan).usec;
        expect(deadline_usec > city->now_usec, "a deadline in the past\n");
        city->now_usec = random_instant(random, city->now_usec, deadline_usec, may_stall);
        const Mono now = {city->now_usec};
        SignalChange change;
        if (random_below(random, 3) == 0) {
            SignalRequest request = random_request(city, random);
            SignalAnswer answer = signal_plan_request(&city->plan, &request, now, &change);
            expect(answer.outcome != SIGNAL_OUT_OF_ORDER, "latched\n");
        } else {
            change = signal_plan_step(&city->plan, now);
        }
        const Lights lights = signal_plan_lights(&city->plan);
        expect(change.verdict.violation == VIOLATION_NONE, "the checker objects: %s (groups %u and %u)\n",
               interlock_violation_words[change.verdict.violation], change.verdict.group,
               change.verdict.other);
        bool is_change = false;
        const char *wrong = witness_look(&city->witness, &lights, city->now_usec, &is_change);
        expect(!wrong, "%s\n", wrong);
        expect(change.is_change == is_change, "a change that is not told, or told and not shown\n");
        expect_no_long_red(city, city->now_usec > deadline_usec ? city->now_usec - deadline_usec : 0);
    }
}

/* --- properties --- */

enum { STEPS_PER_CITY = 20000 };

static void drive_many(uint64_t stream, bool may_stall) {
    Random random = random_seeded(seed, stream);
    uint64_t n_greens = 0;
    for (uint64_t done = 0; done < n_steps / 2; done += STEPS_PER_CITY) {
        City city;
        begin(&city, &random);
        drive(&city, &random, STEPS_PER_CITY, may_stall);
        expect(city.witness.n_greens > 0, "lights that never change\n");
        n_greens += city.witness.n_greens;
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

/* Steps at every deadline until a phase's green begins and all of what was green ends again; returns how long it
 * was, and what. */
static uint64_t next_green_usec(City *city, GroupSet *ret_green) {
    uint64_t began_usec = 0;
    for (;;) {
        city->now_usec = signal_plan_deadline(&city->plan).usec;
        SignalChange change = signal_plan_step(&city->plan, (Mono){city->now_usec});
        if (!change.is_change)
            continue;
        if (change.green_usec > 0) {
            began_usec = city->now_usec;
            *ret_green = lights_green(&change.lights);
        } else if (began_usec) {
            return city->now_usec - began_usec;
        }
    }
}

/* Is there room in the greens and in the maximum red for getting back in step? */
static bool can_get_in_step(const City *city) {
    for (uint64_t since_usec = 0; since_usec < signal_cycle_usec(&city->model); since_usec += SEC)
        if (signal_cycle_green_usec(&city->model, 0, since_usec) < city->model.stages[0].green_usec)
            return true;
    return false;
}

static void left_alone_two_streets_return_to_the_plan_and_in_step(void **state) {
    (void)state;
    Random random = random_seeded(seed, 3);
    for (int i = 0; i < 5000; i++) {
        City city;
        begin(&city, &random);
        drive(&city, &random, 1 + random_below(&random, 50), true);
        /* The longest hold is 200 s, there may be four of them, interrupted by the maximum red; then what waited for
         * a green has had it. */
        const uint64_t settled_usec = city.now_usec + 5000 * SEC;
        GroupSet green = 0, before;
        while (city.now_usec < settled_usec)
            next_green_usec(&city, &green);
        expect(city.plan.mode == SIGNAL_MODE_FIXED, "not on the plan\n");
        for (int cycle = 0; city.is_two_streets && cycle < 4; cycle++) {
            before = green;
            uint64_t green_usec = next_green_usec(&city, &green);
            expect(green_usec == city.times.force_usec || !can_get_in_step(&city),
                   "a green of %" PRIu64 " us in the plan\n", green_usec);
            expect(green != before, "the same direction twice\n");
        }
    }
}

/* With extensions alone every green is the plan's, perhaps shortened, perhaps extended once. */
static void no_green_is_extended_twice(void **state) {
    (void)state;
    Random random = random_seeded(seed, 4);
    for (int i = 0; i < 500; i++) {
        City city;
        do
            begin(&city, &random);
        while (!city.is_two_streets);
        uint64_t began_usec = 0;
        /* Half as long again to get in step, or all of the rest of a cycle at the start. */
        const uint64_t longer_usec = city.times.force_usec / 2 + city.model.min_green_usec[0] +
                                     2 * signal_intergreen_usec(&city.model);
        const uint64_t most_usec = city.times.force_usec + longer_usec + city.times.extension_usec;
        for (int step = 0; step < 2000; step++) {
            city.now_usec =
                random_instant(&random, city.now_usec, signal_plan_deadline(&city.plan).usec, false);
            SignalRequest request = {.action = SIGNAL_EXTEND,
                                     .has_direction = random_below(&random, 2),
                                     .direction = (Direction)random_below(&random, DIRECTION_COUNT)};
            SignalChange change;
            signal_plan_request(&city.plan, &request, (Mono){city.now_usec}, &change);
            if (change.is_change && change.green_usec > 0)
                began_usec = city.now_usec;
            if (!change.is_change || change.green_usec > 0)
                continue;
            expect(city.now_usec - began_usec <= most_usec || !began_usec, "a green of %" PRIu64 " us\n",
                   city.now_usec - began_usec);
            began_usec = 0;
        }
    }
}

/* --- main --- */

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_requests_at_any_time_break_a_promise),
        cmocka_unit_test(nor_does_a_process_that_is_often_late),
        cmocka_unit_test(left_alone_two_streets_return_to_the_plan_and_in_step),
        cmocka_unit_test(no_green_is_extended_twice),
    };
    property_begin(&n_steps, &seed);
    return cmocka_run_group_tests_name("signal-random", tests, NULL, NULL);
}
