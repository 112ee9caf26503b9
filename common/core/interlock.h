/* The interlock: the only thing that decides what an intersection's lights show.
 *
 * It takes requests ("let these groups be green"), never toggles, and grants them when safety allows, whatever is
 * asked and whatever the phases say: two conflicting groups are never green or yellow together; a green lasts its
 * minimum, then its yellow; a group turns green only when it and every conflicting one have been red for the all-red
 * time; and nobody who has been red for the maximum is passed over (the guard). It starts in all-red. A violation
 * seen by the second checker (interlock-check.h) latches all-red until somebody releases it, through start-up again.
 *
 * The guard: a red group is `owed` a green when no conflicting one could begin any more without making it wait beyond
 * its maximum: then none begins before it (of several, the longest red goes first). When not even a green that lasts
 * already may go on, it ends, wanted or not.
 *
 * A step changes each group at most once, at the time of the step and not at its deadline: when the process was late,
 * the lights have truly been shown as long as the interlock believes. A time before one that it has heard is taken
 * for that one.
 *
 * It knows nothing of plans, phases or waves: see signal-plan.h. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"
#include "core/signal-model.h"

#include <stdbool.h>

/* Floors: no model goes below them (nor, for the maximum red, above its ceiling); see signal_model_check(). */
#define INTERLOCK_MIN_GREEN_FLOOR_USEC (5 * USEC_PER_SEC)
#define INTERLOCK_ALL_RED_FLOOR_USEC   (1 * USEC_PER_SEC)
#define INTERLOCK_YELLOW_CEILING_USEC  (10 * USEC_PER_SEC)
#define INTERLOCK_MAX_RED_USEC         (90 * USEC_PER_SEC)
#define INTERLOCK_MAX_RED_CEILING_USEC (600 * USEC_PER_SEC)

_Static_assert(INTERLOCK_ALL_RED_FLOOR_USEC > 0, "conflicting greens need a clearance between them");
_Static_assert(INTERLOCK_MIN_GREEN_FLOOR_USEC > INTERLOCK_ALL_RED_FLOOR_USEC,
               "a green is longer than its clearance");
_Static_assert(INTERLOCK_MAX_RED_USEC >= INTERLOCK_MIN_GREEN_FLOOR_USEC + 2 * INTERLOCK_ALL_RED_FLOOR_USEC,
               "the cross street's shortest green and its two clearances fit into the maximum red");
_Static_assert(INTERLOCK_MAX_RED_USEC <= INTERLOCK_MAX_RED_CEILING_USEC, "the default is within its range");

#define INTERLOCK_STATE_LIST(X)                                                                              \
    X(INTERLOCK_START, "START")                                                                              \
    X(INTERLOCK_RUNNING, "RUNNING")                                                                          \
    X(INTERLOCK_LATCHED, "LATCHED")
VOCABULARY(InterlockState, INTERLOCK_STATE, INTERLOCK_STATE_LIST, interlock_state_words);

typedef struct Interlock {
    const SignalModel *model;               /* borrowed for life */
    InterlockState state;                   /* START: all-red, until the first green begins */
    SignalColour colour[SIGNAL_GROUPS_MAX]; /* those beyond the model's groups stay red */
    Mono since[SIGNAL_GROUPS_MAX];          /* when each group took its colour */
    Mono seen;                              /* the latest time it has heard */
    GroupSet wanted;                        /* the standing request */
    /* Of the greens that began or ended last, those that did so against the request: ended by the guard although
     * wanted, or brought in by it although not. */
    GroupSet guarded;
} Interlock;

/* All-red from `now`. `model` must outlive the interlock. */
void interlock_init(Interlock *interlock, const SignalModel *model, Mono now);

/* Time passes, and `wanted` is asked for until the next step: true when what is shown changed. */
bool interlock_step(Interlock *interlock, GroupSet wanted, Mono now);

/* All-red at once, whatever was green, and no step leaves it. */
void interlock_latch(Interlock *interlock, Mono now);

/* Out of the latch into start-up, as from interlock_init(); otherwise nothing. */
void interlock_release(Interlock *interlock, Mono now);

Lights interlock_lights(const Interlock *interlock);

/* Steps before it, with the same request, change nothing; later than the last step, always. Never while latched. */
Mono interlock_deadline(const Interlock *interlock);

/* Is this group red, and so long at `now` that no conflicting one begins before it? */
bool interlock_is_owed(const Interlock *interlock, unsigned group, Mono now);
