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

/* What is proved (tests/proof/README.md), for any model, any request and any time. A colour that is none counts as
 * not red. */
/*@ predicate in_conflict(SignalModel *model, integer a, integer b) =
        a != b && (in_set(model->conflicts[a], b) || in_set(model->conflicts[b], a));

    predicate is_interlock(Interlock *i) =
        \valid(i) && \valid_read(i->model) && \separated(i, i->model) && i->model->n_groups <= SIGNAL_GROUPS_MAX &&
        \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> i->since[g].usec <= i->seen.usec;

    predicate is_all_red(Interlock *i) =
        \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> i->colour[g] == SIGNAL_RED;

    predicate no_conflict_is_open(Interlock *i) =
        \forall integer a, b; 0 <= a < i->model->n_groups && 0 <= b < i->model->n_groups &&
            in_conflict(i->model, a, b) ==> i->colour[a] == SIGNAL_RED || i->colour[b] == SIGNAL_RED;

    predicate has_been_red(Interlock *i, integer g) =
        i->colour[g] == SIGNAL_RED && i->seen.usec - i->since[g].usec >= i->model->all_red_usec;

    predicate same_conflicts{A, B}(SignalModel *model) =
        \forall integer a, b; 0 <= a < SIGNAL_GROUPS_MAX && 0 <= b < SIGNAL_GROUPS_MAX ==>
            (in_conflict{A}(model, a, b) <==> in_conflict{B}(model, a, b));

    predicate same_times{A, B}(SignalModel *model) =
        \at(model->n_groups, A) == \at(model->n_groups, B) &&
        \at(model->yellow_usec, A) == \at(model->yellow_usec, B) &&
        \at(model->all_red_usec, A) == \at(model->all_red_usec, B) &&
        \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==>
            \at(model->min_green_usec[g], A) == \at(model->min_green_usec[g], B);

    predicate same_model{A, B}(SignalModel *model) = same_conflicts{A, B}(model) && same_times{A, B}(model);

    predicate is_untouched{A, B}(Interlock *i, integer g) =
        \at(i->colour[g], A) == \at(i->colour[g], B) && \at(i->since[g].usec, A) == \at(i->since[g].usec, B);

    // From A to B: a colour that stays keeps its time, a new one begins now.
    predicate time_is_kept{A, B}(Interlock *i, integer g) =
        (\at(i->colour[g], A) == \at(i->colour[g], B) ==> \at(i->since[g].usec, B) == \at(i->since[g].usec, A)) &&
        (\at(i->colour[g], A) != \at(i->colour[g], B) ==> \at(i->since[g].usec, B) == \at(i->seen.usec, B));

    // Who was green and is not, was so for the minimum, and has its yellow before it.
    predicate green_lasts{A, B}(Interlock *i, integer g) =
        \at(i->colour[g], A) == SIGNAL_GREEN && \at(i->colour[g], B) != SIGNAL_GREEN ==>
            \at(i->seen.usec, B) - \at(i->since[g].usec, A) >= \at(i->model->min_green_usec[g], A) &&
            \at(i->colour[g], B) == (\at(i->model->yellow_usec, A) > 0 ? SIGNAL_YELLOW : SIGNAL_RED);

    // Who was yellow and is not, was so for the yellow time, and is red.
    predicate yellow_lasts{A, B}(Interlock *i, integer g) =
        \at(i->colour[g], A) == SIGNAL_YELLOW && \at(i->colour[g], B) != SIGNAL_YELLOW ==>
            \at(i->seen.usec, B) - \at(i->since[g].usec, A) >= \at(i->model->yellow_usec, A) &&
            \at(i->colour[g], B) == SIGNAL_RED;

    // Who was not green and is, was red, and it and everyone in conflict with it had been so for the all-red time.
    predicate green_is_cleared{A, B}(Interlock *i, integer g) =
        \at(i->colour[g], A) != SIGNAL_GREEN && \at(i->colour[g], B) == SIGNAL_GREEN ==>
            \at(i->colour[g], A) == SIGNAL_RED &&
            \at(i->seen.usec, B) - \at(i->since[g].usec, A) >= \at(i->model->all_red_usec, A) &&
            \forall integer other; 0 <= other < \at(i->model->n_groups, A) &&
                \at(in_conflict(i->model, g, other), A) ==>
                \at(i->colour[other], B) == SIGNAL_RED &&
                \at(i->seen.usec, B) - \at(i->since[other].usec, B) >= \at(i->model->all_red_usec, A);

    predicate red_turns_green{A, B}(Interlock *i, integer g) =
        \at(i->colour[g], A) == SIGNAL_RED ==> \at(i->colour[g], B) != SIGNAL_YELLOW;

    // No colour is cut short, and none is left out.
    predicate colours_last{A, B}(Interlock *i, integer g) =
        time_is_kept{A, B}(i, g) && green_lasts{A, B}(i, g) && yellow_lasts{A, B}(i, g) && red_turns_green{A, B}(i, g);
*/

/* All-red from `now`. `model` must outlive the interlock. */
/*@ requires \valid(interlock) && \valid_read(model) && \separated(interlock, model);
    requires model->n_groups <= SIGNAL_GROUPS_MAX;
    assigns *interlock;
    ensures is_interlock(interlock) && interlock->model == model;
    ensures interlock->state == INTERLOCK_START && interlock->seen.usec == now.usec;
    ensures is_all_red(interlock) && no_conflict_is_open(interlock);
    ensures \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> interlock->since[g].usec == interlock->seen.usec; */
void interlock_init(Interlock *interlock, const SignalModel *model, Mono now);

/* Time passes, and `wanted` is asked for until the next step: true when what is shown changed. */
/*@ requires is_interlock(interlock) && no_conflict_is_open(interlock);
    assigns interlock->seen.usec, interlock->wanted, interlock->state, interlock->guarded, interlock->colour[0 .. SIGNAL_GROUPS_MAX - 1],
        interlock->since[0 .. SIGNAL_GROUPS_MAX - 1].usec;
    ensures is_interlock(interlock) && no_conflict_is_open(interlock);
    ensures interlock->seen.usec == \max(\old(interlock->seen.usec), now.usec);
    ensures \forall integer g; 0 <= g < interlock->model->n_groups ==> colours_last{Pre, Post}(interlock, g);
    ensures \old(interlock->state) == INTERLOCK_LATCHED ==> interlock->state == INTERLOCK_LATCHED;
    ensures \forall integer g; \old(interlock->state) == INTERLOCK_LATCHED && 0 <= g < SIGNAL_GROUPS_MAX ==>
        interlock->colour[g] == \old(interlock->colour[g]); */
bool interlock_step(Interlock *interlock, GroupSet wanted, Mono now);

/* All-red at once, whatever was green, and no step leaves it. */
/*@ requires is_interlock(interlock);
    assigns *interlock;
    ensures is_interlock(interlock) && interlock->model == \old(interlock->model);
    ensures interlock->seen.usec == \max(\old(interlock->seen.usec), now.usec);
    ensures interlock->state == INTERLOCK_LATCHED && is_all_red(interlock) && no_conflict_is_open(interlock);
    ensures \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> time_is_kept{Pre, Post}(interlock, g); */
void interlock_latch(Interlock *interlock, Mono now);

/* Out of the latch into start-up, as from interlock_init(); otherwise nothing. */
/*@ requires is_interlock(interlock) && no_conflict_is_open(interlock);
    assigns *interlock;
    ensures is_interlock(interlock) && no_conflict_is_open(interlock) && interlock->model == \old(interlock->model);
    ensures interlock->seen.usec == \max(\old(interlock->seen.usec), now.usec);
    ensures \old(interlock->state) == INTERLOCK_LATCHED ==> interlock->state == INTERLOCK_START &&
        is_all_red(interlock) &&
        \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> interlock->since[g].usec == interlock->seen.usec;
    ensures \old(interlock->state) != INTERLOCK_LATCHED ==> interlock->state == \old(interlock->state) &&
        \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==>
            interlock->colour[g] == \old(interlock->colour[g]) && interlock->since[g].usec == \old(interlock->since[g].usec); */
void interlock_release(Interlock *interlock, Mono now);

/*@ requires \valid_read(interlock);
    assigns \nothing;
    ensures \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> \result.colour[g] == interlock->colour[g]; */
Lights interlock_lights(const Interlock *interlock);

/* Steps before it, with the same request, change nothing; later than the last step, always. Never while latched. */
/*@ requires is_interlock(interlock);
    assigns \nothing;
    ensures \result.usec > interlock->seen.usec || \result.usec == USEC_FOREVER; */
Mono interlock_deadline(const Interlock *interlock);

/* Is this group red, and so long at `now` that no conflicting one begins before it? */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing; */
bool interlock_is_owed(const Interlock *interlock, unsigned group, Mono now);
