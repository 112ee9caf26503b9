/* The second opinion on the lights: looks at each output before it is shown, and at the time, and at nothing
 * else.
 *
 * Written from the invariants alone and sharing no code with interlock.c, so that one mistake there is not
 * the same mistake here: I1  two directions are never green together; I2  a green lasts at least the minimum;
 *   I3  before a direction turns green the other has been red for the all-red time; the same after start-up;
 *   I4  a direction that has been red for the maximum sees no other green go on beyond its minimum, nor
 * all-red go on; I5  the first output is all-red, and every output is a colour. I4 is about what is shown
 * next, not about how long the red was: a process that was stopped for an hour owes the waiting direction its
 * turn at once, and latching all-red for the delay would only take it away again. */
#pragma once

#include "base/time.h"
#include "core/interlock.h"

#define INTERLOCK_VIOLATION_LIST(X)                                                                          \
    X(VIOLATION_NONE, "none")                                                                                \
    X(VIOLATION_BOTH_GREEN, "both directions green")                                                         \
    X(VIOLATION_GREEN_TOO_SHORT, "green below its minimum")                                                  \
    X(VIOLATION_NO_CLEARANCE, "green without all-red before it")                                             \
    X(VIOLATION_RED_TOO_LONG, "red beyond its maximum")                                                      \
    X(VIOLATION_NOT_A_START, "start-up not in all-red")                                                      \
    X(VIOLATION_NOT_A_COLOUR, "neither red nor green")
VOCABULARY(InterlockViolation, INTERLOCK_VIOLATION, INTERLOCK_VIOLATION_LIST, interlock_violation_words);

typedef struct InterlockCheck {
    bool has_started;
    Lights shown;                  /* the last output that passed */
    Mono changed[DIRECTION_COUNT]; /* when each direction took the colour it shows */
} InterlockCheck;

/* Judges the output `next` at `now` against what was shown before. What passes is remembered as shown; what
 * does not leaves no trace. */
InterlockViolation interlock_check(InterlockCheck *check, const InterlockTimes *times, Lights next, Mono now);
