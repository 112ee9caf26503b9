/* What the signal service writes for people and scripts: entries with fields, each in one place. */
#include "signal-journal.h"

#include "requests.h"
#include "shell/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool shows_same(const Lights *a, const Lights *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

/* "NS: RED->GREEN, EW: GREEN->RED" */
typedef struct TurnText {
    char text[64];
} TurnText;

static TurnText turn_text(const LightsView *view) {
    Lights before = view->last_green;
    if (shows_same(&before, &view->lights)) /* asked for again during all-red: it comes back from red */
        before = (Lights){{SIGNAL_RED}};
    TurnText turn;
    size_t n = 0;
    for (Direction d = DIRECTION_NS; d <= DIRECTION_EW; d++)
        n += (size_t)snprintf(turn.text + n, sizeof turn.text - n, "%s%s: %s->%s", n ? ", " : "",
                              direction_words[d], colour_words[lights_of_direction(view, &before, d)],
                              colour_words[lights_of_direction(view, &view->lights, d)]);
    return turn;
}

/* The line that scripts scrape: "[INT-B3] NS: RED->GREEN, EW: GREEN->RED (reason: plan, cycle: 15s)"; the phase is
 * added where the first implementation's words do not say it all. */
void signal_journal_green(const char *id, const LightsView *view) {
    char phase[24] = "";
    if (view->model->n_phases > DIRECTION_COUNT && view->has_phase)
        (void)snprintf(phase, sizeof phase, ", phase: %u", view->phase);
    JournalField fields[8];
    size_t n = 0;
    (void)snprintf(fields[n++], sizeof *fields, "TRAFFIC_INTERSECTION=%s", id);
    (void)snprintf(fields[n++], sizeof *fields, "TRAFFIC_KIND=%s", signal_cause_words[view->cause]);
    (void)snprintf(fields[n++], sizeof *fields, "STATE_NS=%s",
                   colour_words[lights_of_direction(view, &view->lights, DIRECTION_NS)]);
    (void)snprintf(fields[n++], sizeof *fields, "STATE_EW=%s",
                   colour_words[lights_of_direction(view, &view->lights, DIRECTION_EW)]);
    (void)snprintf(fields[n++], sizeof *fields, "STATE_GROUPS=%s", lights_text(view).text);
    (void)snprintf(fields[n++], sizeof *fields, "CYCLE_US=%" PRIu64, view->green_usec);
    (void)snprintf(fields[n++], sizeof *fields, "STAGE=signal");
    if (view->has_phase)
        (void)snprintf(fields[n++], sizeof *fields, "STATE_PHASE=%u", view->phase);
    journal_event(JOURNAL_LIGHT_CHANGE, fields, n, "[%s] %s (reason: %s, cycle: %gs%s)", id,
                  turn_text(view).text, view->reason, (double)view->green_usec / (double)USEC_PER_SEC, phase);
}

void signal_journal_violation(const char *id, const LightsView *view) {
    const InterlockVerdict *verdict = &view->verdict;
    JournalField fields[3];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", id);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_KIND=%s",
                   interlock_violation_words[verdict->violation]);
    (void)snprintf(fields[2], sizeof fields[2], "TRAFFIC_GROUPS=%u %u", verdict->group, verdict->other);
    journal_event(
        JOURNAL_INTERLOCK, fields, ARRAY_LEN(fields),
        "[%s] the second checker objects (%s; groups %u and %u): all red, flashing, until an operator "
        "releases it (trafficctl release %s)",
        id, interlock_violation_words[verdict->violation], verdict->group, verdict->other, id);
}

void signal_journal_release(const char *id) {
    JournalField fields[1];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_INTERSECTION=%s", id);
    journal_event(JOURNAL_RELEASED, fields, ARRAY_LEN(fields), "[%s] released: it starts again from all red",
                  id);
}

void signal_journal_latency(const SignalCommand *command, const SignalRequest *request, uint64_t latency_usec,
                            uint64_t wait_usec) {
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
