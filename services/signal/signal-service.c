/* The wiring of the signal service: commands come in on one link, what the lights do goes out on another
 * and into the journal. Both links are bound, never connected: the service can be shut off from every
 * network but its own sockets. */
#include "signal-service.h"

#include "commanders.h"
#include "lights.h"
#include "lockstep.h"
#include "reports.h"
#include "requests.h"
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "signal-journal.h"
#include "wire/step.h"

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
    Lockstep *lockstep; /* NULL unless a simulator owns city time */
    Link *commands;
    Decoder *decoder;
    Timer *step_timer, *beat_timer;
    Mono heard_beat;
    Commanders commanders;
    bool is_commanded;  /* somebody has commanded a phase, and it was not long ago... */
    bool was_commanded; /* ... or was once */
    Mono commanded_at;
    JournalLimit searches, declined;
    uint64_t n_requests, n_refused;
    Metric *outcomes[SIGNAL_ACTION_COUNT][SIGNAL_OUTCOME_COUNT];
    Metric *request_age;
    Metric *changes, *violations, *latched, *commanded, *commander_lost;
} SignalService;

static const char *id_of(const SignalService *signal, size_t intersection) {
    return service_city(signal->service)->intersections[intersection].id;
}

/* --- changes --- */

static void on_change(size_t intersection, const LightsView *view, void *userdata) {
    SignalService *signal = userdata;
    const char *id = id_of(signal, intersection);
    metric_add(signal->changes, 1);
    if (view->verdict.violation != VIOLATION_NONE) {
        metric_add(signal->violations, 1);
        signal_journal_violation(id, view);
    } else if (view->cause == SIGNAL_CAUSE_RELEASE) {
        signal_journal_release(id);
    } else if (view->begins_green) {
        signal_journal_green(id, view);
    }
    reports_changed(signal->reports, intersection);
}

/* --- whoever commands --- */

static void hear_commander(SignalService *signal, Mono now) {
    if (signal->was_commanded && !signal->is_commanded)
        journal_event(JOURNAL_COMMANDER_BACK, NULL, 0, "The lights are commanded again after %.1f s without.",
                      (double)mono_between(signal->commanded_at, now) / (double)USEC_PER_SEC);
    signal->is_commanded = signal->was_commanded = true;
    signal->commanded_at = now;
}

/* The lights themselves go on with their plans as each lease ends; this is for people. */
static void watch_commander(SignalService *signal, Mono now) {
    const double lease_sec = service_settings(signal->service)->signal_commander_lease_sec;
    if (!signal->is_commanded || mono_between(signal->commanded_at, now) < usec_from_sec(lease_sec))
        return;
    signal->is_commanded = false;
    metric_add(signal->commander_lost, 1);
    journal_event(JOURNAL_COMMANDER_LOST, NULL, 0,
                  "No phase was commanded for %g s: every intersection goes on with its fixed-time plan. Is "
                  "traffic-analytics running?",
                  lease_sec);
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
    const CityLights *lights = signal->lights;
    signal->heard_beat = now;
    watch_commander(signal, service_city_now(signal->service));
    metric_set(signal->latched, (double)lights_count(lights, SIGNAL_MODE_LATCHED));
    metric_set(signal->commanded, (double)lights_count(lights, SIGNAL_MODE_COMMANDED));
    service_status(
        signal->service,
        "%zu intersections: %zu on the plan, %zu commanded, %zu forced, %zu in a wave, %zu latched; "
        "%" PRIu64 " requests, %" PRIu64 " refused",
        service_city(signal->service)->n_intersections, lights_count(lights, SIGNAL_MODE_FIXED),
        lights_count(lights, SIGNAL_MODE_COMMANDED), lights_count(lights, SIGNAL_MODE_FORCED),
        lights_count(lights, SIGNAL_MODE_WAVE), lights_count(lights, SIGNAL_MODE_LATCHED), signal->n_requests,
        signal->n_refused);
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
    (void)now;
    const SignalService *signal = userdata;
    uint64_t late_usec = mono_between(lights_deadline(signal->lights), service_city_now(signal->service));
    if (late_usec <= STEP_LATE_USEC)
        return true;
    problem_set(problem, 0, "expected every light to change in time, one is %.1f s late",
                (double)late_usec / (double)USEC_PER_SEC);
    return false;
}

/* --- requests --- */

/* Tells what became of a command that has an id; `answer` is NULL when it did not come as far as the plan. */
static void report_outcome(SignalService *signal, const SignalCommand *command, SignalReportKind kind,
                           size_t intersection, const char *reason, const SignalAnswer *answer) {
    if (!message_has(command, SignalCommand, command_id))
        return;
    ReportedOutcome outcome = {.kind = kind, .intersection = intersection, .is_answered = answer != NULL};
    if (answer)
        outcome.answer = *answer;
    (void)snprintf(outcome.named, sizeof outcome.named, "%s", command->intersection);
    (void)snprintf(outcome.command_id, sizeof outcome.command_id, "%s", command->command_id);
    (void)snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
    reports_outcome(signal->reports, &outcome);
}

/* Why a request that is well made is not taken; NULL when it is. */
static const char *why_not(const SignalAnswer *answer, SignalMode mode) {
    switch (answer->outcome) {
    case SIGNAL_GRANTED:
    case SIGNAL_ALREADY:
    case SIGNAL_QUEUED:
        return NULL;
    case SIGNAL_OUTRANKED:
        if (mode == SIGNAL_MODE_COMMANDED)
            return "the phases are commanded, and the plan's greens are not asked for";
        return mode == SIGNAL_MODE_WAVE ? "a green wave holds the lights and goes first"
                                        : "a forced green holds the lights and goes first";
    case SIGNAL_OUT_OF_ORDER:
        return "the interlock has latched all-red; release it first";
    case SIGNAL_NO_SUCH_PHASE:
        return "the intersection has no such phase, or its plan has none to extend";
    case SIGNAL_NO_ROOM:
        return "as many green waves as can be kept wait here already";
    case SIGNAL_NOT_LATCHED:
        return "the lights are not latched, there is nothing to release";
    }
    return "";
}

static void decline(SignalService *signal, const SignalCommand *command, const char *why) {
    uint64_t held_back;
    if (!journal_limit_pass(&signal->declined, service_now(signal->service), &held_back))
        return;
    if (held_back > 0)
        journal_note(LOG_NOTICE,
                     "[%s] a request was declined: %s (and %" PRIu64 " more since the last entry)",
                     command->intersection, why, held_back);
    else
        journal_note(LOG_NOTICE, "[%s] a request was declined: %s", command->intersection, why);
}

/* What is worth saying of a request that was taken. */
typedef struct TakenText {
    char text[96];
} TakenText;

static TakenText taken_text(const SignalService *signal, size_t intersection, const SignalAnswer *answer) {
    TakenText taken = {""};
    if (answer->rival >= 0)
        (void)snprintf(taken.text, sizeof taken.text, "%s a green wave of priority %u",
                       answer->is_before_rival ? "goes before" : "waits for",
                       lights_wave_priority(signal->lights, intersection, answer->rival));
    else if (answer->outcome == SIGNAL_ALREADY)
        (void)snprintf(taken.text, sizeof taken.text, "asked for already");
    return taken;
}

/* Nothing of a request that does not say when it was made. */
static void tell_latency(SignalService *signal, const SignalCommand *command, const SignalRequest *request,
                         uint64_t wait_usec) {
    uint64_t age_usec;
    if (!request_age(command, service_city_wall(signal->service), &age_usec))
        return;
    metric_observe(signal->request_age, age_usec);
    signal_journal_latency(command, request, age_usec, wait_usec);
}

static void take_request(SignalService *signal, const SignalCommand *command, size_t intersection) {
    const Mono now = service_city_now(signal->service);
    SignalRequest request = request_from_command(command);
    const bool is_phase = request.action == SIGNAL_PHASE;
    const char *reason = message_has(command, SignalCommand, reason) ? command->reason : NULL;
    SignalAnswer answer = lights_request(signal->lights, intersection, &request, reason, now);
    metric_add(signal->outcomes[request.action][answer.outcome], 1);
    set_step_timer(signal);
    const char *declined = why_not(&answer, lights_view(signal->lights, intersection).mode);
    if (is_phase && answer.outcome <= SIGNAL_OUTRANKED)
        hear_commander(signal, now);
    if (declined) {
        signal->n_refused++;
        report_outcome(signal, command, REPORT_REFUSED, intersection, declined, &answer);
        if (!is_phase || answer.outcome != SIGNAL_OUTRANKED) /* whoever commands goes on commanding */
            decline(signal, command, declined);
        return;
    }
    if (!is_phase || answer.outcome != SIGNAL_ALREADY) /* renewed once a second */
        tell_latency(signal, command, &request, answer.wait_usec);
    report_outcome(signal, command, REPORT_ACCEPTED, intersection,
                   taken_text(signal, intersection, &answer).text, &answer);
}

/* Index of the intersection that a command may act on, or CITY_NO_INDEX with the reason for its refusal. */
static size_t admit(SignalService *signal, const SignalCommand *command, Refusal *ret_refusal,
                    Problem *problem) {
    uint64_t held_back,
        stale_usec = usec_from_sec(service_settings(signal->service)->signal_stale_command_sec);
    if (request_check_age(command, service_city_wall(signal->service), stale_usec, ret_refusal, problem) <
            0 ||
        commanders_admit(&signal->commanders, command, service_city_now(signal->service), stale_usec,
                         ret_refusal, problem) < 0)
        return CITY_NO_INDEX;
    const City *city = service_city(signal->service);
    bool may_search = city_find_intersection(city, command->intersection) == CITY_NO_INDEX &&
                      journal_limit_pass(&signal->searches, service_now(signal->service), &held_back);
    return request_intersection(command, city, may_search, ret_refusal, problem);
}

/* A listener asks for what it did not hear. */
static int hear_missed(SignalService *signal, Link *link, const LinkFrame *frame) {
    Message message;
    int r = link_decode(link, frame, signal->decoder, MESSAGE_FAMILY_MISSED, &message);
    if (r > 0)
        reports_missed(signal->reports, &message.MISSED);
    return r < 0 ? r : 0;
}

static int on_command_frame(Link *link, const LinkFrame *frame, void *userdata) {
    SignalService *signal = userdata;
    Message message;
    Refusal refusal = REFUSAL_NOT_JSON;
    Problem problem = {{0}};
    if (step_is_one(frame->data, frame->size))
        return lockstep_hear(signal->lockstep, link, frame);
    if (missed_is_one(frame->data, frame->size))
        return hear_missed(signal, link, frame);
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
                       problem.text, NULL);
    return 0;
}

/* --- lock-step --- */

static void on_requests(bool are_wanted, void *userdata) {
    const SignalService *signal = userdata;
    link_pause(signal->commands, !are_wanted);
}

static void on_step(const Step *step, void *userdata) {
    const SignalService *signal = userdata;
    reports_step(signal->reports, step);
}

static int open_lockstep(SignalService *signal, Problem *problem) {
    static const LockstepHandlers handlers = {.on_requests = on_requests, .on_step = on_step};
    int r = lockstep_new(signal->service, &handlers, signal, &signal->lockstep, problem);
    if (r >= 0 && signal->lockstep)
        on_requests(false, signal);
    return r;
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
    signal->request_age =
        metrics_histogram(metrics, "traffic_light_request_age_seconds",
                          "Time from a request's creation until the interlock takes it.", "");
    signal->changes =
        metrics_counter(metrics, "traffic_light_changes_total", "Changes of what the lights show.", "");
    signal->violations = metrics_counter(metrics, "traffic_interlock_violations_total",
                                         "Outputs that the second checker refused to show.", "");
    signal->latched =
        metrics_gauge(metrics, "traffic_latched_intersections", "Intersections latched in all-red.", "");
    signal->commanded = metrics_gauge(metrics, "traffic_commanded_intersections",
                                      "Intersections whose phases are commanded.", "");
    signal->commander_lost = metrics_counter(metrics, "traffic_commander_lost_total",
                                             "Times that nobody commanded any phase any more.", "");
}

static int make_timers(SignalService *signal) {
    Service *service = signal->service;
    int r = city_timer_new(service, on_step_time, signal, &signal->step_timer);
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

/* Each intersection shows what the city file describes. */
static int open_lights(SignalService *signal, Problem *problem) {
    const City *city = service_city(signal->service);
    const SignalModel **models = calloc(city->n_intersections, sizeof *models);
    if (!models)
        return -ENOMEM;
    for (size_t i = 0; i < city->n_intersections; i++)
        models[i] = city->intersections[i].is_usual ? NULL : city->intersections[i].signals;
    int r = lights_new(service_settings(signal->service), models, city->n_intersections,
                       service_city_now(signal->service), on_change, signal, &signal->lights, problem);
    free(models);
    return r;
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

    int r = open_lights(signal, problem);
    if (r >= 0)
        r = decoder_new(&signal->decoder);
    if (r >= 0)
        r = reports_new(service, signal->lights, &signal->reports, problem);
    if (r >= 0)
        r = link_bind(service, ENDPOINT_SIGNAL_COMMANDS, &command_handlers, signal, &signal->commands,
                      problem);
    if (r >= 0)
        r = open_lockstep(signal, problem);
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
    lockstep_free(signal->lockstep);
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
