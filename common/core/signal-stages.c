/* Whose turn it is in the fixed-time plan, and how long its green is. */
#include "core/signal-cycle.h"
#include "core/signal-plan-private.h"

#include <errno.h>

/* A green that begins late by less is one of a process that was not woken in time: its end stays where it was, so
 * that such delays do not add up from cycle to cycle. */
#define JITTER_USEC (200 * USEC_PER_MSEC)

int signal_times_check(const SignalTimes *times, const SignalModel *model, Problem *problem) {
    for (unsigned g = 0; g < model->n_groups; g++) {
        uint64_t red_usec = signal_longest_red_usec(model, g), max_usec = model->max_red_usec[g];
        if (red_usec > 0 && (red_usec > max_usec || times->extension_usec > max_usec - red_usec))
            return problem_set(
                problem, -ERANGE,
                "maximum red: expected at least the others' greens, one of them extended, with "
                "their all-reds (%.3f s and %.3f s), got %.3f s",
                (double)red_usec / (double)USEC_PER_SEC, (double)times->extension_usec / (double)USEC_PER_SEC,
                (double)max_usec / (double)USEC_PER_SEC);
    }
    return 0;
}

/* --- whose turn --- */

int stages_find(const SignalPlan *plan, unsigned phase) {
    for (unsigned i = 0; i < plan->model->n_stages; i++) {
        unsigned stage = (plan->stage + i) % plan->model->n_stages;
        if (stage_phase(plan, stage) == phase)
            return (int)stage;
    }
    return -1;
}

/* The stage whose turn is next among those that are shown as a whole; -1 when none is. */
static int find_shown(const SignalPlan *plan) {
    for (unsigned i = 0; i < plan->model->n_stages; i++) {
        unsigned stage = (plan->stage + i) % plan->model->n_stages;
        if (signal_plan_shows(plan, stage_phase(plan, stage)))
            return (int)stage;
    }
    return -1;
}

/* Since when all of the stage's phase, which is shown, has been green. */
static Mono shown_since(const SignalPlan *plan) {
    Mono since = {0};
    for (unsigned g = 0; g < plan->model->n_groups; g++)
        if (set_has(plan->model->phases[plan->phase], g) && plan->interlock.since[g].usec > since.usec)
            since = plan->interlock.since[g];
    return since;
}

static void take_turn(SignalPlan *plan, unsigned stage, Mono due) {
    plan->stage = stage;
    plan->phase = stage_phase(plan, stage);
    plan->stage_due = due;
    plan->is_begun = false;
    plan->is_extended = false;
}

void stages_enter(SignalPlan *plan, Mono now) {
    const Mono first_green = mono_after(now, plan->model->all_red_usec);
    const CyclePlace entry = signal_cycle_entry(plan->model, mono_between(plan->zero, first_green));
    take_turn(plan, entry.stage, first_green);
    plan->entry_usec = entry.left_usec;
    plan->n_full = plan->model->n_stages;
    plan->extension_waits = plan->shortened_next = 0;
}

void stages_resume(SignalPlan *plan, SignalMode before, Mono now) {
    const int own = stages_find(plan, plan->phase), shown = find_shown(plan);
    const bool is_own_shown = own >= 0 && signal_plan_shows(plan, plan->phase);
    /* Not its own: the maximum red has interrupted a hold that is over now. */
    const int stage = is_own_shown || shown < 0 ? own : shown;
    take_turn(plan, stage >= 0 ? (unsigned)stage : plan->stage, now);
    plan->n_full = 0;
    plan->entry_usec = 0;
    plan->is_begun = is_own_shown || shown >= 0;
    plan->green_ends = is_own_shown && before != SIGNAL_MODE_COMMANDED
                           ? now
                           : mono_after(shown_since(plan), plan->model->stages[plan->stage].green_usec);
}

void stages_turn(SignalPlan *plan, Mono now) {
    if (plan->is_begun && mono_reached(now, plan->green_ends))
        take_turn(plan, stage_after(plan, plan->stage),
                  mono_after(plan->green_ends, signal_intergreen_usec(plan->model)));
}

bool stages_follow_guard(SignalPlan *plan, Mono now) {
    int shown = find_shown(plan);
    if (shown >= 0)
        take_turn(plan, (unsigned)shown, now);
    return shown >= 0;
}

/* --- greens --- */

static uint64_t shortened_usec(const SignalPlan *plan, uint64_t green_usec) {
    uint64_t min_usec = signal_min_green_usec(plan->model, plan->model->phases[plan->phase]);
    uint64_t spare_usec = green_usec - min_usec;
    return green_usec -
           (plan->times->cross_reduction_usec < spare_usec ? plan->times->cross_reduction_usec : spare_usec);
}

void stages_shorten_next(SignalPlan *plan) {
    plan->shortened_next |= phase_bit(stage_phase(plan, stage_after(plan, plan->stage)));
}

/* What earlier requests want of this green, or else the plan's place in its cycle. */
static uint64_t green_usec(SignalPlan *plan, Mono start) {
    const PhaseSet bit = phase_bit(plan->phase);
    const bool is_shortened = plan->shortened_next & bit;
    uint64_t usec = plan->model->stages[plan->stage].green_usec;
    plan->is_extended = plan->extension_waits & bit;
    plan->extension_waits &= ~bit;
    plan->shortened_next &= ~bit;
    if (is_shortened)
        usec = shortened_usec(plan, usec);
    if (plan->is_extended) {
        usec += plan->times->extension_usec;
        stages_shorten_next(plan);
    }
    if (is_shortened || plan->is_extended)
        plan->n_full = 0;
    else if (plan->n_full < plan->model->n_stages)
        plan->n_full++;
    else
        usec = signal_cycle_green_usec(plan->model, plan->stage, mono_between(plan->zero, start));
    return usec;
}

uint64_t stages_begin(SignalPlan *plan, Mono now) {
    const bool is_on_time = now.usec <= mono_after(plan->stage_due, JITTER_USEC).usec;
    const Mono start = is_on_time ? plan->stage_due : now;
    uint64_t usec = green_usec(plan, start);
    if (plan->entry_usec > 0 && is_on_time && !plan->is_extended)
        usec = plan->entry_usec; /* up to where the cycle ends it */
    plan->entry_usec = 0;
    plan->green_ends = mono_after(start, usec);
    return usec;
}
