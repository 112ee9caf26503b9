/* The plans and their deadlines. Wherever a plan may have changed, follow() moves its deadline and tells
 * the change: the one place where that is done. */
#include "lights.h"

#include "core/deadlines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Reason {
    char text[LIGHTS_REASON_MAX_BYTES + 1];
} Reason;

typedef struct Crossing {
    SignalPlan plan;
    Lights last_green, present_green;
    SignalCause cause;
    SignalMode counted_mode;
    uint64_t green_usec;
    Mono changed_at;
    InterlockViolation violation;
    Reason shown;                      /* of the last change */
    Reason hold;                       /* of the force or wave that holds or waits */
    Reason extension[DIRECTION_COUNT]; /* of the extension that waits for a green */
} Crossing;

struct CityLights {
    SignalTimes times;
    Crossing *crossings;
    DeadlineNode *nodes;
    Deadlines deadlines;
    size_t n_in_mode[SIGNAL_MODE_COUNT];
    LightsChangedFn on_change;
    void *userdata;
};

static SignalTimes times_from_settings(const Settings *settings) {
    return (SignalTimes){
        .interlock = {.min_green_usec = usec_from_sec(settings->signal_min_green_sec),
                      .all_red_usec = usec_from_sec(settings->signal_all_red_sec),
                      .max_red_usec = usec_from_sec(settings->signal_max_red_sec)},
        .green_usec = usec_from_sec(settings->signal_green_sec),
        .extension_usec = usec_from_sec(settings->signal_extension_sec),
        .cross_reduction_usec = usec_from_sec(settings->signal_cross_reduction_sec),
        .wave_usec = usec_from_sec(settings->wave_duration_sec),
    };
}

static void set_reason(Reason *reason, const char *text) {
    (void)snprintf(reason->text, sizeof reason->text, "%s", text);
}

static CityLights *allocate(size_t n_crossings) {
    CityLights *lights = calloc(1, sizeof *lights);
    if (!lights)
        return NULL;
    lights->crossings = calloc(n_crossings, sizeof *lights->crossings);
    lights->nodes = calloc(n_crossings, sizeof *lights->nodes);
    return lights->crossings && lights->nodes ? lights : lights_free(lights);
}

int lights_new(const Settings *settings, size_t n_intersections, Mono now, LightsChangedFn on_change,
               void *userdata, CityLights **ret, Problem *problem) {
    SignalTimes times = times_from_settings(settings);
    Problem why = {{0}};
    if (signal_times_check(&times, &why) < 0)
        return problem_set(problem, -EINVAL, "[signal] %s; see traffic.conf(5)", why.text);

    CityLights *lights = allocate(n_intersections);
    if (!lights)
        return -ENOMEM;
    lights->times = times;
    lights->on_change = on_change;
    lights->userdata = userdata;
    lights->n_in_mode[SIGNAL_MODE_FIXED] = n_intersections;
    deadlines_init(&lights->deadlines, lights->nodes, (uint32_t)n_intersections);
    for (size_t i = 0; i < n_intersections; i++) {
        Crossing *crossing = &lights->crossings[i];
        signal_plan_init(&crossing->plan, &lights->times, now);
        crossing->cause = SIGNAL_CAUSE_START;
        crossing->changed_at = now;
        set_reason(&crossing->shown, signal_cause_words[SIGNAL_CAUSE_START]);
        deadlines_set(&lights->deadlines, (uint32_t)i, signal_plan_deadline(&crossing->plan));
    }
    *ret = lights;
    return 0;
}

CityLights *lights_free(CityLights *lights) {
    if (lights) {
        free(lights->crossings);
        free(lights->nodes);
        free(lights);
    }
    return NULL;
}

Mono lights_deadline(const CityLights *lights) {
    return deadlines_first(&lights->deadlines, NULL);
}

/* The words of a change: those of the request behind it, else the cause's own. */
static void describe_change(Crossing *crossing, const SignalChange *change) {
    const char *words = signal_cause_words[change->cause];
    const Reason *given = NULL;
    if (change->cause == SIGNAL_CAUSE_FORCE || change->cause == SIGNAL_CAUSE_WAVE)
        given = &crossing->hold;
    if (change->cause == SIGNAL_CAUSE_EXTENSION)
        given = &crossing->extension[crossing->plan.interlock.green];
    if (change->violation != VIOLATION_NONE)
        (void)snprintf(crossing->shown.text, sizeof crossing->shown.text, "%s: %s", words,
                       interlock_violation_words[change->violation]);
    else
        set_reason(&crossing->shown, given && given->text[0] ? given->text : words);
}

static void take_change(Crossing *crossing, const SignalChange *change, Mono now) {
    crossing->cause = change->cause;
    crossing->violation = change->violation;
    crossing->changed_at = now;
    describe_change(crossing, change);
    if (change->green_usec == 0)
        return;
    crossing->last_green = crossing->present_green;
    crossing->present_green = change->lights;
    crossing->green_usec = change->green_usec;
}

static void follow(CityLights *lights, size_t i, const SignalChange *change, Mono now) {
    Crossing *crossing = &lights->crossings[i];
    lights->n_in_mode[crossing->counted_mode]--;
    crossing->counted_mode = crossing->plan.mode;
    lights->n_in_mode[crossing->counted_mode]++;
    deadlines_set(&lights->deadlines, (uint32_t)i, signal_plan_deadline(&crossing->plan));
    if (!change->is_change)
        return;
    take_change(crossing, change, now);
    LightsView view = lights_view(lights, i);
    lights->on_change(i, &view, lights->userdata);
}

void lights_step(CityLights *lights, Mono now, size_t budget) {
    uint32_t i = 0;
    while (budget-- > 0 && mono_reached(now, deadlines_first(&lights->deadlines, &i))) {
        SignalChange change = signal_plan_step(&lights->crossings[i].plan, now);
        follow(lights, i, &change, now);
    }
}

SignalAnswer lights_request(CityLights *lights, size_t intersection, const SignalRequest *request,
                            const char *reason, Mono now) {
    Crossing *crossing = &lights->crossings[intersection];
    SignalChange change = signal_plan_step(&crossing->plan, now);
    follow(lights, intersection, &change, now); /* what was due anyway happens in its own words */

    SignalAnswer answer = signal_plan_request(&crossing->plan, request, now, &change);
    if (answer.outcome == SIGNAL_GRANTED)
        set_reason(request->action == SIGNAL_EXTEND ? &crossing->extension[answer.direction]
                                                    : &crossing->hold,
                   reason ? reason : "");
    follow(lights, intersection, &change, now);
    return answer;
}

LightsView lights_view(const CityLights *lights, size_t intersection) {
    const Crossing *crossing = &lights->crossings[intersection];
    return (LightsView){.lights = signal_plan_lights(&crossing->plan),
                        .last_green = crossing->last_green,
                        .cause = crossing->cause,
                        .reason = crossing->shown.text,
                        .green_usec = crossing->green_usec,
                        .changed_at = crossing->changed_at,
                        .next_change_at = signal_plan_deadline(&crossing->plan),
                        .mode = crossing->plan.mode,
                        .violation = crossing->violation};
}

uint64_t lights_wave_usec(const CityLights *lights, size_t intersection, Mono now) {
    const SignalPlan *plan = &lights->crossings[intersection].plan;
    if (plan->mode != SIGNAL_MODE_WAVE)
        return 0;
    return plan->hold_has_begun ? mono_between(now, mono_after(plan->hold_began, plan->hold_usec))
                                : plan->hold_usec;
}

size_t lights_count(const CityLights *lights, SignalMode mode) {
    return lights->n_in_mode[mode];
}
