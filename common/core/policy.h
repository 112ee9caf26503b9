/* Who decides which phase an intersection should show: its policy. One row of a table each, one file each; to add
 * one is to add both.
 *
 * A policy is asked once a second, and answers with a phase or leaves the lights to their plan. It proposes: the
 * interlock disposes, and a policy that asks for nonsense makes bad traffic, never danger. It sees what the sensors
 * say (picture.h) and what the lights show, nothing else, and has no number that depends on a city.
 *
 * Time is a parameter; nothing is allocated: what it remembers is a PolicyMemory of the intersection, what it needs
 * while it thinks a PlannerScratch that all intersections of a thread may share. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"
#include "core/picture.h"
#include "core/planner.h"
#include "core/signal-model.h"

#include <stdbool.h>

#define POLICY_LIST(X)                                                                                       \
    X(POLICY_FIXED, "fixed")                                                                                 \
    X(POLICY_RULES, "rules")                                                                                 \
    X(POLICY_ACTUATED, "actuated")                                                                           \
    X(POLICY_MAX_PRESSURE, "max-pressure")                                                                   \
    X(POLICY_PLANNER, "planner")
VOCABULARY(PolicyName, POLICY, POLICY_LIST, policy_words);

/* What is known of the lane that a group's vehicles drive into. */
typedef struct PolicyBeyond {
    bool is_known;
    double standing_vehicles;
    double room_vehicles; /* that still fit into it */
} PolicyBeyond;

typedef struct PolicyInput {
    const SignalModel *model;
    const Layout *layout;
    Picture *picture;              /* told of the lights */
    Lights lights;                 /* shown now... */
    Mono since[SIGNAL_GROUPS_MAX]; /* ... each group in its colour since then */
    bool has_phase;
    unsigned phase;             /* the one last asked for, when it still stands */
    const PolicyBeyond *beyond; /* one for each group, or NULL when there is no neighbour who tells */
} PolicyInput;

typedef struct PolicyChoice {
    bool has_phase; /* else the plan goes on */
    unsigned phase;
    PictureRung rung; /* the worst that the choice stands on */
} PolicyChoice;

/* What a policy remembers of one intersection, and what follows from its model once for all. */
typedef struct PolicyMemory {
    PlannerTable table;
    PlannerScratch *scratch; /* borrowed */
    bool has_chosen;
    Mono chosen; /* max-pressure: when it last weighed */
} PolicyMemory;

/* How a policy acts on the lights. */
typedef enum PolicyActs {
    POLICY_ACTS_BY_PLAN,      /* not at all: the fixed-time plan stands */
    POLICY_ACTS_BY_EXTENSION, /* asks for longer greens when the rules say so (intersection.h) */
    POLICY_ACTS_BY_PHASE,     /* asks for a phase, once a second */
} PolicyActs;

typedef struct Policy {
    PolicyName name;
    PolicyActs acts;
    PolicyChoice (*choose)(PolicyMemory *memory, const PolicyInput *input, Mono now); /* NULL: never asks */
} Policy;

/* By name; lives for ever. */
const Policy *policy_of(PolicyName name);

/* `model` and `layout` must have been checked; `scratch` outlives the memory. */
void policy_init(PolicyMemory *memory, const SignalModel *model, const Layout *layout,
                 PlannerScratch *scratch);

/* To be asked once a second. Some tens of microseconds for the planner, less for the others. */
PolicyChoice policy_choose(const Policy *policy, PolicyMemory *memory, const PolicyInput *input, Mono now);

/* --- what policies share --- */

/* The phase that the lights show or are on their way to: the one last asked for unless the lights contradict it
 * (the guard of the maximum red, a plan), else the one that has most of what is green. */
unsigned policy_phase_shown(const PolicyInput *input);

/* Every group of the phase is green. */
bool policy_phase_is_green(const PolicyInput *input, unsigned phase);

/* Seconds since the phase's last group turned green. */
double policy_green_sec(const PolicyInput *input, unsigned phase, Mono now);

/* The worst rung of the lanes, and the choice to leave everything to the plan because of it. */
PictureRung policy_rung(const PolicyInput *input, Mono now);

PolicyChoice policy_actuated(PolicyMemory *memory, const PolicyInput *input, Mono now);
PolicyChoice policy_max_pressure(PolicyMemory *memory, const PolicyInput *input, Mono now);
PolicyChoice policy_planner(PolicyMemory *memory, const PolicyInput *input, Mono now);
