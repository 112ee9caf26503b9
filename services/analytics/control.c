/* A place for each intersection, small where its policy does not look (fixed, rules), with a picture where it does. One
 * timer goes round all of them once a second. */
#include "control-private.h"

#include "shell/city-clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_USEC (1 * USEC_PER_SEC)
/* Of the time that a command stands for: so that one may get lost. */
#define RENEWALS_PER_LEASE 2.5
/* So many intersections have their second together. */
enum { SLICE_INTERSECTIONS = 64, SLICES_MAX = 50 };

/* --- what the lights show --- */

/* A wave, an operator or the interlock goes before us. */
static bool is_held(const Place *place) {
    return place->mode == SIGNAL_MODE_WAVE || place->mode == SIGNAL_MODE_FORCED ||
           place->mode == SIGNAL_MODE_LATCHED;
}

/* A signal service that was started again knows of no command. */
static void hear_epoch(Control *control, int64_t epoch) {
    for (size_t i = 0; epoch != control->epoch && i < control->n_places; i++)
        control->places[i].has_command = false;
    control->epoch = epoch;
}

void control_report(Control *control, size_t i, const SignalReport *report) {
    Place *place = &control->places[i];
    if (message_has(report, SignalReport, epoch))
        hear_epoch(control, report->epoch);
    place->has_lights = true;
    place->has_phase = message_has(report, SignalReport, phase);
    if (place->has_phase)
        place->phase = (uint8_t)report->phase;
    if (message_has(report, SignalReport, mode))
        place->mode = (uint8_t)report->mode;
    if (!message_has(report, SignalReport, groups))
        return;
    (void)snprintf(place->groups, sizeof place->groups, "%s", report->groups);
    if (place->sight)
        sight_lights(control, place->sight, i, report->groups);
}

/* --- asking --- */

static bool stands(const Control *control, const Place *place, Mono now) {
    return place->has_command && !mono_reached(now, mono_after(place->commanded, control->lease_usec));
}

static void command(Control *control, Place *place, const PolicyChoice *choice, Mono now) {
    size_t i = index_of(control, place);
    const SignalModel *model = city_place(control, i)->signals;
    bool is_same = stands(control, place, now) && place->command == choice->phase;
    if (is_same && !mono_reached(now, mono_after(place->commanded, control->renew_usec)))
        return;
    LightRequest request = {
        .intersection = i,
        .action = SIGNAL_PHASE,
        .direction = model->phases[choice->phase] & model->direction_groups[DIRECTION_NS] ? DIRECTION_NS
                                                                                          : DIRECTION_EW,
        .has_phase = true,
        .phase = choice->phase,
        .reason = policy_words[place->policy],
    };
    place->has_command = signal_client_request(control->client, &request) == 0;
    place->command = choice->phase;
    place->commanded = now;
    if (!is_same)
        metric_add(control->decided[place->policy], 1);
    if (is_held(place))
        metric_add(control->held, 1);
}

/* --- a second --- */

static void consider(Control *control, Place *place, Mono now) {
    Sight *sight = place->sight;
    if (!sight)
        return;
    size_t i = index_of(control, place);
    PolicyBeyond beyond[SIGNAL_GROUPS_MAX];
    sight_beyond(control, i, now, beyond);
    PolicyInput input = {
        .model = city_place(control, i)->signals,
        .layout = city_place(control, i)->layout,
        .picture = sight->picture,
        .lights = sight->lights,
        .has_phase = stands(control, place, now) && !is_held(place),
        .phase = place->command,
        .beyond = beyond,
    };
    memcpy(input.since, sight->since, sizeof input.since);
    PolicyChoice choice = policy_choose(policy_of(place->policy), &sight->memory, &input, now);
    sight_note_rung(control, place, choice.rung, now);
    if (choice.has_phase && *place->groups) /* who does not know the lights commands none */
        command(control, place, &choice, now);
    else
        place->has_command = false; /* the last one ends by itself */
}

/* When the intersection has its second in this round. */
static Mono due(const Control *control, size_t i) {
    return mono_after(control->round,
                      i * control->n_slices / control->n_places * ROUND_USEC / control->n_slices);
}

static void measure(Control *control) {
    for (int policy = 0; policy < POLICY_COUNT; policy++) {
        metric_set(control->by_policy[policy], (double)control->n_policy[policy]);
        for (int rung = 0; rung < PICTURE_RUNG_COUNT; rung++)
            metric_set(control->by_rung[policy][rung], (double)control->n_rung[policy][rung]);
    }
}

static void next_round(Control *control) {
    control->next = 0;
    control->round = mono_after(control->round, ROUND_USEC);
    measure(control);
}

static int on_time(Timer *timer, Mono now, void *userdata) {
    Control *control = userdata;
    /* Behind by more than a round, or a clock that leaps: what was missed is not made up for. */
    if (mono_between(due(control, control->next), now) > ROUND_USEC)
        control->round = mono_after(control->round, mono_between(due(control, control->next), now));
    for (size_t n = 0; n < control->n_places && mono_reached(now, due(control, control->next)); n++) {
        consider(control, &control->places[control->next], now);
        if (++control->next == control->n_places)
            next_round(control);
    }
    timer_set(timer, due(control, control->next));
    return 0;
}

/* --- for those who ask --- */

ControlView control_look(const Control *control, size_t i) {
    const Place *place = &control->places[i];
    ControlView view = {
        .policy = place->policy,
        .source = place->source,
        .has_rung = place->sight && place->sight->has_rung,
        .rung = place->sight ? place->sight->rung : PICTURE_BLIND,
        .has_command = stands(control, place, service_city_now(control->service)),
        .command = place->command,
        .has_lights = place->has_lights,
        .has_phase = place->has_phase,
        .phase = place->phase,
        .mode = place->has_lights ? signal_mode_words[place->mode] : "",
    };
    memcpy(view.groups, place->groups, sizeof view.groups);
    return view;
}

size_t control_count(const Control *control, PolicyName policy) {
    return control->n_policy[policy];
}

size_t control_count_rung(const Control *control, PictureRung rung) {
    size_t n = 0;
    for (int policy = 0; policy < POLICY_COUNT; policy++)
        n += control->n_rung[policy][rung];
    return n;
}

/* --- the module --- */

static void make_metrics(Control *control) {
    Metrics *metrics = service_metrics(control->service);
    char labels[80];
    for (int policy = 0; policy < POLICY_COUNT; policy++) {
        (void)snprintf(labels, sizeof labels, "policy=\"%s\"", policy_words[policy]);
        control->by_policy[policy] = metrics_gauge(metrics, "traffic_policy_intersections",
                                                   "Intersections, by who chooses their phases.", labels);
        control->decided[policy] =
            metrics_counter(metrics, "traffic_policy_changes_total",
                            "Phases asked for that were not asked for already.", labels);
        for (int rung = 0; rung < PICTURE_RUNG_COUNT; rung++) {
            (void)snprintf(labels, sizeof labels, "policy=\"%s\",rung=\"%s\"", policy_words[policy],
                           picture_rung_words[rung]);
            control->by_rung[policy][rung] =
                metrics_gauge(metrics, "traffic_policy_rung",
                              "Intersections, by the worst that their policy's picture stands on.", labels);
        }
    }
    control->held = metrics_counter(
        metrics, "traffic_policy_held_total",
        "Phases asked for while a wave or an operator holds the lights: they count afterwards.", "");
}

int control_new(Service *service, SignalClient *client, Control **ret, Problem *problem) {
    size_t n = service_city(service)->n_intersections;
    scoped(control_freep) Control *control = calloc(1, sizeof *control);
    if (!control)
        return -ENOMEM;
    *control = (Control){
        .service = service,
        .client = client,
        .places = calloc(n, sizeof *control->places),
        .scratch = calloc(1, sizeof *control->scratch),
        .n_places = n,
        .n_slices = n / SLICE_INTERSECTIONS < 1            ? 1
                    : n / SLICE_INTERSECTIONS > SLICES_MAX ? SLICES_MAX
                                                           : n / SLICE_INTERSECTIONS,
        .round = service_city_now(service),
        .rung_limit = {.burst = 10, .per_usec = 60 * USEC_PER_SEC},
        .lease_usec = usec_from_sec(service_settings(service)->signal_commander_lease_sec),
    };
    if (!control->places || !control->scratch)
        return -ENOMEM;
    control->renew_usec = (uint64_t)((double)control->lease_usec / RENEWALS_PER_LEASE);
    make_metrics(control);
    int r = control_give_all(control, problem);
    if (r >= 0)
        r = city_timer_new(service, on_time, control, &control->timer);
    if (r < 0)
        return r;
    timer_set(control->timer, due(control, 0));
    *ret = take(control);
    return 0;
}

Control *control_free(Control *control) {
    if (!control)
        return NULL;
    timer_free(control->timer);
    for (size_t i = 0; control->places && i < control->n_places; i++)
        sight_free(control->places[i].sight);
    free(control->places);
    free(control->scratch);
    free(control);
    return NULL;
}
