/* The second opinion on the lights: looks at each output before it is shown, and at the time, and at nothing
 * else.
 *
 * Written from the invariants alone and sharing no code with interlock.c, so that one mistake there is not
 * the same mistake here:
 *   I1  Two groups that conflict are never green or yellow together.
 *   I2  A green lasts at least the minimum of its group.
 *   I3  Before a group turns green every group that conflicts with it has been red for the all-red time; after
 *       start-up nobody turns green before that time has passed.
 *   I4  A group that has been red for its maximum (overdue) is not passed over: no green that conflicts with
 *       it goes on beyond its minimum, nobody who conflicts with it and has been red for less turns green,
 *       and all-red does not go on once it has cleared everybody.
 *   I5  The first output is all-red, every output is a colour, and between green and red there is a yellow of
 *       exactly its time, or none where the model has none.
 * I4 and the length of a yellow are about what is shown next, not about how long it has been: a process that
 * was stopped for an hour owes the waiting group its turn at once, and latching all-red for the delay would
 * only take it away again.
 *
 * A clock that goes back counts as one that stands. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"
#include "core/signal-model.h"

#include <stdbool.h>

#define INTERLOCK_VIOLATION_LIST(X)                                                                          \
    X(VIOLATION_NONE, "none")                                                                                \
    X(VIOLATION_CONFLICT, "conflicting groups green or yellow together")                                     \
    X(VIOLATION_GREEN_TOO_SHORT, "green below its minimum")                                                  \
    X(VIOLATION_NO_CLEARANCE, "green without all-red before it")                                             \
    X(VIOLATION_RED_TOO_LONG, "red beyond its maximum")                                                      \
    X(VIOLATION_NOT_A_START, "start-up not in all-red")                                                      \
    X(VIOLATION_NOT_A_COLOUR, "neither red, yellow nor green")                                               \
    X(VIOLATION_WRONG_YELLOW, "yellow left out, cut short or drawn out")
VOCABULARY(InterlockViolation, INTERLOCK_VIOLATION, INTERLOCK_VIOLATION_LIST, interlock_violation_words);

/* What is wrong, and with whom. */
typedef struct InterlockVerdict {
    InterlockViolation violation;
    unsigned group; /* whose colour is wrong, or who is passed over */
    unsigned other; /* the one that it conflicts with, where there is one; else the same group */
} InterlockVerdict;

typedef struct InterlockCheck {
    bool has_started;
    Mono started;                    /* the first output */
    Mono latest;                     /* the latest time heard */
    Lights shown;                    /* the last output that passed */
    Mono changed[SIGNAL_GROUPS_MAX]; /* when each group took the colour it shows */
} InterlockCheck;

/* Judges the output `next` at `now` against what was shown before. What passes is remembered as shown; what
 * does not leaves no trace. A zeroed check waits for the first output. */
InterlockVerdict interlock_check(InterlockCheck *check, const SignalModel *model, const Lights *next,
                                 Mono now);
