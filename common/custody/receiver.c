/* Acknowledgements are cumulative and may be lost: whoever missed one hears the next, and the newest
 * stream is told at least every second. So none is ever waited with: when the link takes nothing, it is
 * forgotten.
 *
 * What is owed without a commit (to a writer that sent again what is here already, that was replaced, or
 * that has just connected) is told a few milliseconds later, all at once: such frames come in hundreds. The same where
 * the writer does not wait for acknowledgements and commits follow each other closely: each one told wakes a writer, and
 * whoever waits for it in turn. */
#include "custody/receiver.h"

#include "shell/epoch.h"
#include "shell/fault-point.h"
#include "shell/journal.h"
#include "shell/link-protocol.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACK_MAX_BYTES = 256, LOST_JOURNAL_BURST = 3 };
#define KEEP_ALIVE_USEC   USEC_PER_SEC
#define OWED_USEC         (10 * USEC_PER_MSEC)
#define LOST_JOURNAL_USEC (60 * USEC_PER_SEC)

/* What becomes of a frame: labels of a counter. */
#define OUTCOME_LIST(X)                                                                                      \
    X(OUTCOME_TAKEN, "taken")                                                                                \
    X(OUTCOME_REPEAT, "repeat")                                                                              \
    X(OUTCOME_GAP, "gap")                                                                                    \
    X(OUTCOME_FENCED, "fenced")                                                                              \
    X(OUTCOME_UNLIKELY, "unlikely")                                                                          \
    X(OUTCOME_PLAIN, "plain")
VOCABULARY(Outcome, OUTCOME, OUTCOME_LIST, outcome_words);
VOCABULARY_DEFINE(OUTCOME, OUTCOME_LIST, outcome_words);

struct Receiver {
    Service *service;
    const char *link_name; /* of the data */
    Link *acks;
    Intake *intake;
    char *frame; /* without its hop; FRAME_MAX_BYTES */
    Timer *owed_timer, *keep_alive_timer;
    bool is_owed_timer_set;
    bool is_paced;
    Mono told; /* when something was acknowledged last */
    bool has_hole;

    Metric *received[OUTCOME_COUNT], *given_up;
    JournalLimit lost_limit, unlikely_limit;
};

/* --- acknowledging --- */

static bool send_ack(Receiver *receiver, uint64_t stream, uint64_t position, bool asks) {
    char frame[ACK_MAX_BYTES];
    Problem problem;
    Message message = {.tag = MESSAGE_ACK};
    Ack *ack = &message.ACK;
    hop_stream_text(stream, ack->stream);
    message_mark(ack, Ack, stream);
    message_set(ack, Ack, position, (int64_t)position);
    message_set(ack, Ack, epoch, receiver->intake->writer_epoch);
    if (asks)
        message_set(ack, Ack, asks, true);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    return size > 0 && link_send(receiver->acks, frame, (size_t)size) == 0;
}

/* `asks`: for what follows. */
static bool tell_writer(Receiver *receiver, const IntakeCursor *cursor, bool asks) {
    return send_ack(receiver, cursor->stream, cursor->committed, asks);
}

static void arm_keep_alive(Receiver *receiver) {
    timer_set(receiver->keep_alive_timer, mono_after(service_now(receiver->service), KEEP_ALIVE_USEC));
}

/* True when somebody was there to hear it. */
static bool tell_owed(Receiver *receiver) {
    bool has_told = false;
    const IntakeCursor *cursor;
    while ((cursor = intake_take_owed(receiver->intake)))
        has_told |= tell_writer(receiver, cursor, false);
    receiver->is_owed_timer_set = false;
    timer_clear(receiver->owed_timer);
    if (has_told) {
        receiver->told = service_now(receiver->service);
        arm_keep_alive(receiver);
    }
    return has_told;
}

static int on_owed_time(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    if (tell_owed(userdata))
        fault_point(FAULT_AFTER_ACK);
    return 0;
}

static void acknowledge_soon(Receiver *receiver) {
    if (receiver->is_owed_timer_set)
        return;
    receiver->is_owed_timer_set = true;
    timer_set(receiver->owed_timer, mono_after(service_now(receiver->service), OWED_USEC));
}

static int on_keep_alive_time(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    Receiver *receiver = userdata;
    const IntakeCursor *newest = intake_newest(receiver->intake);
    if (newest)
        (void)tell_writer(receiver, newest, false);
    arm_keep_alive(receiver);
    return 0;
}

void receiver_acknowledge(Receiver *receiver) {
    const Mono now = service_now(receiver->service);
    if (receiver->is_paced && mono_between(receiver->told, now) < OWED_USEC)
        acknowledge_soon(receiver);
    else
        (void)on_owed_time(receiver->owed_timer, now, receiver);
}

void receiver_pace(Receiver *receiver) {
    receiver->is_paced = true;
}

/* The writer is there (again): it learns from where to go on, and whether its file is an older copy. */
static void on_connected(Link *link, void *userdata) {
    (void)link;
    Receiver *receiver = userdata;
    intake_owe_all(receiver->intake);
    acknowledge_soon(receiver);
}

static void on_subscription(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata) {
    (void)topic, (void)size;
    if (is_subscribed)
        on_connected(link, userdata);
}

/* --- judging --- */

static void ask(Receiver *receiver, uint64_t stream) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        if (receiver->intake->cursors[i].stream == stream)
            (void)tell_writer(receiver, &receiver->intake->cursors[i], true);
}

static void tell_given_up(Receiver *receiver, const Hop *hop, uint64_t n_given_up) {
    JournalField fields[2];
    char others[64] = "";
    uint64_t held_back;
    metric_add(receiver->given_up, n_given_up);
    if (!journal_limit_pass(&receiver->lost_limit, service_now(receiver->service), &held_back))
        return;
    if (held_back > 0)
        (void)snprintf(others, sizeof others, " (and %" PRIu64 " more gaps since the last entry)", held_back);
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_LINK=%s", receiver->link_name);
    (void)snprintf(fields[1], sizeof fields[1], "TRAFFIC_FRAMES=%" PRIu64, n_given_up);
    journal_event(JOURNAL_LOST, fields, ARRAY_LEN(fields),
                  "link %s: %" PRIu64 " frames never came and their writer no longer has them: %" PRIu64
                  " to %" PRIu64 " of stream %016" PRIx64 "%s",
                  receiver->link_name, n_given_up, hop->position - n_given_up, hop->position - 1, hop->stream,
                  others);
}

/* Nobody is asked and nothing is kept of it: one such number in the intake would fence every writer for ever.
 * A writer that is honest and still says it has seen a clock that was wrong by centuries. */
static ReceiverVerdict leave_unlikely(Receiver *receiver, const Hop *hop) {
    uint64_t held_back;
    metric_add(receiver->received[OUTCOME_UNLIKELY], 1);
    if (journal_limit_pass(&receiver->unlikely_limit, service_now(receiver->service), &held_back))
        journal_note(LOG_ERR,
                     "link %s: frames of epoch %" PRId64
                     " are left: expected at most a century more than the clock says, %" PRIu64
                     "; if their writer is ours, set the clocks right and remove its file epoch",
                     receiver->link_name, hop->epoch, service_wall(receiver->service).usec);
    return RECEIVER_LEAVE;
}

ReceiverVerdict receiver_judge_hop(Receiver *receiver, const Hop *hop) {
    static const Outcome outcomes[] = {[INTAKE_ACCEPT] = OUTCOME_TAKEN,
                                       [INTAKE_REPEAT] = OUTCOME_REPEAT,
                                       [INTAKE_GAP] = OUTCOME_GAP,
                                       [INTAKE_FENCED] = OUTCOME_FENCED};
    if (!epoch_is_likely(hop->epoch, service_wall(receiver->service)))
        return leave_unlikely(receiver, hop);
    const IntakeAnswer answer = intake_judge(receiver->intake, hop);
    metric_add(receiver->received[outcomes[answer.verdict]], 1);
    if (answer.verdict == INTAKE_ACCEPT)
        receiver->has_hole = answer.n_given_up > 0 || answer.is_another;
    if (answer.n_given_up > 0)
        tell_given_up(receiver, hop, answer.n_given_up);
    if (answer.must_ask)
        ask(receiver, hop->stream);
    if (answer.verdict == INTAKE_REPEAT || answer.verdict == INTAKE_FENCED)
        acknowledge_soon(receiver);
    return answer.verdict == INTAKE_ACCEPT ? RECEIVER_TAKE : RECEIVER_LEAVE;
}

ReceiverVerdict receiver_judge(Receiver *receiver, const LinkFrame *frame, LinkFrame *ret_frame) {
    Hop hop;
    size_t size;
    *ret_frame = *frame;
    if (!hop_take(frame->data, frame->size, &hop, receiver->frame, &size)) {
        metric_add(receiver->received[OUTCOME_PLAIN], 1);
        return RECEIVER_PLAIN;
    }
    ret_frame->data = receiver->frame;
    ret_frame->size = size;
    return receiver_judge_hop(receiver, &hop);
}

bool receiver_has_hole(const Receiver *receiver) {
    return receiver->has_hole;
}

/* --- making and ending --- */

static void make_metrics(Receiver *receiver) {
    Metrics *metrics = service_metrics(receiver->service);
    char labels[128];
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        (void)snprintf(labels, sizeof labels, "link=\"%s\",outcome=\"%s\"", receiver->link_name,
                       outcome_words[i]);
        receiver->received[i] = metrics_counter(metrics, "traffic_custody_received_total",
                                                "Frames that arrived, and what became of them.", labels);
    }
    (void)snprintf(labels, sizeof labels, "link=\"%s\"", receiver->link_name);
    receiver->given_up = metrics_counter(metrics, "traffic_custody_given_up_total",
                                         "Frames that never came or cannot be sent.", labels);
}

static int open_acks(Receiver *receiver, EndpointId id, bool is_binder, Problem *problem) {
    static const LinkHandlers handlers = {.on_subscription = on_subscription};
    EndpointId ack = link_acks(id);
    int r = (is_binder ? link_bind : link_connect)(receiver->service, ack, &handlers, receiver,
                                                   &receiver->acks, problem);
    if (r < 0)
        return r;
    link_let_drop(receiver->acks);
    r = is_binder ? 0 : link_on_connected(receiver->acks, on_connected, receiver);
    return r < 0 ? problem_set(problem, r, "link %s: %s", endpoints[ack].name, strerror(-r)) : 0;
}

int receiver_new(Service *service, EndpointId id, bool is_binder, Intake *intake, Receiver **ret,
                 Problem *problem) {
    scoped(receiver_freep) Receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return problem_set(problem, -ENOMEM, "link %s: out of memory", endpoints[id].name);
    *receiver = (Receiver){
        .service = service,
        .link_name = endpoints[id].name,
        .intake = intake,
        .frame = malloc(FRAME_MAX_BYTES),
        .lost_limit = {.burst = LOST_JOURNAL_BURST, .per_usec = LOST_JOURNAL_USEC},
        .unlikely_limit = {.burst = 1, .per_usec = LOST_JOURNAL_USEC},
    };
    int r = receiver->frame ? timer_new(service, on_owed_time, receiver, &receiver->owed_timer) : -ENOMEM;
    if (r >= 0)
        r = timer_new(service, on_keep_alive_time, receiver, &receiver->keep_alive_timer);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", endpoints[id].name, strerror(-r));
    r = open_acks(receiver, id, is_binder, problem);
    if (r < 0)
        return r;
    make_metrics(receiver);
    arm_keep_alive(receiver);
    *ret = take(receiver);
    return 0;
}

Receiver *receiver_free(Receiver *receiver) {
    if (!receiver)
        return NULL;
    link_free(receiver->acks);
    timer_free(receiver->owed_timer);
    timer_free(receiver->keep_alive_timer);
    free(receiver->frame);
    free(receiver);
    return NULL;
}
