/* The wiring of the signal service: commands come in on one link, what the lights do goes out on another
 * and into the journal. Both links are bound, never connected: the service can be shut off from every
 * network but its own sockets.
 *
 * The subtle thing: the change line of the journal is written once per green and tells what each direction
 * showed in the green before it, as the first implementation's did, whose lights knew no all-red. The
 * all-red between is a report on the link and, like every change, a record; a line of its own would tell
 * scrapers of every change twice. */
#include "signal-service.h"

#include "lights.h"
#include "reports.h"
#include "requests.h"
#include "shell/journal.h"
#include "shell/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BEAT_USEC        (1 * USEC_PER_SEC)
#define BEAT_LATE_USEC   (5 * USEC_PER_SEC) /* own timer not heard for this long: the loop does not turn */
#define STEP_LATE_USEC   (2 * USEC_PER_SEC) /* a change overdue by this much: the lights stand still */
#define SEARCHES_PER_SEC 10                 /* for a name's nearest, which costs a walk over the city */
enum { STEPS_PER_TURN = 256 };              /* a common change of a large city must not hold up the loop */

typedef struct SignalService {
    Service *service;
    CityLights *lights;
    Reports *reports;
    Link *commands;
    Decoder *decoder;
    Timer *step_timer, *beat_timer;
    Mono heard_beat;
    JournalLimit searches, declined;
    uint64_t n_requests, n_refused;
    Metric *outcomes[SIGNAL_ACTION_COUNT][SIGNAL_OUTCOME_COUNT];
    Metric *changes, *violations, *latched;
} SignalService;

static const char *id_of(const SignalService *signal, size_t intersection) {
    return service_city(signal->service)->intersections[intersection].id;
}

/* --- changes --- */

static const char *word(Lights lights, Direction direction) {
    return colour_words[lights.colour[direction]];
}

static bool shows_same(Lights a, Lights b) {
    return a.colour[DIRECTION_NS] == b.colour[DIRECTION_NS] &&
           a.colour[DIRECTION_EW] == b.colour[DIRECTION_EW];
}

/* The line that scripts scrape: "[INT-B3] NS: RED->GREEN, EW: GREEN->RED (reason: plan, cycle: 15s)". */
static void journal_green(const SignalService *signal, size_t intersection, const LightsView *view) {
    const char *id = id_of(signal, intersection);
    Lights before = view->last_green;
    if (shows_same(before, view->lights)) /* asked for again during all-red: it comes back from red */
        before = (Lights){{COLOUR_RED, COLOUR_RED}};
    JournalField fields[6];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", id);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_KIND=%s", signal_cause_words[view->cause]);
    (void)snprintf(fields[2], sizeof fields[2], "STATE_NS=%s", word(view->lights, DIRECTION_NS));
    (void)snprintf(fields[3], sizeof fields[3], "STATE_EW=%s", word(view->lights, DIRECTION_EW));
    (void)snprintf(fields[4], sizeof fields[4], "CYCLE_US=%" PRIu64, view->green_usec);
    (void)snprintf(fields[5], sizeof fields[5], "STAGE=signal");
    journal_event(JOURNAL_LIGHT_CHANGE, fields, ARRAY_LEN(fields),
                  "[%s] NS: %s->%s, EW: %s->%s (reason: %s, cycle: %gs)", id, word(before, DIRECTION_NS),
                  word(view->lights, DIRECTION_NS), word(before, DIRECTION_EW),
                  word(view->lights, DIRECTION_EW), view->reason,
                  (double)view->green_usec / (double)USEC_PER_SEC);
}

static void journal_violation(SignalService *signal, size_t intersection, const LightsView *view) {
    JournalField fields[2];
    metric_add(signal->violations, 1);
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", id_of(signal, intersection));
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_KIND=%s",
                   interlock_violation_words[view->violation]);
    journal_event(JOURNAL_INTERLOCK, fields, ARRAY_LEN(fields),
                  "[%s] the second checker objects (%s): all red until the service is started again",
                  id_of(signal, intersection), interlock_violation_words[view->violation]);
}

static void on_change(size_t intersection, const LightsView *view, void *userdata) {
    SignalService *signal = userdata;
    metric_add(signal->changes, 1);
    if (view->violation != VIOLATION_NONE)
        journal_violation(signal, intersection, view);
    else if (view->lights.colour[DIRECTION_NS] != view->lights.colour[DIRECTION_EW])
        journal_green(signal, intersection, view);
    reports_changed(signal->reports, intersection);
}

/* --- time --- */

static void set_step_timer(SignalService *signal) {
    Mono deadline = lights_deadline(signal->lights);
    if (mono_is_never(deadline))
        timer_clear(signal->step_timer);
    else
        timer_set(signal->step_timer, deadline);
}

static int on_step_time(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    SignalService *signal = userdata;
    lights_step(signal->lights, now, STEPS_PER_TURN);
    set_step_timer(signal);
    return 0;
}

static int on_beat(Timer *timer, Mono now, void *userdata) {
    SignalService *signal = userdata;
    signal->heard_beat = now;
    metric_set(signal->latched, (double)lights_count(signal->lights, SIGNAL_MODE_LATCHED));
    service_status(
        signal->service,
        "%zu intersections: %zu on the plan, %zu forced, %zu in a wave, %zu latched; %" PRIu64
        " requests, %" PRIu64 " refused",
        service_city(signal->service)->n_intersections, lights_count(signal->lights, SIGNAL_MODE_FIXED),
        lights_count(signal->lights, SIGNAL_MODE_FORCED), lights_count(signal->lights, SIGNAL_MODE_WAVE),
        lights_count(signal->lights, SIGNAL_MODE_LATCHED), signal->n_requests, signal->n_refused);
    timer_set(timer, mono_after(now, BEAT_USEC));
    return 0;
}

static bool hears_its_timer(void *userdata, Mono now, Problem *problem) {
    const SignalService *signal = userdata;
    uint64_t age_usec = mono_between(signal->heard_beat, now);
    if (age_usec <= BEAT_LATE_USEC)
        return true;
    problem_set(problem, 0, "expected the own timer every second, last heard %.1f s ago",
                (double)age_usec / (double)USEC_PER_SEC);
    return false;
}

static bool steps_in_time(void *userdata, Mono now, Problem *problem) {
    const SignalService *signal = userdata;
    uint64_t late_usec = mono_between(lights_deadline(signal->lights), now);
    if (late_usec <= STEP_LATE_USEC)
        return true;
    problem_set(problem, 0, "expected every light to change in time, one is %.1f s late",
                (double)late_usec / (double)USEC_PER_SEC);
    return false;
}

/* --- requests --- */

static void report_outcome(SignalService *signal, const SignalCommand *command, SignalReportKind kind,
                           size_t intersection, const char *reason, uint64_t wait_usec) {
    if (!message_has(command, SignalCommand, command_id))
        return;
    ReportedOutcome outcome = {.kind = kind, .intersection = intersection, .wait_usec = wait_usec};
    (void)snprintf(outcome.named, sizeof outcome.named, "%s", command->intersection);
    (void)snprintf(outcome.command_id, sizeof outcome.command_id, "%s", command->command_id);
    (void)snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
    reports_outcome(signal->reports, &outcome);
}

static void journal_latency(const SignalService *signal, const SignalCommand *command,
                            const SignalRequest *request, uint64_t wait_usec) {
    uint64_t latency_usec;
    if (!request_age(command, service_wall(signal->service), &latency_usec))
        return;
    JournalField fields[6];
    size_t n = 0;
    (void)snprintf(fields[n++], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", command->intersection);
    (void)snprintf(fields[n++], sizeof fields[0], "LATENCY_US=%" PRIu64, latency_usec);
    (void)snprintf(fields[n++], sizeof fields[0], "WAIT_US=%" PRIu64, wait_usec);
    (void)snprintf(fields[n++], sizeof fields[0], "STAGE=signal");
    (void)snprintf(fields[n++], sizeof fields[0], "TRAFFIC_KIND=%s", signal_action_words[request->action]);
    if (message_has(command, SignalCommand, command_id))
        (void)snprintf(fields[n++], sizeof fields[0], "TRAFFIC_EVENT_ID=%s", command->command_id);
    journal_event(JOURNAL_LATENCY, fields, n, "[LATENCY] %s: %.2f ms", command->intersection,
                  (double)latency_usec / (double)USEC_PER_MSEC);
}

/* A request that is well made and yet not taken: the rules forbid it now. */
static void decline(SignalService *signal, const SignalCommand *command, size_t intersection,
                    SignalOutcome outcome) {
    const char *why = outcome == SIGNAL_OUTRANKED
                          ? "a green wave holds the lights and goes first"
                          : "the interlock has latched all-red; start the service again";
    uint64_t held_back;
    signal->n_refused++;
    report_outcome(signal, command, REPORT_REFUSED, intersection, why, 0);
    if (!journal_limit_pass(&signal->declined, service_now(signal->service), &held_back))
        return;
    if (held_back > 0)
        journal_note(LOG_NOTICE,
                     "[%s] a request was declined: %s (and %" PRIu64 " more since the last entry)",
                     command->intersection, why, held_back);
    else
        journal_note(LOG_NOTICE, "[%s] a request was declined: %s", command->intersection, why);
}

static void take_request(SignalService *signal, const SignalCommand *command, size_t intersection) {
    SignalRequest request = request_from_command(command);
    const char *reason = message_has(command, SignalCommand, reason) ? command->reason : NULL;
    SignalAnswer answer =
        lights_request(signal->lights, intersection, &request, reason, service_now(signal->service));
    metric_add(signal->outcomes[request.action][answer.outcome], 1);
    set_step_timer(signal);
    if (answer.outcome == SIGNAL_OUTRANKED || answer.outcome == SIGNAL_OUT_OF_ORDER) {
        decline(signal, command, intersection, answer.outcome);
        return;
    }
    journal_latency(signal, command, &request, answer.wait_usec);
    report_outcome(signal, command, REPORT_ACCEPTED, intersection,
                   answer.outcome == SIGNAL_ALREADY ? "asked for already" : "", answer.wait_usec);
}

/* Index of the intersection that a command may act on, or CITY_NO_INDEX with the reason for its refusal. */
static size_t admit(SignalService *signal, const SignalCommand *command, Refusal *ret_refusal,
                    Problem *problem) {
    uint64_t held_back,
        stale_usec = usec_from_sec(service_settings(signal->service)->signal_stale_command_sec);
    if (request_check_age(command, service_wall(signal->service), stale_usec, ret_refusal, problem) < 0)
        return CITY_NO_INDEX;
    const City *city = service_city(signal->service);
    bool may_search = city_find_intersection(city, command->intersection) == CITY_NO_INDEX &&
                      journal_limit_pass(&signal->searches, service_now(signal->service), &held_back);
    return request_intersection(command, city, may_search, ret_refusal, problem);
}

static int on_command_frame(Link *link, const LinkFrame *frame, void *userdata) {
    SignalService *signal = userdata;
    Message message;
    Refusal refusal = REFUSAL_NOT_JSON;
    Problem problem = {{0}};
    signal->n_requests++;
    int r = message_decode(signal->decoder, MESSAGE_FAMILY_COMMAND, frame->data, frame->size, &message,
                           &refusal, &problem);
    if (r < 0 && r != -EBADMSG)
        return r;
    const SignalCommand *command = &message.SIGNAL_COMMAND;
    size_t intersection = r < 0 ? CITY_NO_INDEX : admit(signal, command, &refusal, &problem);
    if (intersection != CITY_NO_INDEX) {
        take_request(signal, command, intersection);
        return 0;
    }
    signal->n_refused++;
    link_refuse(link, frame, refusal, &problem);
    if (r == 0)
        report_outcome(signal, command, REPORT_REFUSED,
                       city_find_intersection(service_city(signal->service), command->intersection),
                       problem.text, 0);
    return 0;
}

/* --- start and stop --- */

static void make_counters(SignalService *signal) {
    Metrics *metrics = service_metrics(signal->service);
    for (int action = 0; action < SIGNAL_ACTION_COUNT; action++)
        for (int outcome = 0; outcome < SIGNAL_OUTCOME_COUNT; outcome++) {
            char labels[96];
            (void)snprintf(labels, sizeof labels, "action=\"%s\",outcome=\"%s\"", signal_action_words[action],
                           signal_outcome_words[outcome]);
            signal->outcomes[action][outcome] =
                metrics_counter(metrics, "traffic_light_requests_total",
                                "Requests to the lights by what became of them.", labels);
        }
    signal->changes =
        metrics_counter(metrics, "traffic_light_changes_total", "Changes of what the lights show.", "");
    signal->violations = metrics_counter(metrics, "traffic_interlock_violations_total",
                                         "Outputs that the second checker refused to show.", "");
    signal->latched =
        metrics_gauge(metrics, "traffic_latched_intersections", "Intersections latched in all-red.", "");
}

static int make_timers(SignalService *signal) {
    Service *service = signal->service;
    int r = timer_new(service, on_step_time, signal, &signal->step_timer);
    if (r >= 0)
        r = timer_new(service, on_beat, signal, &signal->beat_timer);
    if (r >= 0)
        r = health_add(service_health(service), "own timer", hears_its_timer, signal);
    if (r >= 0)
        r = health_add(service_health(service), "phase steps", steps_in_time, signal);
    if (r < 0)
        return r;
    signal->heard_beat = service_now(service);
    timer_set(signal->beat_timer, service_now(service));
    set_step_timer(signal);
    return 0;
}

static int start(Service *service, void **ret_state, Problem *problem) {
    static const LinkHandlers command_handlers = {.on_frame = on_command_frame};
    SignalService *signal = calloc(1, sizeof *signal);
    if (!signal)
        return -ENOMEM;
    *ret_state = signal;
    signal->service = service;
    signal->searches = (JournalLimit){.burst = SEARCHES_PER_SEC, .per_usec = USEC_PER_SEC};
    signal->declined = (JournalLimit){.burst = 10, .per_usec = 10 * USEC_PER_SEC};
    make_counters(signal);

    int r = lights_new(service_settings(service), service_city(service)->n_intersections,
                       service_now(service), on_change, signal, &signal->lights, problem);
    if (r >= 0)
        r = decoder_new(&signal->decoder);
    if (r >= 0)
        r = reports_new(service, signal->lights, &signal->reports, problem);
    if (r >= 0)
        r = link_bind(service, ENDPOINT_SIGNAL_COMMANDS, &command_handlers, signal, &signal->commands,
                      problem);
    if (r >= 0)
        r = make_timers(signal);
    return r;
}

static void stop(void *state) {
    SignalService *signal = state;
    if (!signal)
        return;
    timer_free(signal->beat_timer);
    timer_free(signal->step_timer);
    link_free(signal->commands);
    reports_free(signal->reports);
    decoder_free(signal->decoder);
    lights_free(signal->lights);
    free(signal);
}

const ServiceSpec signal_service = {
    .name = "traffic-signal",
    .summary =
        "Owns the lights: phase timing, safety interlock, and the fixed-time plan when nobody commands it.",
    .start = start,
    .stop = stop,
};
