/* How long a request waits until what it asks for is green, as far as is known when it comes. */
#include "core/signal-cycle.h"
#include "core/signal-plan-private.h"

static uint64_t usec_max(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Until `group` is out of the way of those it conflicts with, if it ends as soon as it may. */
static uint64_t clearing_usec(const SignalPlan *plan, unsigned group, Mono now) {
    const SignalModel *model = plan->model;
    uint64_t colour_usec = model->all_red_usec, then_usec = 0;
    if (plan->interlock.colour[group] == SIGNAL_YELLOW) {
        colour_usec = model->yellow_usec;
        then_usec = model->all_red_usec;
    } else if (plan->interlock.colour[group] == SIGNAL_GREEN) {
        colour_usec = model->min_green_usec[group];
        then_usec = signal_intergreen_usec(model);
    }
    return mono_between(now, mono_after(plan->interlock.since[group], colour_usec)) + then_usec;
}

/* Until nothing keeps `group` from being green; 0 when it is. */
static uint64_t cleared_usec(const SignalPlan *plan, unsigned group, Mono now) {
    if (plan->interlock.colour[group] == SIGNAL_GREEN)
        return 0;
    uint64_t usec = clearing_usec(plan, group, now);
    for (unsigned other = 0; other < plan->model->n_groups; other++)
        if (set_has(plan->model->conflicts[group], other))
            usec = usec_max(usec, clearing_usec(plan, other, now));
    return usec;
}

/* Does the maximum red owe `other` a green as soon as it can have one? */
static bool goes_first(const SignalPlan *plan, unsigned other, Mono now) {
    const Mono cleared = mono_after(now, cleared_usec(plan, other, now));
    return plan->interlock.colour[other] == SIGNAL_RED && interlock_is_owed(&plan->interlock, other, cleared);
}

static uint64_t group_wait_usec(const SignalPlan *plan, unsigned group, Mono now) {
    const uint64_t own_usec = cleared_usec(plan, group, now);
    uint64_t usec = own_usec;
    for (unsigned other = 0; own_usec > 0 && other < plan->model->n_groups; other++)
        if (set_has(plan->model->conflicts[group], other) && goes_first(plan, other, now))
            usec = usec_max(usec, cleared_usec(plan, other, now) + plan->model->min_green_usec[other] +
                                      signal_intergreen_usec(plan->model));
    return usec;
}

static uint64_t phase_wait_usec(const SignalPlan *plan, unsigned phase, Mono now) {
    uint64_t usec = 0;
    for (unsigned g = 0; g < plan->model->n_groups; g++)
        if (set_has(plan->model->phases[phase], g))
            usec = usec_max(usec, group_wait_usec(plan, g, now));
    return usec;
}

/* Until the plan comes to a phase by itself. */
static uint64_t turn_wait_usec(const SignalPlan *plan, unsigned phase, Mono now) {
    unsigned stage = plan->stage;
    uint64_t usec = phase_wait_usec(plan, plan->phase, now); /* its own stage's */
    for (unsigned i = 0; i < plan->model->n_stages && stage_phase(plan, stage) != phase; i++) {
        usec += i == 0 && plan->is_begun ? mono_between(now, plan->green_ends)
                                         : plan->model->stages[stage].green_usec;
        usec += signal_intergreen_usec(plan->model);
        stage = stage_after(plan, stage);
    }
    return usec;
}

uint64_t plan_wait_usec(const SignalPlan *plan, const SignalRequest *request, const SignalAnswer *answer,
                        Mono now) {
    if (answer->outcome == SIGNAL_QUEUED) /* behind the wave in charge, or the one before it */
        return usec_max(request->delay_usec, mono_between(now, plan->green_ends)) +
               signal_intergreen_usec(plan->model);
    const bool is_taken = answer->outcome == SIGNAL_GRANTED || answer->outcome == SIGNAL_ALREADY;
    if (!is_taken || request->action == SIGNAL_RELEASE)
        return 0;
    if (request->delay_usec > 0)
        return request->delay_usec;
    if (request->action == SIGNAL_EXTEND && plan->mode == SIGNAL_MODE_FIXED)
        return signal_plan_shows(plan, answer->phase) ? 0 : turn_wait_usec(plan, answer->phase, now);
    return phase_wait_usec(plan, answer->phase, now);
}
