/* Sending reports when the link has room, and choosing what waits when it has none. */
#include "reports.h"

#include "past-changes.h"
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTCOMES_KEPT = 256, REPORT_BYTES = 2048, CHANGES_KEPT = 4096, CHANGES_KEPT_EACH = 16 };

struct Reports {
    Service *service;
    const CityLights *lights;
    Link *link;
    bool is_full; /* the last send said so; on_writable ends it */

    bool *due; /* per intersection: its subscriber does not know its state yet */
    size_t n_intersections, n_due, cursor;

    PastChanges *past;
    bool is_past_wanted;
    int64_t past_after; /* what is kept behind this number is wanted again */

    ReportedOutcome outcomes[OUTCOMES_KEPT]; /* a ring */
    size_t first_outcome, n_outcomes;

    Step step; /* the newest */
    bool has_step, is_step_due;

    ProducerName producer;
    int64_t sequence;
    JournalLimit loss_limit, forget_limit;
    size_t n_kept;
    Metric *coalesced, *lost, *repeated, *forgotten;
};

/* --- one report --- */

static void stamp(Reports *reports, SignalReport *report, uint64_t ago_usec) {
    uint64_t captured_usec = service_city_wall(reports->service).usec - ago_usec;
    report->timestamp.usec = captured_usec;
    message_mark(report, SignalReport, timestamp);
    message_set(report, SignalReport, captured_usec, (int64_t)captured_usec);
    message_set_text(report, SignalReport, producer, reports->producer.text);
    message_set(report, SignalReport, epoch, service_epoch(reports->service));
    message_set(report, SignalReport, sequence, reports->sequence + 1);
}

/* The wire wants colours for lights that do not exist, too. */
static void put_unknown(SignalReport *report, SignalReportKind kind, const char *intersection) {
    message_set(report, SignalReport, kind, kind);
    message_set_text(report, SignalReport, intersection, intersection);
    message_set(report, SignalReport, state_ns, COLOUR_RED);
    message_set(report, SignalReport, state_ew, COLOUR_RED);
}

static void put_lights(SignalReport *report, SignalReportKind kind, const char *intersection,
                       const LightsView *view) {
    message_set(report, SignalReport, kind, kind);
    message_set_text(report, SignalReport, intersection, intersection);
    message_set(report, SignalReport, state_ns, lights_of_direction(view, &view->lights, DIRECTION_NS));
    message_set(report, SignalReport, state_ew, lights_of_direction(view, &view->lights, DIRECTION_EW));
    message_set_text(report, SignalReport, groups, lights_text(view).text);
    message_set(report, SignalReport, mode, view->mode);
}

/* -EAGAIN when the link has no room. A report without a listener counts as sent: it is what nobody wanted
 * to know. */
static int send_report(Reports *reports, Message *message) {
    char frame[REPORT_BYTES];
    Problem problem = {{0}};
    int size = message_encode(message, frame, sizeof frame, &problem);
    if (size < 0) {
        uint64_t held_back;
        metric_add(reports->lost, 1);
        if (journal_limit_pass(&reports->loss_limit, service_now(reports->service), &held_back))
            journal_note(LOG_ERR, "a report could not be written: %s", problem.text);
        return 0;
    }
    if (!link_has_subscriber(reports->link, frame))
        return 0;
    if (reports->is_full)
        return -EAGAIN;
    int r = link_send(reports->link, frame, (size_t)size);
    if (r == -EAGAIN)
        reports->is_full = true;
    return r;
}

/* One that takes the next number when it is sent. */
static int send_numbered(Reports *reports, Message *message) {
    int r = send_report(reports, message);
    if (r == 0)
        reports->sequence++;
    return r;
}

/* What an intersection shows: a change, or its state once more. */
static void put_state(Reports *reports, size_t i, SignalReportKind kind, SignalReport *report) {
    LightsView view = lights_view(reports->lights, i);
    Mono now = service_city_now(reports->service);
    Mono captured = kind == REPORT_CHANGE ? view.changed_at : now;

    put_lights(report, kind, service_city(reports->service)->intersections[i].id, &view);
    message_set_text(report, SignalReport, reason, view.reason);
    if (view.has_phase) {
        message_set(report, SignalReport, phase, (int64_t)view.phase);
        message_set(report, SignalReport, cycle_sec, (double)view.green_usec / (double)USEC_PER_SEC);
    }
    if (!mono_is_never(view.next_change_at)) {
        message_set(report, SignalReport, next_change_usec,
                    (int64_t)mono_between(captured, view.next_change_at));
    }
    uint64_t wave_usec = lights_wave_usec(reports->lights, i, now);
    if (wave_usec > 0) {
        message_set(report, SignalReport, wave_usec, (int64_t)wave_usec);
    }
    stamp(reports, report, mono_between(captured, now));
}

static int send_outcome(Reports *reports, const ReportedOutcome *outcome) {
    Message message = {.tag = MESSAGE_SIGNAL_REPORT};
    SignalReport *report = &message.SIGNAL_REPORT;

    if (outcome->intersection == CITY_NO_INDEX) {
        put_unknown(report, outcome->kind, outcome->named);
    } else {
        const LightsView view = lights_view(reports->lights, outcome->intersection);
        put_lights(report, outcome->kind, outcome->named, &view);
    }
    if (outcome->is_answered) {
        message_set(report, SignalReport, outcome, outcome->answer.outcome);
    }
    if (outcome->is_answered && outcome->answer.outcome != SIGNAL_NO_SUCH_PHASE) {
        message_set(report, SignalReport, phase, (int64_t)outcome->answer.phase);
    }
    message_set_text(report, SignalReport, command_id, outcome->command_id);
    if (outcome->reason[0]) {
        message_set_text(report, SignalReport, reason, outcome->reason);
    }
    if (outcome->kind == REPORT_ACCEPTED) {
        message_set(report, SignalReport, wait_usec, (int64_t)outcome->answer.wait_usec);
    }
    stamp(reports, report, 0);
    return send_numbered(reports, &message);
}

/* --- what waits --- */

static int send_waiting_outcomes(Reports *reports) {
    while (reports->n_outcomes > 0) {
        int r = send_outcome(reports, &reports->outcomes[reports->first_outcome]);
        if (r < 0)
            return r;
        reports->first_outcome = (reports->first_outcome + 1) % OUTCOMES_KEPT;
        reports->n_outcomes--;
    }
    return 0;
}

static int send_due(Reports *reports) {
    while (reports->n_due > 0) {
        size_t i = reports->cursor;
        if (reports->due[i]) {
            Message message = {.tag = MESSAGE_SIGNAL_REPORT};
            put_state(reports, i, REPORT_STATE, &message.SIGNAL_REPORT);
            int r = send_numbered(reports, &message);
            if (r < 0)
                return r;
            reports->due[i] = false;
            reports->n_due--;
        }
        reports->cursor = (i + 1) % reports->n_intersections;
    }
    return 0;
}

static int send_step(Reports *reports) {
    Message message = {.tag = MESSAGE_STEP};
    message.STEP = reports->step;
    int r = reports->is_step_due ? send_report(reports, &message) : 0;
    if (r == 0)
        reports->is_step_due = false;
    return r;
}

/* What was missed, under its old numbers. */
static int send_past(Reports *reports) {
    while (reports->is_past_wanted) {
        const SignalReport *report = past_changes_after(reports->past, reports->past_after);
        if (!report) {
            reports->is_past_wanted = false;
            break;
        }
        Message message = {.tag = MESSAGE_SIGNAL_REPORT, .SIGNAL_REPORT = *report};
        message_set(&message.SIGNAL_REPORT, SignalReport, kind, REPORT_PAST);
        int r = send_report(reports, &message);
        if (r < 0)
            return r;
        metric_add(reports->repeated, 1);
        reports->past_after = report->sequence;
    }
    return 0;
}

/* Everything that waits, as far as the link takes it. */
static int flush(Reports *reports) {
    int r = send_waiting_outcomes(reports);
    if (r == 0)
        r = send_due(reports);
    if (r == 0)
        r = send_step(reports);
    if (r == 0)
        r = send_past(reports);
    return r == -EAGAIN ? 0 : r;
}

void reports_missed(Reports *reports, const Missed *missed) {
    /* Of another life of this service nothing is kept. */
    const int64_t after = missed->epoch == service_epoch(reports->service) ? missed->after : 0;
    reports->past_after =
        reports->is_past_wanted && reports->past_after < after ? reports->past_after : after;
    reports->is_past_wanted = true;
    if (flush(reports) < 0)
        service_exit(reports->service, EXIT_FAILURE);
}

void reports_step(Reports *reports, const Step *step) {
    reports->step = *step;
    reports->has_step = reports->is_step_due = true;
    if (flush(reports) < 0)
        service_exit(reports->service, EXIT_FAILURE);
}

static void make_due(Reports *reports, size_t i) {
    if (!reports->due[i])
        reports->n_due++;
    reports->due[i] = true;
}

static void note_loss(Reports *reports, const char *what) {
    uint64_t held_back;
    if (journal_limit_pass(&reports->loss_limit, service_now(reports->service), &held_back))
        journal_note(LOG_WARNING,
                     "link %s is full: %s (so far %.0f changes not told at once, %.0f outcomes lost); the "
                     "lights go on",
                     link_name(reports->link), what, metric_value(reports->coalesced),
                     metric_value(reports->lost));
}

/* Kept for whoever missed it; what nobody ever heard of makes room only after a long time, and is counted. */
static void keep(Reports *reports, const SignalReport *report, bool was_told) {
    uint64_t held_back;
    if (!past_changes_keep(reports->past, report, was_told))
        return;
    metric_add(reports->forgotten, 1);
    if (journal_limit_pass(&reports->forget_limit, service_now(reports->service), &held_back))
        journal_note(
            LOG_WARNING,
            "Light changes are forgotten that nobody was told (%.0f so far): no more are kept than the last "
            "%zu. Is traffic-analytics running?",
            metric_value(reports->forgotten), reports->n_kept);
}

void reports_changed(Reports *reports, size_t intersection) {
    Message message = {.tag = MESSAGE_SIGNAL_REPORT};
    put_state(reports, intersection, REPORT_CHANGE, &message.SIGNAL_REPORT);
    reports->sequence++; /* told or not, so that who does not hear of it sees a gap */
    const bool has_listener = link_has_subscriber(reports->link, "{");
    const int r = send_report(reports, &message);
    keep(reports, &message.SIGNAL_REPORT, has_listener && r == 0);
    if (r == 0)
        return;
    metric_add(reports->coalesced, 1);
    note_loss(reports, "a light change is told later, when it is asked for");
    make_due(reports, intersection);
}

void reports_outcome(Reports *reports, const ReportedOutcome *outcome) {
    if (reports->n_outcomes == 0 && send_outcome(reports, outcome) == 0)
        return;
    if (reports->n_outcomes == OUTCOMES_KEPT) {
        metric_add(reports->lost, 1);
        note_loss(reports, "the outcome of a request is given up");
        return;
    }
    reports->outcomes[(reports->first_outcome + reports->n_outcomes) % OUTCOMES_KEPT] = *outcome;
    reports->n_outcomes++;
}

/* --- the link --- */

static int on_frame(Link *link, const LinkFrame *frame, void *userdata) {
    (void)userdata;
    Problem problem;
    problem_set(&problem, -EBADMSG, "expected nothing but subscriptions on this link, got %zu bytes",
                frame->size);
    link_refuse(link, frame, REFUSAL_UNKNOWN_TYPE, &problem);
    return 0;
}

static void on_subscription(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata) {
    (void)link, (void)topic, (void)size;
    Reports *reports = userdata;
    if (!is_subscribed)
        return;
    for (size_t i = 0; i < reports->n_intersections; i++)
        make_due(reports, i);
    reports->is_step_due = reports->has_step;
    if (flush(reports) < 0)
        service_exit(reports->service, EXIT_FAILURE);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    Reports *reports = userdata;
    reports->is_full = false;
    return flush(reports);
}

static const LinkHandlers handlers = {
    .on_frame = on_frame,
    .on_subscription = on_subscription,
    .on_writable = on_writable,
};

int reports_new(Service *service, const CityLights *lights, Reports **ret, Problem *problem) {
    scoped(reports_freep) Reports *reports = calloc(1, sizeof *reports);
    if (!reports)
        return -ENOMEM;
    reports->service = service;
    reports->lights = lights;
    reports->n_intersections = service_city(service)->n_intersections;
    reports->loss_limit = reports->forget_limit = (JournalLimit){.burst = 1, .per_usec = 60 * USEC_PER_SEC};
    reports->n_kept = CHANGES_KEPT;
    if (reports->n_kept < reports->n_intersections * CHANGES_KEPT_EACH)
        reports->n_kept = reports->n_intersections * CHANGES_KEPT_EACH;
    reports->coalesced =
        metrics_counter(service_metrics(service), "traffic_reports_coalesced_total",
                        "Light changes that were not told at once because the link was full.", "");
    reports->lost = metrics_counter(service_metrics(service), "traffic_reports_lost_total",
                                    "Reports given up because the link was full.", "");
    reports->repeated = metrics_counter(service_metrics(service), "traffic_reports_repeated_total",
                                        "Light changes told again to who had missed them.", "");
    reports->forgotten = metrics_counter(service_metrics(service), "traffic_reports_forgotten_total",
                                         "Light changes that nobody was told before they made room.", "");
    reports->producer = producer_name("signal");
    reports->due = calloc(reports->n_intersections, sizeof *reports->due);
    if (!reports->due)
        return -ENOMEM;
    int r = past_changes_new(reports->n_kept, &reports->past);
    if (r < 0)
        return r;
    r = link_bind(service, ENDPOINT_SIGNAL_REPORTS, &handlers, reports, &reports->link, problem);
    if (r < 0)
        return r;
    *ret = take(reports);
    return 0;
}

Reports *reports_free(Reports *reports) {
    if (reports) {
        link_free(reports->link);
        past_changes_free(reports->past);
        free(reports->due);
        free(reports);
    }
    return NULL;
}
