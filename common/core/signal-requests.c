/* The table of mode and request: what each does to the plan. What is asked of the interlock then, and when, is
 * signal-plan.c's matter. */
#include "core/signal-plan-private.h"

typedef struct Asked {
    const SignalRequest *request;
    SignalAnswer *answer;
    unsigned phase;
} Asked;

typedef SignalOutcome (*SignalCell)(SignalPlan *plan, const Asked *asked, Mono now);

/* --- EXTEND --- */

static SignalOutcome extension_wait(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)now;
    if (stages_find(plan, asked->phase) < 0)
        return SIGNAL_NO_SUCH_PHASE;
    if (plan->extension_waits & phase_bit(asked->phase))
        return SIGNAL_ALREADY;
    plan->extension_waits |= phase_bit(asked->phase);
    return SIGNAL_GRANTED;
}

static SignalOutcome extend(SignalPlan *plan, const Asked *asked, Mono now) {
    if (!plan->is_begun || asked->phase != plan->phase)
        return extension_wait(plan, asked, now);
    if (plan->is_extended)
        return SIGNAL_ALREADY;
    plan->is_extended = true;
    plan->n_full = 0;
    plan->green_ends = mono_after(plan->green_ends, plan->times->extension_usec);
    stages_shorten_next(plan);
    return SIGNAL_GRANTED;
}

/* --- FORCE --- */

static uint64_t asked_usec(const Asked *asked, uint64_t usual_usec) {
    return asked->request->duration_usec ? asked->request->duration_usec : usual_usec;
}

/* Who asks for what is green without saying how long does not mean to shorten it. */
static uint64_t hold_usec(const SignalPlan *plan, const Asked *asked, uint64_t usual_usec, Mono now) {
    const bool is_green = plan->is_begun && asked->phase == plan->phase;
    const uint64_t left_usec = is_green ? mono_between(now, plan->green_ends) : 0;
    return asked_usec(asked, left_usec > usual_usec ? left_usec : usual_usec);
}

static SignalOutcome force(SignalPlan *plan, const Asked *asked, Mono now) {
    plan->force =
        (SignalHold){.phase = asked->phase, .usec = hold_usec(plan, asked, plan->times->force_usec, now)};
    plan->is_begun = false;
    plan->charged = now;
    plan->mode = SIGNAL_MODE_FORCED;
    return SIGNAL_GRANTED;
}

static SignalOutcome force_again(SignalPlan *plan, const Asked *asked, Mono now) {
    if (asked->phase != plan->force.phase)
        return force(plan, asked, now);
    const uint64_t usec = asked_usec(asked, plan->times->force_usec);
    if (usec > plan->force.usec) {
        plan->force.usec = usec;
        plan->green_ends = signal_hold_end(&plan->force);
    }
    return SIGNAL_ALREADY;
}

/* --- WAVE --- */

static SignalOutcome wave(SignalPlan *plan, const Asked *asked, Mono now) {
    const SignalRequest *request = asked->request;
    const uint64_t usual_usec = plan->times->wave_usec;
    SignalWave order = {.hold = {.phase = asked->phase},
                        .priority = request->priority,
                        .starts = mono_after(now, request->delay_usec)};
    order.hold.usec =
        request->delay_usec > 0 ? asked_usec(asked, usual_usec) : hold_usec(plan, asked, usual_usec, now);
    const WaveTaken taken = signal_waves_take(&plan->waves, &order, now);
    if (taken.place < 0)
        return SIGNAL_NO_ROOM;
    asked->answer->place = taken.place;
    asked->answer->rival = taken.rival;
    asked->answer->is_before_rival = taken.is_first;
    if (taken.place == plan->wave)
        plan->green_ends = signal_hold_end(&plan->waves.waves[plan->wave].hold); /* it may have moved */
    if (!taken.is_first)
        return SIGNAL_QUEUED;
    return taken.is_repeated ? SIGNAL_ALREADY : SIGNAL_GRANTED;
}

/* --- PHASE --- */

static SignalOutcome command(SignalPlan *plan, const Asked *asked, Mono now) {
    const bool is_renewed = plan->mode == SIGNAL_MODE_COMMANDED && plan->command_phase == asked->phase;
    plan->command_phase = asked->phase;
    plan->command_ends = mono_after(now, plan->times->lease_usec);
    if (is_renewed)
        plan->green_ends = plan->command_ends;
    return is_renewed ? SIGNAL_ALREADY : SIGNAL_GRANTED;
}

/* Taken note of for when the hold is over. */
static SignalOutcome command_later(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)command(plan, asked, now);
    return SIGNAL_OUTRANKED;
}

/* --- the rest --- */

/* Who gives a wave back does not mean the latch. */
static SignalOutcome release(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)plan, (void)now;
    return asked->request->has_phase ? SIGNAL_OUT_OF_ORDER : SIGNAL_GRANTED;
}

static SignalOutcome outranked(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)plan, (void)asked, (void)now;
    return SIGNAL_OUTRANKED;
}

static SignalOutcome out_of_order(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)plan, (void)asked, (void)now;
    return SIGNAL_OUT_OF_ORDER;
}

/* The waves of a phase end before their time; that there is none any more is as it should be. Who names no phase means
 * a latch, and there is none. */
static SignalOutcome give_back(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)now;
    if (!asked->request->has_phase)
        return SIGNAL_NOT_LATCHED;
    return signal_waves_give_back(&plan->waves, asked->phase) ? SIGNAL_GRANTED : SIGNAL_ALREADY;
}

_Static_assert(SIGNAL_FORCE == 0 && SIGNAL_EXTEND == 1 && SIGNAL_WAVE == 2 && SIGNAL_PHASE == 3 &&
                   SIGNAL_RELEASE == 4 && SIGNAL_ACTION_COUNT == 5,
               "the columns of the table are in the order of the actions");

static const SignalCell cells[SIGNAL_MODE_COUNT][SIGNAL_ACTION_COUNT] = {
    /*                        FORCE         EXTEND          WAVE          PHASE          RELEASE     */
    [SIGNAL_MODE_FIXED] = {force, extend, wave, command, give_back},
    [SIGNAL_MODE_COMMANDED] = {force, outranked, wave, command, give_back},
    [SIGNAL_MODE_FORCED] = {force_again, extension_wait, wave, command_later, give_back},
    [SIGNAL_MODE_WAVE] = {outranked, extension_wait, wave, command_later, give_back},
    [SIGNAL_MODE_LATCHED] = {out_of_order, out_of_order, out_of_order, out_of_order, release},
};

SignalOutcome plan_take_request(SignalPlan *plan, const SignalRequest *request, SignalAnswer *answer,
                                Mono now) {
    const Asked asked = {.request = request, .answer = answer, .phase = answer->phase};
    if (asked.phase >= plan->model->n_phases)
        return SIGNAL_NO_SUCH_PHASE;
    return cells[plan->mode][request->action](plan, &asked, now);
}
