/* The interlock: the only thing that decides what an intersection's lights show.
 *
 * It takes requests ("let NS be green"), never toggles, and grants them when safety allows: two directions
 * are never green together, a green lasts its minimum, both directions are red between one green and the
 * next, and no direction stays red beyond the maximum, whatever is asked (the guard). It starts in all-red,
 * and a violation seen by the second checker (interlock-check.h) latches it there until the process starts
 * again.
 *
 * It knows nothing of plans, extensions or waves: see signal-plan.h. Two directions today; a phase of several
 * movements would take the place of `Direction`, and the conflict matrix that of "the other one".
 *
 * One step shows at most one change, at the time of the step, not at its deadline: when the process was late,
 * the lights have truly been shown as long as the interlock believes. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "base/vocabulary.h"

#include <stdbool.h>

/* Floors: no configuration goes below them (nor, for the maximum red, above its ceiling). */
#define INTERLOCK_MIN_GREEN_FLOOR_USEC (5 * USEC_PER_SEC)
#define INTERLOCK_ALL_RED_FLOOR_USEC   (1 * USEC_PER_SEC)
#define INTERLOCK_MAX_RED_USEC         (90 * USEC_PER_SEC)
#define INTERLOCK_MAX_RED_CEILING_USEC (600 * USEC_PER_SEC)

_Static_assert(INTERLOCK_ALL_RED_FLOOR_USEC > 0, "conflicting greens need a clearance between them");
_Static_assert(INTERLOCK_MIN_GREEN_FLOOR_USEC > INTERLOCK_ALL_RED_FLOOR_USEC,
               "a green is longer than its clearance");
_Static_assert(INTERLOCK_MAX_RED_USEC >= INTERLOCK_MIN_GREEN_FLOOR_USEC + 2 * INTERLOCK_ALL_RED_FLOOR_USEC,
               "the cross street's shortest green and its two clearances fit into the maximum red");
_Static_assert(INTERLOCK_MAX_RED_USEC <= INTERLOCK_MAX_RED_CEILING_USEC, "the default is within its range");

typedef struct InterlockTimes {
    uint64_t min_green_usec;
    uint64_t all_red_usec;
    uint64_t max_red_usec;
} InterlockTimes;

/* What the drivers see. */
typedef struct Lights {
    Colour colour[DIRECTION_COUNT];
} Lights;

#define INTERLOCK_STATE_LIST(X)                                                                              \
    X(INTERLOCK_ALL_RED, "ALL_RED")                                                                          \
    X(INTERLOCK_GREEN, "GREEN")                                                                              \
    X(INTERLOCK_LATCHED, "LATCHED")
VOCABULARY(InterlockState, INTERLOCK_STATE, INTERLOCK_STATE_LIST, interlock_state_words);

typedef enum InterlockEvent {
    INTERLOCK_TICK,      /* time passed; the last request stands */
    INTERLOCK_REQUEST,   /* a direction shall be green; stands until the next request */
    INTERLOCK_VIOLATION, /* the second checker objects: all-red until the process starts again */
    INTERLOCK_EVENT_COUNT
} InterlockEvent;

typedef struct Interlock {
    const InterlockTimes *times; /* borrowed for life */
    InterlockState state;
    Direction green;  /* GREEN: which one is */
    Direction wanted; /* the standing request */
    Mono since;       /* start of `state` */
    Mono red_since[DIRECTION_COUNT];
    bool guard_acts; /* the last change was the maximum-red guard's, against the standing request */
} Interlock;

/* 0, or -ERANGE when a time is below its floor, or the times leave no room for each other. */
int interlock_times_check(const InterlockTimes *times, Problem *problem);

/* All-red from `now`; the first green will be EW. `times` must have passed the check and outlive the
 * interlock. */
void interlock_init(Interlock *interlock, const InterlockTimes *times, Mono now);

/* Takes one event (`direction` is read for INTERLOCK_REQUEST only) and returns true when what is shown
 * changed. */
bool interlock_step(Interlock *interlock, InterlockEvent event, Direction direction, Mono now);

Lights interlock_lights(const Interlock *interlock);

/* When time alone will next change what is shown; never while latched. Later than the past step, always. */
Mono interlock_deadline(const Interlock *interlock);

/* The direction that all-red would give way to at `now`: the standing request, or the one the guard owes a
 * green. */
Direction interlock_next_green(const Interlock *interlock, Mono now);

static inline Direction direction_across(Direction direction) {
    return direction == DIRECTION_NS ? DIRECTION_EW : DIRECTION_NS;
}
