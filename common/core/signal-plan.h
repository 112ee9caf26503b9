/* What one intersection's lights are asked to show: the fixed-time plan, and the requests that take its place for a
 * while.
 *
 * By itself each stage of the plan is green in turn, in step with the plans around it (signal-cycle.h). Requests,
 * by rank:
 *   EXTEND  lengthens one green of a phase in the plan, at most once per green, and shortens the next stage's; for a
 *           phase without a green of the plan now it waits for its next;
 *   PHASE   makes a phase green as soon as the interlock lets it, and stands for a lease: whoever commands renews it,
 *           and when nobody does the plan goes on by itself;
 *   FORCE   the same for one green or the time asked; a PHASE that comes meanwhile counts afterwards, if its lease
 *           still stands;
 *   WAVE    the same for a green wave, perhaps only after a while; while it lasts no FORCE is taken, and an EXTEND
 *           waits. Which of several is in charge, signal-waves.h says;
 *   RELEASE of a phase ends its waves before their time.
 * Of two FORCEs the newer wins; asking again for what is already held asks once, for the longer of the two. A hold
 * counts from when its phase is green for it: the start of the green it brings about, or the request when it is green
 * already; and where the maximum red of others keeps its phase from being green as a whole, from when its own has
 * passed. Afterwards the plan goes on with the stage after it, gives each stage its full green once (they have all
 * waited), and then gets back in step.
 *
 * The plan only asks: the interlock decides, and the second checker looks at every output. A violation latches
 * all-red, until a RELEASE sends the lights through start-up. The maximum red interrupts even a hold. Time is a
 * parameter; nothing is allocated. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "base/vocabulary.h"
#include "core/interlock-check.h"
#include "core/interlock.h"
#include "core/signal-model.h"
#include "core/signal-waves.h"

#include <stdbool.h>

typedef struct SignalTimes {
    uint64_t extension_usec; /* added by EXTEND */
    /* Taken from the next stage's green after it, never below the minimum */
    uint64_t cross_reduction_usec;
    uint64_t force_usec; /* of a FORCE that does not say how long */
    uint64_t wave_usec;  /* of a WAVE that does not */
    uint64_t lease_usec; /* a PHASE stands for so long */
} SignalTimes;

/* Why the lights changed. */
#define SIGNAL_CAUSE_LIST(X)                                                                                 \
    X(SIGNAL_CAUSE_START, "start")                                                                           \
    X(SIGNAL_CAUSE_PLAN, "plan")                                                                             \
    X(SIGNAL_CAUSE_EXTENSION, "extension")                                                                   \
    X(SIGNAL_CAUSE_COMMAND, "commanded")                                                                     \
    X(SIGNAL_CAUSE_FORCE, "forced")                                                                          \
    X(SIGNAL_CAUSE_WAVE, "green wave")                                                                       \
    X(SIGNAL_CAUSE_MAX_RED, "maximum red")                                                                   \
    X(SIGNAL_CAUSE_VIOLATION, "interlock violation")                                                         \
    X(SIGNAL_CAUSE_RELEASE, "released")
VOCABULARY(SignalCause, SIGNAL_CAUSE, SIGNAL_CAUSE_LIST, signal_cause_words);

typedef struct SignalRequest {
    SignalAction action;
    /* The phase, or the direction whose phase it is. EXTEND may go without: the one that is green, or comes next. */
    bool has_phase, has_direction;
    unsigned phase;
    Direction direction;
    uint64_t duration_usec; /* of FORCE and WAVE; 0 is the usual one */
    unsigned priority;      /* of WAVE */
    uint64_t delay_usec;    /* of WAVE: until it starts */
} SignalRequest;

typedef struct SignalAnswer {
    SignalOutcome outcome;
    unsigned phase; /* that the request was understood to mean */
    uint64_t
        wait_usec; /* what safety, and who goes first, cost before that phase is green, as far as is known now */
    int place;     /* of a WAVE taken, in the table of waves; else -1 */
    int rival;     /* that it meets there, or -1 */
    bool is_before_rival;
} SignalAnswer;

typedef struct SignalChange {
    bool is_change; /* what is shown changed; else the rest is not set */
    Lights lights;
    SignalCause cause;
    uint64_t green_usec;      /* planned length of the phase's green that begins; 0: none does */
    InterlockVerdict verdict; /* why the lights latched in all-red */
} SignalChange;

typedef struct SignalPlan {
    const SignalModel *model; /* borrowed for life, like the times */
    const SignalTimes *times;
    Mono zero; /* of all plans' cycles */
    Interlock interlock;
    InterlockCheck check;
    SignalMode mode;
    SignalCause cause; /* of the last change */
    bool has_started;  /* there was a first green */

    unsigned phase;  /* asked for */
    bool is_begun;   /* all of it has been green since it was asked for */
    Mono green_ends; /* is_begun: when the plan or the hold has had enough of it */
    Mono charged;    /* FORCED, WAVE: since when this hold is in charge */

    unsigned stage; /* of the plan, whose turn it is */
    Mono stage_due; /* when the plan's next green should begin */
    unsigned
        n_full; /* full greens since the plan was last disturbed, up to the number of stages: then it gets in step */
    uint64_t entry_usec; /* of the first green after start-up: as long as the cycle leaves it; 0: it was */
    bool is_extended;    /* this green had its extension */
    PhaseSet extension_waits; /* for the phase's next green of the plan */
    PhaseSet shortened_next;  /* the stage before it was extended */

    unsigned command_phase;
    Mono command_ends; /* the lease */
    SignalHold force;  /* FORCED */
    SignalWaves waves;
    int wave; /* WAVE: the one in charge */
} SignalPlan;

/* 0, or -ERANGE: the plan and one extension keep a group red beyond its maximum. The model has passed its own
 * check. */
int signal_times_check(const SignalTimes *times, const SignalModel *model, Problem *problem);

/* All-red from `now`, then the stage whose turn it is when it has passed. `zero` is the common zero of all plans;
 * `model` and `times` outlive the plan. */
void signal_plan_init(SignalPlan *plan, const SignalModel *model, const SignalTimes *times, Mono zero,
                      Mono now);

/* Time passes. */
SignalChange signal_plan_step(SignalPlan *plan, Mono now);

/* A request, at `now`; time passes up to then first, and where that changed something else than the request does,
 * only the latter is told. FORCE and WAVE must name a phase or direction. */
SignalAnswer signal_plan_request(SignalPlan *plan, const SignalRequest *request, Mono now,
                                 SignalChange *ret_change);

/* When signal_plan_step() is next due: the next change of the lights, unless a request comes first. Never when
 * latched. */
Mono signal_plan_deadline(const SignalPlan *plan);

/* What is green of these lights. */
GroupSet lights_green(const Lights *lights);

static inline Lights signal_plan_lights(const SignalPlan *plan) {
    return interlock_lights(&plan->interlock);
}

/* Is all of a phase green? */
bool signal_plan_shows(const SignalPlan *plan, unsigned phase);
