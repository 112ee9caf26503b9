/* Requests to the signal service and its reports. What it refused is counted and told, but changes nothing
 * here: the next green is asked for anyway. */
#include "signal-client.h"

#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"
#include "wire/step.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct SignalClient {
    Service *service;
    SignalReportFn on_report;
    void *userdata;
    Link *commands, *reports;
    Decoder *decoder;
    ProducerName producer;
    uint64_t n_requests;
    int64_t heard_epoch, heard_sequence; /* of the newest report; 0: none yet */
    bool has_missed;
    int64_t missed_after;      /* has_missed: behind this one */
    const StepHandlers *steps; /* NULL unless a simulator owns city time */
    void *steps_userdata;
    bool is_muted, is_paused, are_reports_held;
    JournalLimit away_limit, refused_limit;
    Metric *sent, *away, *accepted, *refused, *answered[SIGNAL_OUTCOME_COUNT];
};

/* --- requests --- */

static void make_command(SignalClient *client, const LightRequest *request, SignalCommand *command) {
    const CityIntersection *place = &service_city(client->service)->intersections[request->intersection];
    Wall wall = service_city_wall(client->service);

    message_set_text(command, SignalCommand, intersection, place->id);
    message_set(command, SignalCommand, new_state,
                request->direction == DIRECTION_NS ? COLOUR_GREEN : COLOUR_RED);
    if (!request->for_any) {
        message_set(command, SignalCommand, direction, request->direction);
    }
    if (request->has_phase) {
        message_set(command, SignalCommand, phase, request->phase);
    }
    if (request->has_priority) {
        message_set(command, SignalCommand, priority, request->priority);
    }
    if (request->delay_sec > 0) {
        message_set(command, SignalCommand, delay_sec, request->delay_sec);
    }
    message_set(command, SignalCommand, action, request->action);
    message_set_text(command, SignalCommand, reason, request->reason);
    message_set(command, SignalCommand, duration_sec, request->duration_sec);
    message_set(command, SignalCommand, created_at_sec, (double)wall.usec / (double)USEC_PER_SEC);
    message_set_text(command, SignalCommand, timestamp, timestamp_format(wall).text);
    /* The number orders the requests: one that comes again, or late, is refused. */
    client->n_requests++;
    message_set_text(command, SignalCommand, producer, client->producer.text);
    message_set(command, SignalCommand, epoch, service_epoch(client->service));
    message_set(command, SignalCommand, sequence, (int64_t)client->n_requests);
    (void)snprintf(command->command_id, sizeof command->command_id, "analytics-%" PRId64 "-%" PRIu64,
                   service_epoch(client->service), client->n_requests);
    message_mark(command, SignalCommand, command_id);
}

int signal_client_request(SignalClient *client, const LightRequest *request) {
    char frame[2048];
    Message message = {.tag = MESSAGE_SIGNAL_COMMAND};
    Problem problem = {{0}};
    uint64_t held_back;

    if (client->is_muted)
        return -EAGAIN;
    make_command(client, request, &message.SIGNAL_COMMAND);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    if (size < 0) {
        journal_note(LOG_ERR, "A request to the lights could not be written: %s", problem.text);
        return -EINVAL;
    }
    int r = link_send(client->commands, frame, (size_t)size);
    if (r < 0) {
        metric_add(client->away, 1);
        if (journal_limit_pass(&client->away_limit, service_now(client->service), &held_back))
            journal_note(LOG_WARNING,
                         "The signal service takes no request (%s for %s): is traffic-signal running?",
                         signal_action_words[request->action], message.SIGNAL_COMMAND.intersection);
        return -EAGAIN;
    }
    metric_add(client->sent, 1);
    return 0;
}

void signal_client_mute(SignalClient *client, bool is_muted) {
    client->is_muted = is_muted;
}

/* --- lock-step --- */

void signal_client_on_steps(SignalClient *client, const StepHandlers *handlers, void *userdata) {
    client->steps = handlers;
    client->steps_userdata = userdata;
}

int signal_client_step(SignalClient *client, StepKind kind, int64_t number) {
    char frame[128];
    Message message = {.tag = MESSAGE_STEP};
    Problem problem;
    message_set(&message.STEP, Step, kind, kind);
    message_set(&message.STEP, Step, number, number);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    return size < 0 ? size : link_send(client->commands, frame, (size_t)size);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    const SignalClient *client = userdata;
    return client->steps ? client->steps->on_writable(client->steps_userdata) : 0;
}

static int take_step(SignalClient *client, Link *link, const LinkFrame *frame) {
    Message message;
    int r = link_decode(link, frame, client->decoder, MESSAGE_FAMILY_STEP, &message);
    if (r <= 0 || !client->steps)
        return r < 0 ? r : 0;
    return client->steps->on_step(&message.STEP, client->steps_userdata);
}

/* --- reports that were missed --- */

/* Asks for what is missing, as soon as the signal service hears it. */
static void ask_missed(SignalClient *client) {
    char frame[128];
    Message message = {.tag = MESSAGE_MISSED};
    Problem problem;
    if (!client->has_missed || client->is_muted)
        return;
    message_set(&message.MISSED, Missed, epoch, client->heard_epoch);
    message_set(&message.MISSED, Missed, after, client->missed_after);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    if (size > 0 && link_send(client->commands, frame, (size_t)size) == 0)
        client->has_missed = false;
}

/* Reports are numbered without a gap from the signal service's start. One that is heard for the first time, after a
 * start here or there, is asked for all that it has kept. */
static void follow_numbers(SignalClient *client, const SignalReport *report) {
    if (report->kind == REPORT_PAST || !message_has(report, SignalReport, epoch) ||
        !message_has(report, SignalReport, sequence))
        return;
    const bool is_new = report->epoch != client->heard_epoch;
    const int64_t known = is_new ? 0 : client->heard_sequence;
    if (is_new)
        client->has_missed = false;
    if (report->sequence > known + 1 && !client->has_missed) {
        client->has_missed = true;
        client->missed_after = known;
    }
    client->heard_epoch = report->epoch;
    client->heard_sequence = report->sequence;
    ask_missed(client);
}

/* --- reports --- */

static void note_refused_request(SignalClient *client, const SignalReport *report) {
    uint64_t held_back;
    metric_add(client->refused, 1);
    if (journal_limit_pass(&client->refused_limit, service_now(client->service), &held_back))
        journal_note(LOG_INFO, "The signal service refused a request for %s: %s", report->intersection,
                     message_has(report, SignalReport, reason) ? report->reason : "it did not say why");
}

/* That somebody goes first is no fault: whoever commands goes on commanding. */
static void note_outcome(SignalClient *client, const SignalReport *report) {
    bool has_outcome = message_has(report, SignalReport, outcome);
    if (has_outcome)
        metric_add(client->answered[report->outcome], 1);
    if (report->kind == REPORT_ACCEPTED)
        metric_add(client->accepted, 1);
    else if (has_outcome && report->outcome == SIGNAL_OUTRANKED)
        metric_add(client->refused, 1);
    else
        note_refused_request(client, report);
}

static int on_report_frame(Link *link, const LinkFrame *frame, void *userdata) {
    SignalClient *client = userdata;
    Message message;
    if (step_is_one(frame->data, frame->size))
        return take_step(client, link, frame);
    int r = link_decode(link, frame, client->decoder, MESSAGE_FAMILY_REPORT, &message);
    if (r <= 0)
        return r;

    const SignalReport *report = &message.SIGNAL_REPORT;
    size_t intersection = city_find_intersection(service_city(client->service), report->intersection);
    if (intersection == CITY_NO_INDEX) {
        Problem problem;
        problem_set(&problem, 0, "member \"interseccion\": expected an intersection of the city, got \"%s\"",
                    report->intersection);
        link_refuse(link, frame, REFUSAL_UNKNOWN_INTERSECTION, &problem);
        return 0;
    }
    if (report->kind == REPORT_ACCEPTED || report->kind == REPORT_REFUSED)
        note_outcome(client, report);
    client->on_report(intersection, report, client->userdata);
    follow_numbers(client, report);
    return 0;
}

/* --- the module --- */

int signal_client_new(Service *service, SignalReportFn on_report, void *userdata, SignalClient **ret,
                      Problem *problem) {
    static const LinkHandlers command_handlers = {.on_writable = on_writable},
                              report_handlers = {.on_frame = on_report_frame};
    Metrics *metrics = service_metrics(service);
    scoped(signal_client_freep) SignalClient *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    *client = (SignalClient){
        .service = service,
        .producer = producer_name("analytics"),
        .on_report = on_report,
        .userdata = userdata,
        .away_limit = {.burst = 1, .per_usec = 60 * USEC_PER_SEC},
        .refused_limit = {.burst = 5, .per_usec = 60 * USEC_PER_SEC},
        .sent = metrics_counter(metrics, "traffic_signal_requests_total", "Requests to the lights.",
                                "outcome=\"sent\""),
        .away = metrics_counter(metrics, "traffic_signal_requests_total", "Requests to the lights.",
                                "outcome=\"away\""),
        .accepted = metrics_counter(metrics, "traffic_signal_requests_total", "Requests to the lights.",
                                    "outcome=\"accepted\""),
        .refused = metrics_counter(metrics, "traffic_signal_requests_total", "Requests to the lights.",
                                   "outcome=\"refused\""),
    };
    for (int outcome = 0; outcome < SIGNAL_OUTCOME_COUNT; outcome++) {
        char labels[48];
        (void)snprintf(labels, sizeof labels, "outcome=\"%s\"", signal_outcome_words[outcome]);
        client->answered[outcome] = metrics_counter(metrics, "traffic_signal_answers_total",
                                                    "What became of requests to the lights.", labels);
    }
    int r = decoder_new(&client->decoder);
    if (r >= 0)
        r = link_connect(service, ENDPOINT_SIGNAL_COMMANDS, &command_handlers, client, &client->commands,
                         problem);
    if (r >= 0)
        r = link_connect(service, ENDPOINT_SIGNAL_REPORTS, &report_handlers, client, &client->reports,
                         problem);
    if (r < 0)
        return r;
    *ret = take(client);
    return 0;
}

SignalClient *signal_client_free(SignalClient *client) {
    if (!client)
        return NULL;
    link_free(client->commands);
    link_free(client->reports);
    decoder_free(client->decoder);
    free(client);
    return NULL;
}

void signal_client_pause(SignalClient *client, bool is_paused) {
    client->is_paused = is_paused;
    link_pause(client->reports, client->is_paused || client->are_reports_held);
}

void signal_client_hold_reports(SignalClient *client, bool are_held) {
    client->are_reports_held = are_held;
    link_pause(client->reports, client->is_paused || client->are_reports_held);
}
