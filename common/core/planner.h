/* The rolling-horizon planner of one intersection: which phase now, so that the vehicles that are known lose the
 * least time over the next three quarters of a minute?
 *
 * A beam search over sequences of phases in slots of some seconds. Every vehicle has an arrival at the stop line, a
 * lane lets one go every two seconds while a phase serves it, and what is minimised is the sum of (leaves - arrives)
 * over all vehicles. The first phase of the best sequence is shown, and a second later everything is planned again.
 * (Decentralised and untrained; the family of SURTRAC and PODE: Smith et al. 2013, Porche and Lafortune 1999.)
 *
 * The subtle thing is the length of the first slot. Planned again every second with a first slot shorter than the
 * shortest useful green, waiting a little longer looks better than switching for ever.
 *
 * Knows numbers only: what they stand on is the policy's (policy-planner.c). Deterministic, and the same whatever
 * groups are called. Nothing is allocated. */
#pragma once

#include "core/signal-model.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t LaneSet;

/* What follows from a model once for all. Seconds as they are planned in. */
typedef struct PlannerTable {
    unsigned n_phases, n_lanes;
    GroupSet phases[SIGNAL_PHASES_MAX];
    LaneSet serves[SIGNAL_PHASES_MAX];                    /* lanes that may go, at least by one movement */
    LaneSet yields[SIGNAL_PHASES_MAX];                    /* ... but only by movements that yield... */
    LaneSet opposes[SIGNAL_PHASES_MAX][LAYOUT_LANES_MAX]; /* ... to the vehicles of these lanes */
    LaneSet begins[SIGNAL_PHASES_MAX][SIGNAL_PHASES_MAX]; /* from, to: lanes whose green begins */
    LaneSet clears[SIGNAL_PHASES_MAX][SIGNAL_PHASES_MAX]; /* ... and has to wait for the intergreen */
    bool has_clearance[SIGNAL_PHASES_MAX][SIGNAL_PHASES_MAX];
    LaneSet always;                                            /* served by every phase: nothing to decide */
    float min_green_sec[SIGNAL_PHASES_MAX][SIGNAL_PHASES_MAX]; /* from, to: of the groups that end */
    float intergreen_sec;
} PlannerTable;

void planner_table_init(PlannerTable *table, const SignalModel *model, const Layout *layout);

enum { PLANNER_BEAM_MAX = 64, PLANNER_VEHICLES_MAX = 80 };

/* Vehicles of one lane. */
typedef struct PlannerStream {
    unsigned lane;
    float ready_sec; /* no vehicle passes the stop line earlier, whatever is shown */
    unsigned n;
    float arrives_sec[PLANNER_VEHICLES_MAX]; /* in order */
} PlannerStream;

/* A group that the guard of the maximum red will turn green by then. */
typedef struct PlannerOwed {
    unsigned group;
    float sec;
} PlannerOwed;

/* What there is to plan for. Seconds from now. */
typedef struct PlannerTask {
    unsigned phase;                         /* shown, or on the way */
    GroupSet green;                         /* now */
    float may_leave_sec[SIGNAL_PHASES_MAX]; /* the present phase for each other one: minimum greens */
    unsigned n_owed;
    PlannerOwed owed[SIGNAL_GROUPS_MAX]; /* earliest first */
    unsigned n_streams;
    PlannerStream streams[LAYOUT_LANES_MAX];
} PlannerTask;

typedef struct PlannerQueue {
    unsigned n_gone;
    float ready_sec; /* the next vehicle goes then at the earliest */
} PlannerQueue;

/* One sequence of phases up to some slot. */
typedef struct PlannerNode {
    float left_sec; /* the sum over those who have gone, and what the changes cost */
    unsigned n_gone;
    uint32_t vehicles; /* hash of who has gone */
    float begun_sec;
    GroupSet served; /* green at least once */
    GroupSet fresh;  /* turned green with the present phase */
    uint8_t phase, first;
    bool is_root_phase;                    /* never switched */
    PlannerQueue queues[LAYOUT_LANES_MAX]; /* of each stream */
} PlannerNode;

/* What nodes of a slot are compared by. */
typedef struct PlannerMark {
    float rank;    /* lowest is best */
    uint32_t hash; /* the same for the same phase and the same vehicles gone */
} PlannerMark;

typedef struct PlannerScratch {
    PlannerTask task;
    LaneSet lanes;                       /* that have a stream... */
    uint8_t stream_of[LAYOUT_LANES_MAX]; /* ... which is its number */
    uint32_t factors[LAYOUT_LANES_MAX];  /* of each stream's vehicles in PlannerNode.vehicles */
    PlannerNode nodes[2][PLANNER_BEAM_MAX * SIGNAL_PHASES_MAX];
    PlannerMark marks[PLANNER_BEAM_MAX * SIGNAL_PHASES_MAX]; /* of the nodes that were made last */
    uint16_t kept[PLANNER_BEAM_MAX * SIGNAL_PHASES_MAX];
    uint16_t twins[4096];
} PlannerScratch;

/* Fills in nothing of `scratch->task`, which the caller has; returns a phase below n_phases. */
unsigned planner_plan(const PlannerTable *table, PlannerScratch *scratch);
