/* Consequences of what the rules found. Everything here happens on edges or once for a green; nothing
 * happens once for an event. */
#include "decisions.h"

#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/reading-age.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How late a wave's end or a stale reading may be noticed when nothing else happens. */
#define TIME_STEP_USEC (1 * USEC_PER_SEC)
/* What is left of a wave that an earlier life of this service ordered; less is over before anybody looks. */
#define WAVE_LEFT_USEC (1 * USEC_PER_SEC)

/* What is known of the lights beside their colours, which the intersection has. */
typedef struct LightsReport {
    Wall since;
    bool has_next_change;
    Mono next_change;
} LightsReport;

struct Decisions {
    Service *service;
    Delivery *delivery;
    SignalClient *signal;
    Control *control;
    Waves *waves;
    RuleThresholds thresholds;
    Intersection *intersections; /* by index of the city */
    LightsReport *reports;
    size_t n_intersections;
    size_t n_in_state[TRAFFIC_STATE_COUNT];
    Timer *timer;
    bool is_paused;
    const DecisionsReading *reading; /* that is being followed, while it is */
    ReadingAge request_age;
    Metric *decided[DECISION_COUNT];
};

static const CityIntersection *place_of(const Decisions *decisions, size_t i) {
    return &service_city(decisions->service)->intersections[i];
}

/* --- what was decided, in words and as records --- */

typedef struct ReadingsText {
    char text[96];
} ReadingsText;

/* "Q=12, Vp=14.0, D=9": what is known. */
static ReadingsText readings_text(const Readings *readings) {
    ReadingsText t = {{0}};
    size_t n = 0;
    if (readings->has_queue)
        n += (size_t)snprintf(t.text, sizeof t.text, "Q=%g", readings->queue_vehicles);
    if (readings->has_speed)
        n += (size_t)snprintf(t.text + n, sizeof t.text - n, "%sVp=%.1f", n ? ", " : "", readings->speed_kmh);
    if (readings->has_count)
        n += (size_t)snprintf(t.text + n, sizeof t.text - n, "%sD=%g", n ? ", " : "",
                              readings->count_per_30sec);
    if (n == 0)
        (void)snprintf(t.text, sizeof t.text, "no fresh reading");
    return t;
}

/* {"Q":12,"Vp":14,"D":null}: null is unknown. */
static ReadingsText readings_json(const Readings *readings) {
    ReadingsText t;
    char queue[24] = "null", speed[24] = "null", count[24] = "null";
    if (readings->has_queue)
        (void)snprintf(queue, sizeof queue, "%.6g", readings->queue_vehicles);
    if (readings->has_speed)
        (void)snprintf(speed, sizeof speed, "%.6g", readings->speed_kmh);
    if (readings->has_count)
        (void)snprintf(count, sizeof count, "%.6g", readings->count_per_30sec);
    (void)snprintf(t.text, sizeof t.text, "{\"Q\":%s,\"Vp\":%s,\"D\":%s}", queue, speed, count);
    return t;
}

static void put_congestion_record(Decisions *decisions, size_t i, Decision decision, const Readings *readings,
                                  const char *details) {
    Message message = {.tag = MESSAGE_CONGESTION_RECORD};
    CongestionRecord *record = &message.CONGESTION_RECORD;
    ReadingsText json = readings_json(readings);

    message_set_text(record, CongestionRecord, intersection, place_of(decisions, i)->id);
    message_set(record, CongestionRecord, traffic_state, decisions->intersections[i].state);
    message_set(record, CongestionRecord, decision, decision);
    message_set_text(record, CongestionRecord, details, details);
    message_set(record, CongestionRecord, sensor_data, (JsonText){json.text, strlen(json.text)});
    message_set(record, CongestionRecord, timestamp, service_city_wall(decisions->service));
    message_set(record, CongestionRecord, captured_usec, (int64_t)record->timestamp.usec);
    metric_add(decisions->decided[decision], 1);
    (void)delivery_put(decisions->delivery, &message); /* what it cannot write, it logs */
}

static void tell_edge(Decisions *decisions, size_t i, const IntersectionActions *actions, const char *why) {
    JournalField fields[2];
    const char *id = place_of(decisions, i)->id;
    decisions->n_in_state[actions->before]--;
    decisions->n_in_state[actions->after]++;
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", id);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_STATE=%s", traffic_state_words[actions->after]);
    journal_event(JOURNAL_TRAFFIC_STATE, fields, 2, "[%s] %s->%s (%s)", id,
                  traffic_state_words[actions->before], traffic_state_words[actions->after], why);
}

/* --- consequences --- */

/* A longer green is asked for; true when the signal service took the request. */
static bool extend(Decisions *decisions, size_t i, const IntersectionActions *actions, const char *reason) {
    const Intersection *intersection = &decisions->intersections[i];
    bool is_ew_green = intersection->has_lights && intersection->lights[DIRECTION_EW] == COLOUR_GREEN;
    Direction green_now = is_ew_green ? DIRECTION_EW : DIRECTION_NS;
    LightRequest request = {
        .intersection = i,
        .action = SIGNAL_EXTEND,
        .for_any = !actions->has_direction,
        .direction = actions->has_direction ? actions->direction : green_now,
        .reason = reason,
    };
    if (signal_client_request(decisions->signal, &request) < 0)
        return false;
    if (decisions->reading && decisions->reading->has_captured)
        reading_age_observe(&decisions->request_age, decisions->reading->captured);
    return true;
}

/* What a decision stands on: what the congested approach sees, else all that is known. */
static Readings readings_behind(const Decisions *decisions, size_t i, const IntersectionActions *actions) {
    const Intersection *intersection = &decisions->intersections[i];
    Mono now = service_city_now(decisions->service);
    return actions->has_cause ? intersection_approach_readings(intersection, actions->cause, now)
                              : intersection_readings(intersection, now);
}

static const char *words_of_edge(const IntersectionActions *actions) {
    if (actions->before == TRAFFIC_GREEN_WAVE)
        return "green wave over";
    return actions->after == TRAFFIC_CONGESTION ? "congestion detected" : "traffic normal again";
}

/* The rules ask for longer greens only where they choose; what they find is told and recorded everywhere. */
static void follow(Decisions *decisions, size_t i, const IntersectionActions *actions) {
    bool must_extend = actions->must_extend && control_policy(decisions->control, i) == POLICY_RULES;
    if (!actions->has_changed && !must_extend)
        return;
    Readings readings = readings_behind(decisions, i, actions);
    ReadingsText text = readings_text(&readings);
    const char *what = actions->has_changed ? words_of_edge(actions) : "still congested";
    char details[192];
    (void)snprintf(details, sizeof details, "%s (%s)", what, text.text);

    if (actions->has_changed)
        tell_edge(decisions, i, actions, details);
    bool is_extended = must_extend && extend(decisions, i, actions, details);
    if (must_extend && !is_extended)
        (void)snprintf(details, sizeof details, "%s (%s); the signal service is away", what, text.text);
    put_congestion_record(decisions, i, is_extended ? DECISION_EXTEND_GREEN : DECISION_NO_ACTION, &readings,
                          details);
}

static void step(Decisions *decisions, size_t i, const IntersectionEvent *event) {
    IntersectionActions actions = intersection_step(&decisions->intersections[i], &decisions->thresholds,
                                                    event, service_city_now(decisions->service));
    follow(decisions, i, &actions);
}

void decisions_read(Decisions *decisions, size_t intersection, const DecisionsReading *reading) {
    if (reading->readings.has_queue)
        control_queue(decisions->control, intersection,
                      control_lanes(decisions->control, intersection, reading->approach),
                      reading->readings.queue_vehicles);
    IntersectionEvent event = {.kind = INTERSECTION_READ,
                               .approach = reading->approach,
                               .readings = reading->readings,
                               .fresh_usec = reading->fresh_usec};
    decisions->reading = reading;
    step(decisions, intersection, &event);
    decisions->reading = NULL;
}

/* --- what an operator wants --- */

static Readings readings_now(const Decisions *decisions, size_t i) {
    return intersection_readings(&decisions->intersections[i], service_city_now(decisions->service));
}

static IntersectionActions wave_step(Decisions *decisions, size_t i, const IntersectionEvent *event) {
    return intersection_step(&decisions->intersections[i], &decisions->thresholds, event,
                             service_city_now(decisions->service));
}

/* The wave has reached an intersection: its record, once. */
static void on_wave_begins(size_t i, uint64_t usec, bool is_first, const char *reason, void *userdata) {
    Decisions *decisions = userdata;
    IntersectionEvent event = {.kind = INTERSECTION_WAVE, .wave_usec = usec};
    IntersectionActions actions = wave_step(decisions, i, &event);
    if (actions.has_changed)
        tell_edge(decisions, i, &actions, reason);
    if (!is_first)
        return;
    Readings readings = readings_now(decisions, i);
    put_congestion_record(decisions, i, DECISION_GREEN_WAVE, &readings, reason);
}

static void on_wave_over(size_t i, void *userdata) {
    Decisions *decisions = userdata;
    const IntersectionEvent event = {.kind = INTERSECTION_WAVE_OVER};
    IntersectionActions actions = wave_step(decisions, i, &event);
    follow(decisions, i, &actions);
}

/* As the intersection's picture has it; where there is none, as many as were last told to stand in this street. */
static bool count_ahead(size_t i, Direction street, LaneSet lanes, double sec, double *ret_vehicles,
                        void *userdata) {
    const Decisions *decisions = userdata;
    if (control_ahead(decisions->control, i, lanes, sec, ret_vehicles))
        return true;
    Mono now = service_city_now(decisions->service);
    const Intersection *intersection = &decisions->intersections[i];
    Readings readings = intersection_approach_readings(intersection, approach_of(street), now);
    if (!readings.has_queue)
        readings = intersection_approach_readings(intersection, APPROACH_ANY, now);
    *ret_vehicles = readings.queue_vehicles;
    return readings.has_queue;
}

Waves *decisions_waves(Decisions *decisions) {
    return decisions->waves;
}

Control *decisions_control(Decisions *decisions) {
    return decisions->control;
}

int decisions_force(Decisions *decisions, size_t intersection, Direction direction, double duration_sec,
                    const char *reason) {
    LightRequest request = {.intersection = intersection,
                            .action = SIGNAL_FORCE,
                            .direction = direction,
                            .duration_sec = duration_sec,
                            .reason = reason};
    int r = signal_client_request(decisions->signal, &request);
    if (r < 0)
        return r;
    Readings readings = readings_now(decisions, intersection);
    put_congestion_record(decisions, intersection, DECISION_FORCE_CHANGE, &readings, reason);
    return 0;
}

/* Changes no light by itself: nothing is recorded but the order. */
int decisions_release(Decisions *decisions, size_t intersection, const char *reason) {
    LightRequest request = {
        .intersection = intersection, .action = SIGNAL_RELEASE, .for_any = true, .reason = reason};
    return signal_client_request(decisions->signal, &request);
}

/* --- what the lights show --- */

/* What is recorded is what the lights showed, under the identity that the signal service gave the change. */
static void put_semaphore_record(Decisions *decisions, const SignalReport *report) {
    Message message = {.tag = MESSAGE_SEMAPHORE_RECORD};
    SemaphoreRecord *record = &message.SEMAPHORE_RECORD;
#define COPY_TEXT(member)                                                                                    \
    if (message_has(report, SignalReport, member)) {                                                         \
        memcpy(record->member, report->member, sizeof record->member);                                       \
        message_mark(record, SemaphoreRecord, member);                                                       \
    }
#define COPY(member)                                                                                         \
    if (message_has(report, SignalReport, member)) {                                                         \
        record->member = report->member;                                                                     \
        message_mark(record, SemaphoreRecord, member);                                                       \
    }
    COPY_TEXT(intersection)
    COPY(state_ns)
    COPY(state_ew)
    COPY_TEXT(reason)
    COPY(cycle_sec)
    COPY(phase)
    COPY_TEXT(groups)
    COPY(timestamp)
    COPY_TEXT(producer)
    COPY(epoch)
    COPY(sequence)
    COPY(captured_usec)
#undef COPY
#undef COPY_TEXT
    (void)delivery_put(decisions->delivery, &message);
}

/* The lights are held by a wave that this service does not know of: it was started again in the middle of
 * one. The wave was recorded when it was ordered. */
static void learn_wave(Decisions *decisions, size_t i, const SignalReport *report) {
    Intersection *intersection = &decisions->intersections[i];
    if (report->kind != REPORT_STATE || !message_has(report, SignalReport, wave_usec) ||
        report->wave_usec < (int64_t)WAVE_LEFT_USEC || intersection->state == TRAFFIC_GREEN_WAVE)
        return;
    IntersectionEvent event = {.kind = INTERSECTION_WAVE, .wave_usec = (uint64_t)report->wave_usec};
    IntersectionActions actions =
        intersection_step(intersection, &decisions->thresholds, &event, service_city_now(decisions->service));
    if (actions.has_changed)
        tell_edge(decisions, i, &actions, "a green wave that was ordered before this service was started");
}

static void on_report(size_t i, const SignalReport *report, void *userdata) {
    Decisions *decisions = userdata;
    if (report->kind == REPORT_PAST) /* what was shown meanwhile; a repetition is stored once */
        put_semaphore_record(decisions, report);
    if (report->kind != REPORT_CHANGE && report->kind != REPORT_STATE)
        return;
    if (report->kind == REPORT_CHANGE)
        put_semaphore_record(decisions, report);
    if (message_has(report, SignalReport, epoch))
        waves_hear(decisions->waves, report->epoch);
    control_report(decisions->control, i, report);

    bool has_next_change = message_has(report, SignalReport, next_change_usec);
    decisions->reports[i] = (LightsReport){
        .since = report->timestamp,
        .has_next_change = has_next_change,
        .next_change = has_next_change ? mono_after(service_city_now(decisions->service),
                                                    (uint64_t)report->next_change_usec)
                                       : mono_never(),
    };
    learn_wave(decisions, i, report);
    IntersectionEvent event = {.kind = INTERSECTION_LIGHTS};
    event.lights[DIRECTION_NS] = (Colour)report->state_ns;
    event.lights[DIRECTION_EW] = (Colour)report->state_ew;
    step(decisions, i, &event);
}

LightsShown decisions_lights(const Decisions *decisions, size_t i) {
    const Intersection *intersection = &decisions->intersections[i];
    const LightsReport *report = &decisions->reports[i];
    LightsShown shown = {
        .is_known = intersection->has_lights,
        .since = report->since,
        .has_next_change = report->has_next_change,
        .next_change_usec = mono_between(service_city_now(decisions->service), report->next_change),
    };
    memcpy(shown.colours, intersection->lights, sizeof shown.colours);
    return shown;
}

/* --- the module --- */

static int on_time(Timer *timer, Mono now, void *userdata) {
    Decisions *decisions = userdata;
    const IntersectionEvent event = {.kind = INTERSECTION_TIME};
    for (size_t i = 0; !decisions->is_paused && i < decisions->n_intersections; i++)
        step(decisions, i, &event);
    waves_step(decisions->waves);
    timer_set(timer, mono_after(now, TIME_STEP_USEC));
    return 0;
}

static RuleThresholds thresholds_of(const Settings *settings) {
    return (RuleThresholds){
        .congestion_queue_min = settings->congestion_queue_min,
        .congestion_speed_max_kmh = settings->congestion_speed_max_kmh,
        .congestion_count_min = settings->congestion_count_min,
        .normal_queue_below = settings->normal_queue_below,
        .normal_speed_above_kmh = settings->normal_speed_above_kmh,
        .normal_count_below = settings->normal_count_below,
    };
}

static int make_intersections(Decisions *decisions, size_t n) {
    decisions->intersections = calloc(n, sizeof *decisions->intersections);
    decisions->reports = calloc(n, sizeof *decisions->reports);
    if (!decisions->intersections || !decisions->reports)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        intersection_init(&decisions->intersections[i]);
    decisions->n_intersections = n;
    decisions->n_in_state[TRAFFIC_NORMAL] = n;
    return 0;
}

int decisions_new(Service *service, Delivery *delivery, Decisions **ret, Problem *problem) {
    static const WavesHandlers waves_handlers = {
        .on_begin = on_wave_begins, .on_over = on_wave_over, .ahead = count_ahead};
    scoped(decisions_freep) Decisions *decisions = calloc(1, sizeof *decisions);
    if (!decisions)
        return -ENOMEM;
    decisions->service = service;
    decisions->delivery = delivery;
    decisions->thresholds = thresholds_of(service_settings(service));
    reading_age_init(&decisions->request_age, service, "light_requested");
    for (int i = 0; i < DECISION_COUNT; i++) {
        char labels[48];
        (void)snprintf(labels, sizeof labels, "decision=\"%s\"", decision_words[i]);
        decisions->decided[i] = metrics_counter(service_metrics(service), "traffic_decisions_total",
                                                "Congestion records, by what was decided.", labels);
    }
    int r = make_intersections(decisions, service_city(service)->n_intersections);
    if (r >= 0)
        r = signal_client_new(service, on_report, decisions, &decisions->signal, problem);
    if (r >= 0)
        r = control_new(service, decisions->signal, &decisions->control, problem);
    if (r >= 0)
        r = waves_new(service, decisions->signal, &waves_handlers, decisions, &decisions->waves);
    if (r >= 0)
        r = city_timer_new(service, on_time, decisions, &decisions->timer);
    if (r < 0)
        return r;
    timer_set(decisions->timer, mono_after(service_city_now(service), TIME_STEP_USEC));
    *ret = take(decisions);
    return 0;
}

Decisions *decisions_free(Decisions *decisions) {
    if (!decisions)
        return NULL;
    timer_free(decisions->timer);
    waves_free(decisions->waves);
    control_free(decisions->control);
    signal_client_free(decisions->signal);
    free(decisions->intersections);
    free(decisions->reports);
    free(decisions);
    return NULL;
}

SignalClient *decisions_signal(Decisions *decisions) {
    return decisions->signal;
}

void decisions_pause(Decisions *decisions, bool is_paused) {
    decisions->is_paused = is_paused;
    signal_client_pause(decisions->signal, is_paused);
}

const Intersection *decisions_intersection(const Decisions *decisions, size_t intersection) {
    return &decisions->intersections[intersection];
}

size_t decisions_count(const Decisions *decisions, TrafficState state) {
    return decisions->n_in_state[state];
}
