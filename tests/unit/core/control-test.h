/* What the tests of the picture and of the policies share: two crossings to plan for, seconds as instants, and lanes
 * that are told what to see. */
#pragma once

#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC

/* Tests begin at a time of their own, so that zero is never right by accident. */
static inline Mono at(double seconds) {
    return (Mono){1000 * SEC + usec_from_sec(seconds)};
}

/* Vehicles that stand one behind the other from the stop line on. */
static inline void see_queue(Picture *picture, unsigned lane, unsigned n_vehicles, Mono now) {
    picture_view(picture, lane, n_vehicles, NULL, 0, now);
}

static inline void see_one(Picture *picture, unsigned lane, double metres, double speed_mps, Mono now) {
    SeenVehicle vehicle = {metres, speed_mps};
    picture_view(picture, lane, 1, &vehicle, 1, now);
}

static inline LayoutLane usual_lane(GroupSet groups) {
    return (LayoutLane){
        .groups = groups, .length_metres = 200, .speed_mps = 12.5, .view_metres = 100, .loop_metres = 150};
}

/* Two streets: group 0 and group 1 conflict, one lane and one phase each. */
static inline void two_streets(SignalModel *model, Layout *layout) {
    *model = (SignalModel){.n_groups = 2,
                           .conflicts = {2, 1},
                           .min_green_usec = {5 * SEC, 5 * SEC},
                           .max_red_usec = {90 * SEC, 90 * SEC},
                           .all_red_usec = 3 * SEC,
                           .n_phases = 2,
                           .phases = {1, 2}};
    *layout = (Layout){.n_lanes = 2, .lanes = {usual_lane(1), usual_lane(2)}};
}

/* Four arms. Groups 0 and 1: north and south ahead, 2 and 3: their lefts, which yield in phase 0 and have phase 1 for
 * themselves; 4 and 5: east and west, phase 2. A lane each. */
static inline void four_arms(SignalModel *model, Layout *layout) {
    const GroupSet ahead = 3, left = 12, across = 48;
    *model = (SignalModel){.n_groups = 6,
                           .conflicts = {across, across, across, across, ahead | left, ahead | left},
                           .all_red_usec = 3 * SEC,
                           .n_phases = 3,
                           .phases = {ahead | left, left, across},
                           .permitted = {left, 0, 0}};
    *layout = (Layout){.n_lanes = 6};
    for (unsigned g = 0; g < 6; g++) {
        model->min_green_usec[g] = 5 * SEC;
        model->max_red_usec[g] = 90 * SEC;
        layout->lanes[g] = usual_lane((GroupSet)1 << g);
        layout->lanes[g].approach = g % 2 + 2 * (g / 4); /* the lefts are lanes of the same streets */
    }
}

/* An intersection that a policy is asked about. */
typedef struct Asked {
    SignalModel model;
    Layout layout;
    Picture picture;
    PolicyMemory memory;
    PolicyInput input;
} Asked;

static PlannerScratch test_scratch;

/* Phase `phase` has been green for `green_sec`, and everything else red for as long. */
static inline void show_phase(Asked *asked, unsigned phase, double green_sec, Mono now) {
    PolicyInput *input = &asked->input;
    for (unsigned g = 0; g < asked->model.n_groups; g++) {
        input->lights.colour[g] = set_has(asked->model.phases[phase], g) ? SIGNAL_GREEN : SIGNAL_RED;
        input->since[g] = (Mono){now.usec - usec_from_sec(green_sec)};
    }
    input->has_phase = true;
    input->phase = phase;
}

/* Nobody on any lane, phase 0 green for ten seconds. */
static inline void ask_about(Asked *asked, void (*city)(SignalModel *, Layout *)) {
    memset(asked, 0, sizeof *asked);
    city(&asked->model, &asked->layout);
    picture_init(&asked->picture, &asked->layout);
    policy_init(&asked->memory, &asked->model, &asked->layout, &test_scratch);
    asked->input =
        (PolicyInput){.model = &asked->model, .layout = &asked->layout, .picture = &asked->picture};
    show_phase(asked, 0, 10, at(0));
    for (unsigned l = 0; l < asked->layout.n_lanes; l++)
        see_queue(&asked->picture, l, 0, at(0));
}

static inline PolicyChoice choose(Asked *asked, PolicyName policy, Mono now) {
    return policy_choose(policy_of(policy), &asked->memory, &asked->input, now);
}

#define assert_phase(choice, expected)                                                                       \
    do {                                                                                                     \
        PolicyChoice choice_ = (choice);                                                                     \
        assert_true(choice_.has_phase);                                                                      \
        assert_int_equal(choice_.phase, expected);                                                           \
    } while (0)
