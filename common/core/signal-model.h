/* What the lights of an intersection can show: its signal groups (one for each movement), which of them conflict,
 * which sets of them make a phase, the times of safety, and the fixed-time plan. And where its vehicles wait: lanes.
 *
 * Data only, made by whoever read the city and checked once by signal_model_check(); never changed afterwards. Two
 * crossing streets with two colours are one such description (signal_model_two_streets()), an eight-phase
 * intersection another.
 *
 * Groups are numbers below n_groups, phases numbers below n_phases; sets of them are bits of an integer. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "base/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIGNAL_GROUPS_MAX = 32, SIGNAL_PHASES_MAX = 16, SIGNAL_STAGES_MAX = 16, LAYOUT_LANES_MAX = 32 };

typedef uint32_t GroupSet;
typedef uint32_t PhaseSet;

/*@ predicate in_set(integer bits, integer i) = ((bits >> i) & 1) == 1; */

/*@ requires i < 32;
    assigns \nothing;
    ensures \result != 0 <==> in_set(bits, i); */
static inline bool set_has(uint32_t bits, unsigned i) {
    return bits >> i & 1U;
}

/* In this order: what is not red may be entered. Letters as on the wire. */
typedef enum SignalColour { SIGNAL_RED, SIGNAL_YELLOW, SIGNAL_GREEN, SIGNAL_COLOUR_COUNT } SignalColour;

/* What the drivers see. Groups that there are not are red. */
typedef struct Lights {
    SignalColour colour[SIGNAL_GROUPS_MAX];
} Lights;

/* A phase and how long it is green in the plan. */
typedef struct SignalStage {
    unsigned phase;
    uint64_t green_usec;
} SignalStage;

typedef struct SignalModel {
    unsigned n_groups;
    /* Which groups may never be green, or yellow, together with this one: symmetric, never itself. A movement that
     * yields to another by the rules of the road is no conflict of it. */
    GroupSet conflicts[SIGNAL_GROUPS_MAX];
    uint64_t min_green_usec[SIGNAL_GROUPS_MAX];
    uint64_t max_red_usec[SIGNAL_GROUPS_MAX];
    uint64_t yellow_usec;  /* between green and red; 0: there is no yellow */
    uint64_t all_red_usec; /* between the end of one group and the green of a conflicting one */

    unsigned n_phases;
    GroupSet phases[SIGNAL_PHASES_MAX];    /* without conflicts */
    GroupSet permitted[SIGNAL_PHASES_MAX]; /* those of the phase that are green but yield */

    /* The two directions of the first implementation: which groups belong to each, and the phase that a request for a
     * direction means. */
    GroupSet direction_groups[DIRECTION_COUNT];
    unsigned direction_phase[DIRECTION_COUNT];

    /* The fixed-time plan: the stages in their order, each followed by the intergreen; the cycle begins `offset_usec`
     * after the common zero of all plans. */
    unsigned n_stages;
    SignalStage stages[SIGNAL_STAGES_MAX];
    uint64_t offset_usec;
} SignalModel;

/* Where vehicles wait, and what is known of the way there. */
typedef struct LayoutLane {
    GroupSet groups;      /* that a vehicle of this lane may leave by */
    double length_metres; /* from where vehicles enter it to the stop line */
    double speed_mps;     /* allowed */
    double view_metres;   /* a camera sees this far back from the stop line; 0: none */
    double loop_metres;   /* an upstream loop tells each passage, this far from the stop line; 0: none */
    unsigned approach;    /* the street it belongs to, as a number: lanes of one never yield to each other */
} LayoutLane;

typedef struct Layout {
    unsigned n_lanes;
    LayoutLane lanes[LAYOUT_LANES_MAX];
} Layout;

/* What people call the groups and phases, by number; either may be NULL. */
typedef struct SignalNames {
    const char *const *groups, *const *phases;
} SignalNames;

/* 0; -ERANGE: a time below a floor of interlock.h, or times that leave each other no room; -EINVAL: anything else
 * that no intersection can be, first of all a phase whose groups conflict. The problem names the group and the phase,
 * what was expected and what came; `names` may be NULL. */
int signal_model_check(const SignalModel *model, const SignalNames *names, Problem *problem);

/* The times of safety, the same for every group. */
typedef struct SafetyTimes {
    uint64_t min_green_usec, yellow_usec, all_red_usec, max_red_usec;
} SafetyTimes;

/* Two streets that cross: each direction is a group, a phase (of the same number) and a stage of `green_usec`; EW
 * comes first. */
SignalModel signal_model_two_streets(const SafetyTimes *times, uint64_t green_usec);
