/* Who is in charge, what is asked of the interlock, and the one place where an output is shown: show(). */
#include "core/signal-plan.h"

#include "core/signal-cycle.h"
#include "core/signal-plan-private.h"

VOCABULARY_DEFINE(SIGNAL_CAUSE, SIGNAL_CAUSE_LIST, signal_cause_words);

/* --- what is green --- */

GroupSet lights_green(const Lights *lights) {
    GroupSet green = 0;
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++)
        if (lights->colour[g] == SIGNAL_GREEN)
            green |= (GroupSet)1 << g;
    return green;
}

bool signal_plan_shows(const SignalPlan *plan, unsigned phase) {
    for (unsigned g = 0; g < plan->model->n_groups; g++)
        if (set_has(plan->model->phases[phase], g) && plan->interlock.colour[g] != SIGNAL_GREEN)
            return false;
    return true;
}

/* --- a green that begins --- */

static SignalHold *hold_in_charge(SignalPlan *plan) {
    return plan->mode == SIGNAL_MODE_WAVE ? &plan->waves.waves[plan->wave].hold : &plan->force;
}

static void begin_hold(SignalHold *hold, Mono now) {
    if (!hold->has_begun)
        hold->began = now;
    hold->has_begun = true;
}

/* The planned length of the green of the phase in charge. */
static uint64_t begin(SignalPlan *plan, Mono now) {
    plan->is_begun = true;
    if (plan->mode == SIGNAL_MODE_FIXED)
        return stages_begin(plan, now);
    plan->shortened_next &= ~phase_bit(plan->phase); /* this green is not the plan's: it is not shorter */
    if (plan->mode == SIGNAL_MODE_COMMANDED) {
        plan->green_ends = plan->command_ends;
    } else {
        begin_hold(hold_in_charge(plan), now);
        plan->green_ends = signal_hold_end(hold_in_charge(plan));
    }
    return mono_between(now, plan->green_ends);
}

/* Has the phase in charge just become green as a whole? Then its planned length, else 0. The plan goes on with what
 * the guard brought in, when that is one of its stages. */
static uint64_t follow_greens(SignalPlan *plan, GroupSet brought_in, Mono now) {
    bool is_shown = signal_plan_shows(plan, plan->phase);
    if (!is_shown && brought_in && plan->mode == SIGNAL_MODE_FIXED)
        is_shown = stages_follow_guard(plan, now);
    if (!is_shown && plan->mode != SIGNAL_MODE_FIXED)
        plan->is_begun = false;
    if (!is_shown || plan->is_begun)
        return 0;
    uint64_t green_usec = begin(plan, now);
    uint64_t min_usec = signal_min_green_usec(plan->model, plan->model->phases[plan->phase]);
    return green_usec > min_usec ? green_usec : min_usec;
}

/* --- showing --- */

static SignalCause cause_of_mode(const SignalPlan *plan, bool is_beginning) {
    switch (plan->mode) {
    case SIGNAL_MODE_COMMANDED:
        return SIGNAL_CAUSE_COMMAND;
    case SIGNAL_MODE_FORCED:
        return SIGNAL_CAUSE_FORCE;
    case SIGNAL_MODE_WAVE:
        return SIGNAL_CAUSE_WAVE;
    case SIGNAL_MODE_LATCHED:
        return SIGNAL_CAUSE_VIOLATION;
    case SIGNAL_MODE_FIXED:
        break;
    }
    if (!plan->has_started)
        return SIGNAL_CAUSE_START;
    return is_beginning && plan->is_extended ? SIGNAL_CAUSE_EXTENSION : SIGNAL_CAUSE_PLAN;
}

static SignalChange latch(SignalPlan *plan, InterlockVerdict verdict, Mono now) {
    interlock_latch(&plan->interlock, now);
    plan->mode = SIGNAL_MODE_LATCHED;
    plan->cause = SIGNAL_CAUSE_VIOLATION;
    return (SignalChange){.is_change = true,
                          .lights = interlock_lights(&plan->interlock),
                          .cause = SIGNAL_CAUSE_VIOLATION,
                          .verdict = verdict};
}

/* The interlock has stepped: nothing is shown that the second checker has not seen. */
static SignalChange show(SignalPlan *plan, GroupSet green_before, bool has_changed, Mono now) {
    const Lights lights = interlock_lights(&plan->interlock);
    const GroupSet wanted = plan->interlock.wanted, green = lights_green(&lights);
    const GroupSet turned = green & ~green_before, ended = green_before & ~green;
    InterlockVerdict verdict = interlock_check(&plan->check, plan->model, &lights, now);
    if (verdict.violation != VIOLATION_NONE)
        return latch(plan, verdict, now);

    uint64_t green_usec = follow_greens(plan, turned & ~wanted, now);
    if (!has_changed)
        return (SignalChange){.is_change = false};
    if (green_usec == 0) /* what the guard brings in for a moment */
        green_usec = signal_min_green_usec(plan->model, turned & ~wanted);
    if ((turned & ~wanted) || (ended & wanted))
        plan->cause = SIGNAL_CAUSE_MAX_RED;
    else if (turned || ended) /* else yellow turns red, for the reason that ended the green */
        plan->cause = cause_of_mode(plan, green_usec > 0);
    plan->has_started |= green != 0;
    return (SignalChange){
        .is_change = true, .lights = lights, .cause = plan->cause, .green_usec = green_usec};
}

/* --- who is in charge --- */

static bool is_holding(const SignalPlan *plan) {
    return plan->mode == SIGNAL_MODE_FORCED || plan->mode == SIGNAL_MODE_WAVE;
}

/* When a hold counts as begun, also if its phase was never green as a whole. */
static Mono patience_ends(const SignalPlan *plan) {
    uint64_t longest_usec = 0;
    for (unsigned g = 0; g < plan->model->n_groups; g++)
        if (set_has(plan->model->phases[plan->phase], g) && plan->model->max_red_usec[g] > longest_usec)
            longest_usec = plan->model->max_red_usec[g];
    return mono_after(plan->charged, longest_usec);
}

static void settle(SignalPlan *plan, Mono now) {
    const SignalMode before = plan->mode;
    if (is_holding(plan) && mono_reached(now, patience_ends(plan)))
        begin_hold(hold_in_charge(plan), now);
    signal_waves_end(&plan->waves, now);
    const int wave = signal_waves_first(&plan->waves, now);
    if (wave >= 0)
        plan->mode = SIGNAL_MODE_WAVE;
    else if (before != SIGNAL_MODE_FORCED || mono_reached(now, signal_hold_end(&plan->force)))
        plan->mode = mono_reached(now, plan->command_ends) ? SIGNAL_MODE_FIXED : SIGNAL_MODE_COMMANDED;
    if (plan->mode == SIGNAL_MODE_FIXED && before != SIGNAL_MODE_FIXED)
        stages_resume(plan, before, now);
    else if (plan->mode != before || wave != plan->wave) {
        plan->is_begun = false;
        plan->charged = now;
    }
    plan->wave = wave;
    if (plan->mode == SIGNAL_MODE_FIXED)
        stages_turn(plan, now);
}

static unsigned phase_in_charge(const SignalPlan *plan) {
    switch (plan->mode) {
    case SIGNAL_MODE_COMMANDED:
        return plan->command_phase;
    case SIGNAL_MODE_FORCED:
        return plan->force.phase;
    case SIGNAL_MODE_WAVE:
        return plan->waves.waves[plan->wave].hold.phase;
    case SIGNAL_MODE_FIXED:
    case SIGNAL_MODE_LATCHED:
        break;
    }
    return stage_phase(plan, plan->stage);
}

static SignalChange ask(SignalPlan *plan, Mono now) {
    settle(plan, now);
    const unsigned phase = phase_in_charge(plan);
    if (phase != plan->phase)
        plan->is_begun = false;
    plan->phase = phase;
    const Lights shown = interlock_lights(&plan->interlock);
    bool has_changed = interlock_step(&plan->interlock, plan->model->phases[phase], now);
    return show(plan, lights_green(&shown), has_changed, now);
}

/* --- public --- */

static void start_up(SignalPlan *plan, Mono now) {
    plan->mode = SIGNAL_MODE_FIXED;
    plan->has_started = false;
    plan->command_ends = (Mono){0};
    plan->waves = (SignalWaves){.n_asked = 0};
    plan->wave = -1;
    stages_enter(plan, now);
    (void)ask(plan, now);
}

void signal_plan_init(SignalPlan *plan, const SignalModel *model, const SignalTimes *times, Mono zero,
                      Mono now) {
    *plan = (SignalPlan){.model = model, .times = times, .zero = zero, .cause = SIGNAL_CAUSE_START};
    interlock_init(&plan->interlock, model, now);
    start_up(plan, now);
}

SignalChange signal_plan_step(SignalPlan *plan, Mono now) {
    if (plan->mode == SIGNAL_MODE_LATCHED)
        return (SignalChange){.is_change = false};
    return ask(plan, now);
}

/* What flashed is all-red now, and the checker sees it as the first output. */
static SignalChange release(SignalPlan *plan, Mono now) {
    interlock_release(&plan->interlock, now);
    plan->check = (InterlockCheck){.has_started = false};
    start_up(plan, now);
    plan->cause = SIGNAL_CAUSE_RELEASE;
    return (SignalChange){
        .is_change = true, .lights = interlock_lights(&plan->interlock), .cause = SIGNAL_CAUSE_RELEASE};
}

/* Which phase a request means. */
static unsigned meant_phase(const SignalPlan *plan, const SignalRequest *request) {
    if (request->has_phase)
        return request->phase;
    return request->has_direction ? plan->model->direction_phase[request->direction] : plan->phase;
}

SignalAnswer signal_plan_request(SignalPlan *plan, const SignalRequest *request, Mono now,
                                 SignalChange *ret_change) {
    SignalChange change = signal_plan_step(plan, now);
    SignalAnswer answer = {.phase = meant_phase(plan, request), .place = -1, .rival = -1};
    answer.outcome = plan_take_request(plan, request, &answer, now);
    if (plan->mode != SIGNAL_MODE_LATCHED) { /* the interlock hears of it at once */
        SignalChange second = ask(plan, now);
        if (second.is_change)
            change = second;
    } else if (answer.outcome == SIGNAL_GRANTED) {
        change = release(plan, now);
    }
    answer.wait_usec = plan_wait_usec(plan, request, &answer, now);
    *ret_change = change;
    return answer;
}

Mono signal_plan_deadline(const SignalPlan *plan) {
    const Mono deadline =
        mono_min(interlock_deadline(&plan->interlock), signal_waves_next(&plan->waves, plan->interlock.seen));
    const SignalHold *hold =
        plan->mode == SIGNAL_MODE_WAVE ? &plan->waves.waves[plan->wave].hold : &plan->force;
    switch (plan->mode) {
    case SIGNAL_MODE_FIXED:
        return plan->is_begun ? mono_min(deadline, plan->green_ends) : deadline;
    case SIGNAL_MODE_COMMANDED:
        return mono_min(deadline, plan->command_ends);
    case SIGNAL_MODE_FORCED:
    case SIGNAL_MODE_WAVE:
        return mono_min(deadline, hold->has_begun ? signal_hold_end(hold) : patience_ends(plan));
    case SIGNAL_MODE_LATCHED:
        break;
    }
    return mono_never();
}
