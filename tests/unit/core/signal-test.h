/* What the tests of plans share: two streets with the usual times, and a way to let time pass as the service's timer
 * does. */
#pragma once

#include "core/signal-plan.h"
#include "lights-test.h"

static const SignalTimes usual_times = {
    .extension_usec = 10 * SEC,
    .cross_reduction_usec = 5 * SEC,
    .force_usec = 15 * SEC,
    .wave_usec = 30 * SEC,
    .lease_usec = 5 * SEC,
};

static inline Lights lights_of_sets(GroupSet green, GroupSet yellow) {
    Lights lights = {{SIGNAL_RED}};
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++)
        lights.colour[g] = set_has(green, g) ? SIGNAL_GREEN : set_has(yellow, g) ? SIGNAL_YELLOW : SIGNAL_RED;
    return lights;
}

#define ALL_RED_SHOWN lights_of_sets(0, 0)
#define NS_SHOWN      lights_of_sets(NS, 0)
#define EW_SHOWN      lights_of_sets(EW, 0)
#define BOTH_SHOWN    lights_of_sets(NS | EW, 0)

#define assert_greens(lights, set)                                                                           \
    do {                                                                                                     \
        Lights lights_ = (lights);                                                                           \
        assert_int_equal(lights_green(&lights_), set);                                                       \
    } while (0)

#define assert_all_red(lights)  assert_greens(lights, 0)
#define assert_ns_green(lights) assert_greens(lights, NS)
#define assert_ew_green(lights) assert_greens(lights, EW)

/* Lets time pass up to and including `seconds`, stopping at every deadline as the service's timer does; returns the
 * last change. */
static inline SignalChange run_to(SignalPlan *plan, uint64_t seconds) {
    SignalChange last = {0};
    for (;;) {
        Mono due = mono_min(signal_plan_deadline(plan), at(seconds));
        SignalChange change = signal_plan_step(plan, due);
        if (change.is_change)
            last = change;
        if (due.usec == at(seconds).usec)
            return last;
    }
}

/* The request at a time, when what was due before has happened. */
static inline SignalAnswer request_at(SignalPlan *plan, SignalRequest request, uint64_t seconds) {
    SignalChange change;
    run_to(plan, seconds);
    return signal_plan_request(plan, &request, at(seconds), &change);
}

static inline SignalAnswer command_phase_at(SignalPlan *plan, unsigned phase, uint64_t seconds) {
    return request_at(plan, (SignalRequest){.action = SIGNAL_PHASE, .has_phase = true, .phase = phase},
                      seconds);
}

/* As a wild write would: NS green at once, where EW was. The checker must see it in the next output. */
static inline void break_lights(SignalPlan *plan, uint64_t seconds) {
    plan->interlock.colour[DIRECTION_EW] = SIGNAL_RED;
    plan->interlock.colour[DIRECTION_NS] = SIGNAL_GREEN;
    plan->interlock.since[DIRECTION_NS] = plan->interlock.since[DIRECTION_EW] = at(seconds);
}
