/* The plans and their deadlines. Wherever a plan may have changed, follow() moves its deadline and tells
 * the change: the one place where that is done. */
#include "lights.h"

#include "core/deadlines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reason {
    char text[LIGHTS_REASON_MAX_BYTES + 1];
} Reason;

typedef struct Crossing {
    SignalPlan plan;
    Lights last_green, present_green;
    SignalCause cause;
    SignalMode counted_mode;
    bool begins_green;
    uint64_t green_usec;
    Mono changed_at;
    InterlockVerdict verdict;
    Reason shown;   /* of the last change */
    Reason force;   /* of the request that holds or waits */
    Reason command; /* of the last phase commanded */
    Reason waves[SIGNAL_WAVES_MAX];
    Reason *extensions; /* by phase, of the extension that waits for a green */
} Crossing;

struct CityLights {
    SignalTimes times;
    SignalModel two_streets;
    Crossing *crossings;
    Reason *extensions; /* of all crossings */
    DeadlineNode *nodes;
    Deadlines deadlines;
    size_t n_in_mode[SIGNAL_MODE_COUNT];
    LightsChangedFn on_change;
    void *userdata;
};

static SignalTimes times_from_settings(const Settings *settings) {
    return (SignalTimes){
        .extension_usec = usec_from_sec(settings->signal_extension_sec),
        .cross_reduction_usec = usec_from_sec(settings->signal_cross_reduction_sec),
        .force_usec = usec_from_sec(settings->signal_green_sec),
        .wave_usec = usec_from_sec(settings->wave_duration_sec),
        .lease_usec = usec_from_sec(settings->signal_commander_lease_sec),
    };
}

static SignalModel model_from_settings(const Settings *settings) {
    const SafetyTimes safety = {.min_green_usec = usec_from_sec(settings->signal_min_green_sec),
                                .yellow_usec = usec_from_sec(settings->signal_yellow_sec),
                                .all_red_usec = usec_from_sec(settings->signal_all_red_sec),
                                .max_red_usec = usec_from_sec(settings->signal_max_red_sec)};
    return signal_model_two_streets(&safety, usec_from_sec(settings->signal_green_sec));
}

static void set_reason(Reason *reason, const char *text) {
    (void)snprintf(reason->text, sizeof reason->text, "%s", text ? text : "");
}

/* --- making --- */

static const SignalModel *model_of(const CityLights *lights, const SignalModel *const *models, size_t i) {
    return models && models[i] ? models[i] : &lights->two_streets;
}

static CityLights *allocate(size_t n_crossings) {
    CityLights *lights = calloc(1, sizeof *lights);
    if (!lights)
        return NULL;
    lights->crossings = calloc(n_crossings, sizeof *lights->crossings);
    lights->nodes = calloc(n_crossings, sizeof *lights->nodes);
    return lights->crossings && lights->nodes ? lights : lights_free(lights);
}

static int make_extensions(CityLights *lights, const SignalModel *const *models, size_t n_crossings) {
    size_t n_phases = 0;
    for (size_t i = 0; i < n_crossings; i++)
        n_phases += model_of(lights, models, i)->n_phases;
    lights->extensions = calloc(n_phases, sizeof *lights->extensions);
    if (!lights->extensions)
        return -ENOMEM;
    Reason *next = lights->extensions;
    for (size_t i = 0; i < n_crossings; i++) {
        lights->crossings[i].extensions = next;
        next += model_of(lights, models, i)->n_phases;
    }
    return 0;
}

static void start_crossing(CityLights *lights, size_t i, const SignalModel *model, Mono zero, Mono now) {
    Crossing *crossing = &lights->crossings[i];
    signal_plan_init(&crossing->plan, model, &lights->times, zero, now);
    crossing->cause = SIGNAL_CAUSE_START;
    crossing->changed_at = now;
    set_reason(&crossing->shown, signal_cause_words[SIGNAL_CAUSE_START]);
    deadlines_set(&lights->deadlines, (uint32_t)i, signal_plan_deadline(&crossing->plan));
}

int lights_new(const Settings *settings, const SignalModel *const *models, size_t n_intersections, Mono now,
               LightsChangedFn on_change, void *userdata, CityLights **ret, Problem *problem) {
    scoped(lights_freep) CityLights *lights = allocate(n_intersections);
    Problem why = {{0}};
    if (!lights)
        return -ENOMEM;
    lights->times = times_from_settings(settings);
    lights->two_streets = model_from_settings(settings);
    if (signal_model_check(&lights->two_streets, NULL, &why) < 0 ||
        signal_times_check(&lights->times, &lights->two_streets, &why) < 0)
        return problem_set(problem, -EINVAL, "[signal] %s; see traffic.conf(5)", why.text);
    if (make_extensions(lights, models, n_intersections) < 0)
        return -ENOMEM;

    lights->on_change = on_change;
    lights->userdata = userdata;
    lights->n_in_mode[SIGNAL_MODE_FIXED] = n_intersections;
    deadlines_init(&lights->deadlines, lights->nodes, (uint32_t)n_intersections);
    /* The zero of all plans: when the first greens of this life begin. */
    const Mono zero = mono_after(now, lights->two_streets.all_red_usec);
    for (size_t i = 0; i < n_intersections; i++)
        start_crossing(lights, i, model_of(lights, models, i), zero, now);
    *ret = take(lights);
    return 0;
}

CityLights *lights_free(CityLights *lights) {
    if (lights) {
        free(lights->crossings);
        free(lights->extensions);
        free(lights->nodes);
        free(lights);
    }
    return NULL;
}

Mono lights_deadline(const CityLights *lights) {
    return deadlines_first(&lights->deadlines, NULL);
}

/* --- changes --- */

/* The request behind a change, in its own words; NULL when there is none. */
static const Reason *reason_of(const Crossing *crossing, SignalCause cause) {
    const SignalPlan *plan = &crossing->plan;
    switch (cause) {
    case SIGNAL_CAUSE_FORCE:
        return &crossing->force;
    case SIGNAL_CAUSE_COMMAND:
        return &crossing->command;
    case SIGNAL_CAUSE_WAVE:
        return plan->wave >= 0 ? &crossing->waves[plan->wave] : NULL;
    case SIGNAL_CAUSE_EXTENSION:
        return &crossing->extensions[plan->phase];
    default:
        return NULL;
    }
}

/* The words of a change: those of the request behind it, else the cause's own. */
static void describe_change(Crossing *crossing, const SignalChange *change) {
    const char *words = signal_cause_words[change->cause];
    const Reason *given = reason_of(crossing, change->cause);
    if (change->verdict.violation != VIOLATION_NONE)
        (void)snprintf(crossing->shown.text, sizeof crossing->shown.text, "%s: %s", words,
                       interlock_violation_words[change->verdict.violation]);
    else
        set_reason(&crossing->shown, given && given->text[0] ? given->text : words);
}

static void take_change(Crossing *crossing, const SignalChange *change, Mono now) {
    crossing->cause = change->cause;
    crossing->verdict = change->verdict;
    crossing->changed_at = now;
    describe_change(crossing, change);
    crossing->begins_green = change->green_usec > 0;
    if (!crossing->begins_green)
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

/* --- requests --- */

/* Where the words of a request that was taken are kept; NULL for one that has none to keep. */
static Reason *reason_place(Crossing *crossing, const SignalRequest *request, const SignalAnswer *answer) {
    const bool is_new = answer->outcome == SIGNAL_GRANTED;
    switch (request->action) {
    case SIGNAL_FORCE:
        return is_new ? &crossing->force : NULL;
    case SIGNAL_EXTEND:
        return is_new ? &crossing->extensions[answer->phase] : NULL;
    case SIGNAL_WAVE:
        return is_new || answer->outcome == SIGNAL_QUEUED ? &crossing->waves[answer->place] : NULL;
    case SIGNAL_PHASE: /* one that is outranked counts later */
        return is_new || answer->outcome == SIGNAL_OUTRANKED ? &crossing->command : NULL;
    case SIGNAL_RELEASE:
        break;
    }
    return NULL;
}

SignalAnswer lights_request(CityLights *lights, size_t intersection, const SignalRequest *request,
                            const char *reason, Mono now) {
    Crossing *crossing = &lights->crossings[intersection];
    SignalChange change = signal_plan_step(&crossing->plan, now);
    follow(lights, intersection, &change, now); /* what was due anyway happens in its own words */

    SignalAnswer answer = signal_plan_request(&crossing->plan, request, now, &change);
    Reason *place = reason_place(crossing, request, &answer);
    if (place)
        set_reason(place, reason);
    follow(lights, intersection, &change, now);
    return answer;
}

/* --- views --- */

LightsView lights_view(const CityLights *lights, size_t intersection) {
    const Crossing *crossing = &lights->crossings[intersection];
    const SignalPlan *plan = &crossing->plan;
    return (LightsView){.model = plan->model,
                        .lights = signal_plan_lights(plan),
                        .last_green = crossing->last_green,
                        .cause = crossing->cause,
                        .reason = crossing->shown.text,
                        .begins_green = crossing->begins_green,
                        .green_usec = crossing->green_usec,
                        .changed_at = crossing->changed_at,
                        .next_change_at = signal_plan_deadline(plan),
                        .has_phase = signal_plan_shows(plan, plan->phase),
                        .phase = plan->phase,
                        .mode = plan->mode,
                        .verdict = crossing->verdict};
}

Colour lights_of_direction(const LightsView *view, const Lights *lights, Direction direction) {
    return lights_green(lights) & view->model->direction_groups[direction] ? COLOUR_GREEN : COLOUR_RED;
}

GroupsText lights_text(const LightsView *view) {
    static const char letters[SIGNAL_COLOUR_COUNT] = {
        [SIGNAL_RED] = 'r', [SIGNAL_YELLOW] = 'y', [SIGNAL_GREEN] = 'G'};
    GroupsText groups = {{0}};
    if (view->mode == SIGNAL_MODE_LATCHED)
        memset(groups.text, 'f', view->model->n_groups);
    for (unsigned g = 0; view->mode != SIGNAL_MODE_LATCHED && g < view->model->n_groups; g++)
        groups.text[g] = letters[view->lights.colour[g]];
    return groups;
}

unsigned lights_wave_priority(const CityLights *lights, size_t intersection, int place) {
    return lights->crossings[intersection].plan.waves.waves[place].priority;
}

uint64_t lights_wave_usec(const CityLights *lights, size_t intersection, Mono now) {
    const SignalPlan *plan = &lights->crossings[intersection].plan;
    if (plan->mode != SIGNAL_MODE_WAVE)
        return 0;
    const SignalHold *hold = &plan->waves.waves[plan->wave].hold;
    return hold->has_begun ? mono_between(now, signal_hold_end(hold)) : hold->usec;
}

size_t lights_count(const CityLights *lights, SignalMode mode) {
    return lights->n_in_mode[mode];
}
