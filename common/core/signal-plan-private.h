/* What the parts of a signal plan know of each other: the turns of its stages (signal-stages.c), its requests
 * (signal-requests.c), how long they wait (signal-wait.c), and what is shown (signal-plan.c). */
#pragma once

#include "core/signal-plan.h"

/* --- the turns of the stages --- */

static inline unsigned stage_phase(const SignalPlan *plan, unsigned stage) {
    return plan->model->stages[stage].phase;
}

static inline unsigned stage_after(const SignalPlan *plan, unsigned stage) {
    return (stage + 1) % plan->model->n_stages;
}

static inline PhaseSet phase_bit(unsigned phase) {
    return (PhaseSet)1 << phase;
}

/* The stage of a phase whose turn is next, that of the present stage included; -1 when the plan has none. */
int stages_find(const SignalPlan *plan, unsigned phase);

/* At start-up: the stage whose turn it is once all-red has passed. */
void stages_enter(SignalPlan *plan, Mono now);

/* The plan takes over from whoever had asked for `plan->phase` in the mode `before`. */
void stages_resume(SignalPlan *plan, SignalMode before, Mono now);

/* The next stage's turn, when this one has had its time. */
void stages_turn(SignalPlan *plan, Mono now);

/* The turn of a stage that the guard has shown as a whole, if there is one; true when so. */
bool stages_follow_guard(SignalPlan *plan, Mono now);

/* The green of the stage begins: its planned length. */
uint64_t stages_begin(SignalPlan *plan, Mono now);

/* The stage after this one is shorter, once. */
void stages_shorten_next(SignalPlan *plan);

/* --- requests --- */

/* What becomes of a request for `answer->phase`; the rest of the answer is filled where it is known here. */
SignalOutcome plan_take_request(SignalPlan *plan, const SignalRequest *request, SignalAnswer *answer,
                                Mono now);

/* How long it waits. */
uint64_t plan_wait_usec(const SignalPlan *plan, const SignalRequest *request, const SignalAnswer *answer,
                        Mono now);
