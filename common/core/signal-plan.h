/* What one intersection's lights are asked to show: the fixed-time plan, and the requests that bend it for a
 * while.
 *
 * By itself each direction is green in turn. Requests, by rank:
 *   EXTEND  lengthens one green of a direction, at most once per green, and shortens the cross street's next
 * one; for a direction without a green of the plan now it waits for its next; FORCE   turns a direction green
 * as soon as the interlock lets it, and holds it for one green or the time asked; WAVE    the same for a
 * green wave; while it lasts no FORCE is taken, and an EXTEND waits. Of two requests of one rank the newer
 * wins; asking again for what is already held asks once, for the longer of the two. A hold counts from when
 * its direction is green for it: the start of the green it brings about, or the request when it is green
 * already. Afterwards the plan goes on with the cross street.
 *
 * The plan only asks: the interlock decides, and the second checker looks at every output (a violation
 * latches all-red). The maximum red interrupts even a hold, for one minimum green of the cross street. Time
 * is a parameter; nothing is allocated. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "base/vocabulary.h"
#include "core/interlock-check.h"
#include "core/interlock.h"

#include <stdbool.h>

typedef struct SignalTimes {
    InterlockTimes interlock;
    uint64_t green_usec;     /* of each direction in the plan */
    uint64_t extension_usec; /* added by EXTEND */
    /* Taken from the cross street's next green after it, never below the minimum */
    uint64_t cross_reduction_usec;
    uint64_t wave_usec; /* of a WAVE that does not say how long */
} SignalTimes;

#define SIGNAL_MODE_LIST(X)                                                                                  \
    X(SIGNAL_MODE_FIXED, "FIXED")                                                                            \
    X(SIGNAL_MODE_FORCED, "FORCED")                                                                          \
    X(SIGNAL_MODE_WAVE, "WAVE")                                                                              \
    X(SIGNAL_MODE_LATCHED, "LATCHED")
VOCABULARY(SignalMode, SIGNAL_MODE, SIGNAL_MODE_LIST, signal_mode_words);

/* Why the lights changed. */
#define SIGNAL_CAUSE_LIST(X)                                                                                 \
    X(SIGNAL_CAUSE_START, "start")                                                                           \
    X(SIGNAL_CAUSE_PLAN, "plan")                                                                             \
    X(SIGNAL_CAUSE_EXTENSION, "extension")                                                                   \
    X(SIGNAL_CAUSE_FORCE, "forced")                                                                          \
    X(SIGNAL_CAUSE_WAVE, "green wave")                                                                       \
    X(SIGNAL_CAUSE_MAX_RED, "maximum red")                                                                   \
    X(SIGNAL_CAUSE_VIOLATION, "interlock violation")
VOCABULARY(SignalCause, SIGNAL_CAUSE, SIGNAL_CAUSE_LIST, signal_cause_words);

#define SIGNAL_OUTCOME_LIST(X)                                                                               \
    X(SIGNAL_GRANTED, "granted")                                                                             \
    X(SIGNAL_ALREADY, "already")                                                                             \
    X(SIGNAL_OUTRANKED, "outranked")                                                                         \
    X(SIGNAL_OUT_OF_ORDER, "out_of_order")
VOCABULARY(SignalOutcome, SIGNAL_OUTCOME, SIGNAL_OUTCOME_LIST, signal_outcome_words);

typedef struct SignalRequest {
    SignalAction action;
    bool has_direction; /* EXTEND may go without: to the direction that is green, or comes next */
    Direction direction;
    uint64_t duration_usec; /* of FORCE and WAVE; 0 is the usual one */
} SignalRequest;

typedef struct SignalAnswer {
    SignalOutcome outcome;
    Direction direction; /* that the request was understood to mean */
    uint64_t wait_usec;  /* what minimum green and all-red cost before that direction is green, as far as is
                            known now */
} SignalAnswer;

typedef struct SignalChange {
    bool is_change; /* what is shown changed; else the rest is not set */
    Lights lights;
    SignalCause cause;
    uint64_t green_usec;          /* planned length of the green that begins; 0 for all-red */
    InterlockViolation violation; /* why the lights latched in all-red, else VIOLATION_NONE */
} SignalChange;

typedef struct SignalPlan {
    const SignalTimes *times; /* borrowed for life */
    Interlock interlock;
    InterlockCheck check;
    SignalMode mode;
    bool has_started;                      /* there was a first green */
    Mono green_ends;                       /* GREEN: when the plan or the hold has had enough of it */
    bool is_extended;                      /* this green had its extension */
    bool extension_waits[DIRECTION_COUNT]; /* for the direction's next green of the plan */
    bool shortened_next[DIRECTION_COUNT];  /* the cross street was extended */
    Direction hold_direction;              /* FORCED, WAVE */
    uint64_t hold_usec;                    /* how long, once it begins */
    bool hold_has_begun;
    Mono hold_began;
} SignalPlan;

/* 0, or -ERANGE: below a floor, or a green that the times around it leave no room for. */
int signal_times_check(const SignalTimes *times, Problem *problem);

/* All-red from `now`, then EW green. `times` must have passed the check and outlive the plan. */
void signal_plan_init(SignalPlan *plan, const SignalTimes *times, Mono now);

/* Time passes. At most one change a call. */
SignalChange signal_plan_step(SignalPlan *plan, Mono now);

/* A request, at `now`; time passes up to then first. `request->direction` must be set for FORCE and WAVE. At
 * most one change a call. */
SignalAnswer signal_plan_request(SignalPlan *plan, const SignalRequest *request, Mono now,
                                 SignalChange *ret_change);

/* When signal_plan_step() is next due: the next change of the lights, unless a request comes first. Never
 * when latched. */
Mono signal_plan_deadline(const SignalPlan *plan);

static inline Lights signal_plan_lights(const SignalPlan *plan) {
    return interlock_lights(&plan->interlock);
}
