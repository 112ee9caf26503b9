/* An ambulance on its way through five crossings with queues, lights and interlocks on a virtual clock: the way of
 * core/route.h, planned anew each second, asked of plans as a green wave. The seed is printed; give another as
 * SCENARIO_SEED. */
#include "core/random.h"
#include "core/route.h"
#include "core/signal-plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CROSSINGS = 5, RUNS = 200, ROLLING_MAX = 64 };
#define SEC          USEC_PER_SEC
#define BLOCK_METRES 200.0
#define SPEED_MPS    13.9
#define HEADWAY_USEC (2 * SEC)
#define FREE_SEC     (CROSSINGS * BLOCK_METRES / SPEED_MPS)

typedef struct Crossing {
    SignalPlan plan;
    unsigned queue; /* on the way, at the stop line */
    Mono next_may_leave;
    unsigned n_rolling;        /* on their way to the stop line... */
    Mono rolling[ROLLING_MAX]; /* ... when each is there */
    Mono asked;                /* the wave; 0: not */
    bool is_back;
} Crossing;

typedef struct World {
    Mono now;
    Random random;
    SignalModel model;
    SignalTimes times;
    Crossing crossings[CROSSINGS];
    size_t next;   /* stop line that the ambulance comes to; CROSSINGS: there is none */
    double metres; /* to it */
} World;

static uint64_t seed(void) {
    const char *given = getenv("SCENARIO_SEED");
    return given ? strtoull(given, NULL, 10) : 20261;
}

static unsigned street(const World *world) {
    return world->model.direction_phase[DIRECTION_EW];
}

static void make_world(World *world, uint64_t of) {
    const SafetyTimes safety = {.min_green_usec = 5 * SEC, .all_red_usec = 3 * SEC, .max_red_usec = 90 * SEC};
    *world = (World){.now = {1000 * SEC}, .next = CROSSINGS, .metres = BLOCK_METRES};
    world->times = (SignalTimes){.extension_usec = 10 * SEC,
                                 .cross_reduction_usec = 5 * SEC,
                                 .force_usec = 15 * SEC,
                                 .wave_usec = 30 * SEC,
                                 .lease_usec = 5 * SEC};
    world->model = signal_model_two_streets(&safety, 15 * SEC);
    world->random = random_seeded(of, 0);
    for (size_t i = 0; i < CROSSINGS; i++) {
        Mono zero = {1000 * SEC - random_below(&world->random, 36) * SEC};
        signal_plan_init(&world->crossings[i].plan, &world->model, &world->times, zero, world->now);
    }
}

/* --- traffic --- */

static bool is_green(const World *world, const Crossing *crossing) {
    return signal_plan_shows(&crossing->plan, street(world));
}

/* One leaves the queue: in front of whoever comes behind, unless it turns off. */
static void leave(World *world, size_t i) {
    Crossing *crossing = &world->crossings[i];
    crossing->queue--;
    crossing->next_may_leave = mono_after(world->now, HEADWAY_USEC);
    if (i + 1 == CROSSINGS || random_below(&world->random, 10) >= 7)
        return;
    Crossing *after = &world->crossings[i + 1];
    if (after->n_rolling < ROLLING_MAX)
        after->rolling[after->n_rolling++] = mono_after(world->now, usec_from_sec(BLOCK_METRES / SPEED_MPS));
}

static void move_queue(World *world, size_t i) {
    Crossing *crossing = &world->crossings[i];
    unsigned n = 0;
    for (unsigned k = 0; k < crossing->n_rolling; k++) {
        if (mono_reached(world->now, crossing->rolling[k]))
            crossing->queue++;
        else
            crossing->rolling[n++] = crossing->rolling[k];
    }
    crossing->n_rolling = n;
    if (!is_green(world, crossing))
        crossing->next_may_leave = mono_after(world->now, 2 * SEC);
    else if (crossing->queue > 0 && mono_reached(world->now, crossing->next_may_leave))
        leave(world, i);
}

/* A tenth of a second of the ambulance. It stands behind the queue, and passes on green when nobody is in front. */
static void move_ambulance(World *world) {
    if (world->next == CROSSINGS)
        return;
    Crossing *crossing = &world->crossings[world->next];
    double stands_at = crossing->queue * 7.5;
    world->metres -= SPEED_MPS / 10;
    bool may_pass = crossing->queue == 0 && is_green(world, crossing);
    if (world->metres < stands_at && !may_pass)
        world->metres = stands_at;
    if (world->metres > 0 || !may_pass)
        return;
    world->next++;
    world->metres = BLOCK_METRES;
}

/* --- the wave --- */

static void ask(World *world, Crossing *crossing, SignalAction action, uint64_t usec) {
    SignalRequest request = {.action = action,
                             .has_phase = true,
                             .phase = street(world),
                             .priority = SIGNAL_PRIORITY_USUAL,
                             .duration_usec = usec};
    SignalChange change;
    (void)signal_plan_request(&crossing->plan, &request, world->now, &change);
}

static RouteStop stop_at(const World *world, size_t i) {
    const Crossing *crossing = &world->crossings[i];
    return (RouteStop){.model = &world->model,
                       .phase = street(world),
                       .metres = i == world->next ? world->metres : BLOCK_METRES,
                       .speed_mps = SPEED_MPS,
                       .has_queue = true,
                       .queue_vehicles = crossing->queue + crossing->n_rolling,
                       .is_asked = crossing->asked.usec > 0,
                       .asked_usec = mono_between(crossing->asked, world->now)};
}

/* As analytics does it once a second. */
static void plan_wave(World *world) {
    RouteStop stops[CROSSINGS] = {0};
    RouteLeg legs[CROSSINGS];
    size_t n = CROSSINGS - world->next;
    for (size_t k = 0; k < n; k++)
        stops[k] = stop_at(world, world->next + k);
    route_plan(stops, n, legs);
    for (size_t k = 0; k < n; k++) {
        Crossing *crossing = &world->crossings[world->next + k];
        if (legs[k].ask_usec > 0)
            continue;
        if (crossing->asked.usec == 0)
            crossing->asked = world->now;
        ask(world, crossing, SIGNAL_WAVE, mono_between(crossing->asked, world->now) + legs[k].until_usec);
    }
    for (size_t i = 0; i < world->next; i++)
        if (!world->crossings[i].is_back) {
            world->crossings[i].is_back = true;
            ask(world, &world->crossings[i], SIGNAL_RELEASE, 0);
        }
}

/* --- runs --- */

static void assert_safe(const World *world) {
    for (size_t i = 0; i < CROSSINGS; i++)
        assert_int_not_equal(world->crossings[i].plan.mode, SIGNAL_MODE_LATCHED);
}

static void step(World *world, bool has_wave) {
    static const uint64_t step_usec = SEC / 10;
    if (has_wave && world->next < CROSSINGS && world->now.usec % SEC == 0)
        plan_wave(world);
    for (size_t i = 0; i < CROSSINGS; i++) {
        (void)signal_plan_step(&world->crossings[i].plan, world->now);
        move_queue(world, i);
    }
    move_ambulance(world);
    world->now = mono_after(world->now, step_usec);
}

/* The lights have run for a while, and somebody waits here and there. */
static void wait_for_it(World *world) {
    Mono comes = mono_after(world->now, (60 + random_below(&world->random, 60)) * SEC);
    while (world->now.usec < comes.usec)
        step(world, false);
    for (size_t i = 0; i < CROSSINGS; i++)
        world->crossings[i].queue = (unsigned)random_below(&world->random, 6);
    world->next = 0;
}

/* Seconds that it takes. */
static double drive(World *world, uint64_t of, bool has_wave) {
    make_world(world, of);
    wait_for_it(world);
    Mono begun = world->now;
    while (world->next < CROSSINGS && mono_between(begun, world->now) < 3600 * SEC)
        step(world, has_wave);
    if (has_wave)
        plan_wave(world); /* the last is given back */
    assert_int_equal(world->next, CROSSINGS);
    assert_safe(world);
    return (double)mono_between(begun, world->now) / (double)SEC;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void a_wave_brings_an_ambulance_through_with_little_delay(void **state) {
    (void)state;
    static World world;
    double with[RUNS], without[RUNS];
    for (uint64_t i = 0; i < RUNS; i++) {
        with[i] = drive(&world, seed() + i, true);
        without[i] = drive(&world, seed() + i, false);
    }
    qsort(with, RUNS, sizeof *with, compare);
    qsort(without, RUNS, sizeof *without, compare);
    print_message("free flow %.0f s; with a wave %.2f x (worst %.2f), without %.2f x\n", FREE_SEC,
                  with[RUNS / 2] / FREE_SEC, with[RUNS - 1] / FREE_SEC, without[RUNS / 2] / FREE_SEC);
    assert_true(with[RUNS / 2] < 1.05 * FREE_SEC);
    assert_true(with[RUNS - 1] < 1.15 * FREE_SEC);
    assert_true(without[RUNS / 2] > 1.35 * FREE_SEC);
}

/* What the plan shows is what one shows that never heard of a wave. */
static void afterwards_every_plan_is_in_step_again(void **state) {
    (void)state;
    static World world, undisturbed;
    for (uint64_t i = 0; i < 20; i++) {
        (void)drive(&world, seed() + i, true);
        make_world(&undisturbed, seed() + i);
        Mono quiet = mono_after(world.now, 300 * SEC);
        while (undisturbed.now.usec < quiet.usec)
            step(&undisturbed, false);
        while (world.now.usec < quiet.usec)
            step(&world, false);
        for (size_t k = 0; k < CROSSINGS; k++)
            assert_int_equal(is_green(&world, &world.crossings[k]),
                             is_green(&undisturbed, &undisturbed.crossings[k]));
    }
}

static int print_seed(void **state) {
    (void)state;
    print_message("SCENARIO_SEED=%llu\n", (unsigned long long)seed());
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wave_brings_an_ambulance_through_with_little_delay),
        cmocka_unit_test(afterwards_every_plan_is_in_step_again),
    };
    return cmocka_run_group_tests(tests, print_seed, NULL);
}
