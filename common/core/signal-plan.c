/* The plan's table of mode and request, the lengths of greens, and the one place where an output is shown:
 * signal_show(). */
#include "core/signal-plan.h"

#include <errno.h>

VOCABULARY_DEFINE(SIGNAL_MODE, SIGNAL_MODE_LIST, signal_mode_words);
VOCABULARY_DEFINE(SIGNAL_CAUSE, SIGNAL_CAUSE_LIST, signal_cause_words);
VOCABULARY_DEFINE(SIGNAL_OUTCOME, SIGNAL_OUTCOME_LIST, signal_outcome_words);

/* --- times --- */

/* Nothing of a configuration is near this; it keeps the sums below from wrapping. */
#define LONGEST_USEC (24 * 3600 * USEC_PER_SEC)

int signal_times_check(const SignalTimes *times, Problem *problem) {
    int r = interlock_times_check(&times->interlock, problem);
    if (r < 0)
        return r;
    if (times->green_usec < times->interlock.min_green_usec)
        return problem_set(problem, -ERANGE, "green: expected at least the minimum green, got %.3f s",
                           (double)times->green_usec / (double)USEC_PER_SEC);
    if (times->green_usec > LONGEST_USEC || times->extension_usec > LONGEST_USEC ||
        times->green_usec + times->extension_usec + 2 * times->interlock.all_red_usec >
            times->interlock.max_red_usec)
        return problem_set(problem, -ERANGE,
                           "maximum red: expected at least an extended green and two all-reds, got %.3f s",
                           (double)times->interlock.max_red_usec / (double)USEC_PER_SEC);
    return 0;
}

static Mono mono_max(Mono a, Mono b) {
    return a.usec > b.usec ? a : b;
}

/* --- greens --- */

static bool is_holding(const SignalPlan *plan) {
    return plan->mode == SIGNAL_MODE_FORCED || plan->mode == SIGNAL_MODE_WAVE;
}

static bool is_green(const SignalPlan *plan, Direction direction) {
    return plan->interlock.state == INTERLOCK_GREEN && plan->interlock.green == direction;
}

static Mono hold_end(const SignalPlan *plan) {
    return mono_after(plan->hold_began, plan->hold_usec);
}

static uint64_t plan_green_usec(const SignalPlan *plan, bool is_shortened) {
    const SignalTimes *times = plan->times;
    if (!is_shortened)
        return times->green_usec;
    uint64_t spare_usec = times->green_usec - times->interlock.min_green_usec;
    return times->green_usec -
           (times->cross_reduction_usec < spare_usec ? times->cross_reduction_usec : spare_usec);
}

/* A green of the plan begins: how long it will be, and what is left of earlier requests for it. */
static void begin_plan_green(SignalPlan *plan, Direction direction, bool is_shortened, Mono now) {
    uint64_t green_usec = plan_green_usec(plan, is_shortened);
    if (plan->extension_waits[direction] && !is_holding(plan)) {
        plan->extension_waits[direction] = false;
        plan->is_extended = true;
        plan->shortened_next[direction_across(direction)] = true;
        green_usec += plan->times->extension_usec;
    }
    plan->green_ends = mono_after(now, green_usec);
}

static void begin_green(SignalPlan *plan, Mono now) {
    Direction direction = plan->interlock.green;
    bool is_shortened = plan->shortened_next[direction];
    plan->shortened_next[direction] = false;
    plan->is_extended = false;
    if (!is_holding(plan) || direction != plan->hold_direction) {
        begin_plan_green(plan, direction, is_shortened, now);
        return;
    }
    if (!plan->hold_has_begun) {
        plan->hold_has_begun = true;
        plan->hold_began = now;
    }
    plan->green_ends = hold_end(plan);
}

/* --- showing --- */

static SignalCause cause_of_change(const SignalPlan *plan, bool was_started) {
    if (plan->interlock.guard_acts)
        return SIGNAL_CAUSE_MAX_RED;
    if (plan->mode == SIGNAL_MODE_WAVE)
        return SIGNAL_CAUSE_WAVE;
    if (plan->mode == SIGNAL_MODE_FORCED)
        return SIGNAL_CAUSE_FORCE;
    if (!was_started)
        return SIGNAL_CAUSE_START;
    return plan->interlock.state == INTERLOCK_GREEN && plan->is_extended ? SIGNAL_CAUSE_EXTENSION
                                                                         : SIGNAL_CAUSE_PLAN;
}

/* The planned length of a green that has just begun; a cross street that interrupts a hold gets its
 * minimum. */
static uint64_t green_length_usec(const SignalPlan *plan, Mono now) {
    if (plan->interlock.state != INTERLOCK_GREEN)
        return 0;
    uint64_t min_green_usec = plan->times->interlock.min_green_usec;
    uint64_t green_usec = mono_between(now, plan->green_ends);
    if (is_holding(plan) && plan->interlock.green != plan->hold_direction)
        green_usec = min_green_usec;
    return green_usec > min_green_usec ? green_usec : min_green_usec;
}

/* The interlock has stepped: nothing is shown that the second checker has not seen. */
static SignalChange signal_show(SignalPlan *plan, bool has_changed, Mono now) {
    Lights lights = interlock_lights(&plan->interlock);
    InterlockViolation violation = interlock_check(&plan->check, &plan->times->interlock, lights, now);
    if (violation != VIOLATION_NONE) {
        (void)interlock_step(&plan->interlock, INTERLOCK_VIOLATION, plan->interlock.wanted, now);
        plan->mode = SIGNAL_MODE_LATCHED;
        return (SignalChange){.is_change = true,
                              .lights = interlock_lights(&plan->interlock),
                              .cause = SIGNAL_CAUSE_VIOLATION,
                              .violation = violation};
    }
    if (!has_changed)
        return (SignalChange){0};
    bool was_started = plan->has_started;
    if (plan->interlock.state == INTERLOCK_GREEN) {
        plan->has_started = true;
        begin_green(plan, now);
    }
    return (SignalChange){.is_change = true,
                          .lights = lights,
                          .cause = cause_of_change(plan, was_started),
                          .green_usec = green_length_usec(plan, now)};
}

/* What the plan asks of the interlock at `now`. */
static SignalChange ask(SignalPlan *plan, Mono now) {
    Interlock *interlock = &plan->interlock;
    Direction green = interlock->green;
    bool has_changed;
    if (is_holding(plan))
        has_changed = interlock_step(interlock, INTERLOCK_REQUEST, plan->hold_direction, now);
    else if (interlock->state == INTERLOCK_GREEN)
        has_changed =
            interlock_step(interlock, INTERLOCK_REQUEST,
                           mono_reached(now, plan->green_ends) ? direction_across(green) : green, now);
    else
        has_changed = interlock_step(interlock, INTERLOCK_TICK, green, now);
    return signal_show(plan, has_changed, now);
}

/* --- the table of mode and event --- */

typedef struct Asked {
    Direction direction;
    uint64_t duration_usec; /* 0 is the usual one */
    SignalMode mode;        /* that the request asks for, when it asks for a hold */
} Asked;

typedef SignalOutcome (*SignalCell)(SignalPlan *plan, const Asked *asked, Mono now);

static SignalOutcome extension_wait(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)now;
    if (plan->extension_waits[asked->direction])
        return SIGNAL_ALREADY;
    plan->extension_waits[asked->direction] = true;
    return SIGNAL_GRANTED;
}

static SignalOutcome extend(SignalPlan *plan, const Asked *asked, Mono now) {
    if (!is_green(plan, asked->direction))
        return extension_wait(plan, asked, now);
    if (plan->is_extended)
        return SIGNAL_ALREADY;
    plan->is_extended = true;
    plan->green_ends = mono_after(plan->green_ends, plan->times->extension_usec);
    plan->shortened_next[direction_across(asked->direction)] = true;
    return SIGNAL_GRANTED;
}

static uint64_t usual_usec(const SignalPlan *plan, SignalMode mode) {
    return mode == SIGNAL_MODE_WAVE ? plan->times->wave_usec : plan->times->green_usec;
}

static SignalOutcome hold(SignalPlan *plan, const Asked *asked, Mono now) {
    plan->mode = asked->mode;
    plan->hold_direction = asked->direction;
    plan->hold_usec = asked->duration_usec ? asked->duration_usec : usual_usec(plan, asked->mode);
    plan->hold_has_begun = is_green(plan, asked->direction);
    if (!plan->hold_has_begun)
        return SIGNAL_GRANTED;
    plan->hold_began = now;
    /* Who asks for green without saying how long does not mean to shorten it. */
    if (!asked->duration_usec && plan->green_ends.usec > hold_end(plan).usec)
        plan->hold_usec = mono_between(now, plan->green_ends);
    plan->green_ends = hold_end(plan);
    return SIGNAL_GRANTED;
}

static SignalOutcome hold_again(SignalPlan *plan, const Asked *asked, Mono now) {
    if (asked->direction != plan->hold_direction)
        return hold(plan, asked, now);
    uint64_t usec = asked->duration_usec ? asked->duration_usec : usual_usec(plan, asked->mode);
    if (usec > plan->hold_usec) {
        plan->hold_usec = usec;
        if (is_green(plan, asked->direction))
            plan->green_ends = hold_end(plan);
    }
    return SIGNAL_ALREADY;
}

static SignalOutcome outranked(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)plan, (void)asked, (void)now;
    return SIGNAL_OUTRANKED;
}

static SignalOutcome out_of_order(SignalPlan *plan, const Asked *asked, Mono now) {
    (void)plan, (void)asked, (void)now;
    return SIGNAL_OUT_OF_ORDER;
}

static const SignalCell cells[SIGNAL_MODE_COUNT][SIGNAL_ACTION_COUNT] = {
    /*                        FORCE                        EXTEND                           WAVE        */
    [SIGNAL_MODE_FIXED] = {[SIGNAL_FORCE] = hold, [SIGNAL_EXTEND] = extend, [SIGNAL_WAVE] = hold},
    [SIGNAL_MODE_FORCED] =
        {[SIGNAL_FORCE] = hold_again, [SIGNAL_EXTEND] = extension_wait, [SIGNAL_WAVE] = hold},
    [SIGNAL_MODE_WAVE] =
        {[SIGNAL_FORCE] = outranked, [SIGNAL_EXTEND] = extension_wait, [SIGNAL_WAVE] = hold_again},
    [SIGNAL_MODE_LATCHED] = {out_of_order, out_of_order, out_of_order},
};

/* --- public --- */

void signal_plan_init(SignalPlan *plan, const SignalTimes *times, Mono now) {
    *plan = (SignalPlan){.times = times, .mode = SIGNAL_MODE_FIXED};
    interlock_init(&plan->interlock, &times->interlock, now);
    (void)signal_show(plan, false, now);
}

SignalChange signal_plan_step(SignalPlan *plan, Mono now) {
    if (plan->mode == SIGNAL_MODE_LATCHED)
        return (SignalChange){0};
    if (is_holding(plan) && plan->hold_has_begun && mono_reached(now, hold_end(plan)))
        plan->mode = SIGNAL_MODE_FIXED;
    return ask(plan, now);
}

/* Which direction a request means. */
static Direction meant_direction(const SignalPlan *plan, const SignalRequest *request, Mono now) {
    if (request->has_direction)
        return request->direction;
    return plan->interlock.state == INTERLOCK_GREEN ? plan->interlock.green
                                                    : interlock_next_green(&plan->interlock, now);
}

static uint64_t wait_usec(const SignalPlan *plan, Direction direction, Mono now) {
    const Interlock *interlock = &plan->interlock;
    const InterlockTimes *times = &plan->times->interlock;
    if (is_green(plan, direction) || interlock->state == INTERLOCK_LATCHED)
        return 0;
    Mono all_red_ends = mono_after(interlock->since, times->all_red_usec);
    if (interlock->state == INTERLOCK_ALL_RED) {
        uint64_t cross_usec = interlock_next_green(interlock, all_red_ends) == direction
                                  ? 0
                                  : times->min_green_usec + times->all_red_usec;
        return mono_between(now, all_red_ends) + cross_usec;
    }
    Mono cross_ends = mono_after(interlock->since, times->min_green_usec);
    if (!is_holding(plan))
        cross_ends = mono_max(cross_ends, plan->green_ends);
    return mono_between(now, cross_ends) + times->all_red_usec;
}

SignalAnswer signal_plan_request(SignalPlan *plan, const SignalRequest *request, Mono now,
                                 SignalChange *ret_change) {
    SignalChange change = signal_plan_step(plan, now);
    Asked asked = {.direction = meant_direction(plan, request, now),
                   .duration_usec = request->duration_usec,
                   .mode = request->action == SIGNAL_WAVE ? SIGNAL_MODE_WAVE : SIGNAL_MODE_FORCED};
    SignalOutcome outcome = cells[plan->mode][request->action](plan, &asked, now);
    /* The interlock hears of it at once. It never changes twice at one time: its greens and its all-reds
     * last. */
    if (plan->mode != SIGNAL_MODE_LATCHED) {
        SignalChange second = ask(plan, now);
        if (second.is_change)
            change = second;
    }
    uint64_t wait =
        outcome == SIGNAL_GRANTED || outcome == SIGNAL_ALREADY ? wait_usec(plan, asked.direction, now) : 0;
    *ret_change = change;
    return (SignalAnswer){.outcome = outcome, .direction = asked.direction, .wait_usec = wait};
}

Mono signal_plan_deadline(const SignalPlan *plan) {
    Mono deadline = interlock_deadline(&plan->interlock);
    if (plan->interlock.state != INTERLOCK_GREEN)
        return deadline;
    if (is_holding(plan))
        return plan->hold_has_begun ? mono_min(deadline, hold_end(plan)) : deadline;
    return plan->interlock.wanted == plan->interlock.green ? mono_min(deadline, plan->green_ends) : deadline;
}
