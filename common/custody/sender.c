/* One turn sends a bounded number of frames and a short timer brings the next one: a backlog of thousands must
 * delay neither the acknowledgements nor what else the loop serves.
 *
 * Every frame goes out through the one buffer here, with its hop at the end; nothing else is kept, so the source
 * is read again whenever sending begins again.
 *
 * The subtle thing is a frame that cannot be sent at all, because its hop makes it too large for the wire. It is
 * given up, but only when everything before it is acknowledged: from then on `oldest` in the hops says that nobody
 * needs to wait for it, and that must be true of all that came before it. */
#include "custody/sender.h"

#include "custody/links.h"
#include "shell/journal.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_PER_TURN = 256, LOST_JOURNAL_BURST = 3, PATIENCE_MAX_FACTOR = 8 };
#define TURN_PAUSE_USEC   USEC_PER_MSEC /* messages outrank timers in nothing: leave them this much */
#define READ_RETRY_USEC   (USEC_PER_SEC / 2)
#define READER_AWAY_USEC  (5 * USEC_PER_SEC)
#define LOST_JOURNAL_USEC (60 * USEC_PER_SEC)

struct Sender {
    Service *service;
    Link *data, *acks;
    char reader[64];
    Protocol protocol;
    SenderSource source;
    void *userdata;

    Outflow flow;
    uint64_t stream;
    uint64_t given_up; /* the newest position that was, 0 for none */
    char *buffer;      /* FRAME_MAX_BYTES */
    Decoder *decoder;
    bool is_link_full, is_fenced;

    Timer *turn_timer; /* the next turn */
    Timer *tick_timer; /* patience, and attempts to read */
    Mono read_again_at;
    bool is_unreadable;    /* told */
    Mono unanswered_since; /* the last progress while the reader lacks something; else never */
    bool is_away_told;

    Metric *sent, *resent, *acknowledged, *lost, *backlog;
    uint64_t n_resent_counted;
    JournalLimit lost_limit;
};

/* --- telling --- */

static void tell(const Sender *sender, JournalEvent event, const char *text) {
    JournalField fields[1];
    (void)snprintf(fields[0], sizeof fields[0], "TRAFFIC_LINK=%s", link_name(sender->data));
    journal_event(event, fields, ARRAY_LEN(fields), "link %s: %s", link_name(sender->data), text);
}

static void tell_lost(Sender *sender, uint64_t position, size_t size) {
    char text[256], others[64] = "";
    uint64_t held_back;
    metric_add(sender->lost, 1);
    if (!journal_limit_pass(&sender->lost_limit, service_now(sender->service), &held_back))
        return;
    if (held_back > 0)
        (void)snprintf(others, sizeof others, " (and %" PRIu64 " more since the last entry)", held_back);
    (void)snprintf(text, sizeof text,
                   "frame %" PRIu64 " of stream %016" PRIx64
                   " cannot be sent and is lost: expected an object of at most %d bytes, got %zu%s",
                   position, sender->stream, FRAME_MAX_BYTES - HOP_TEXT_MAX_BYTES, size, others);
    tell(sender, JOURNAL_LOST, text);
}

static void tell_away(Sender *sender, Mono now) {
    char text[256];
    sender->is_away_told = true;
    (void)snprintf(text, sizeof text,
                   "%s has acknowledged nothing for %.0f s, %" PRIu64 " frames are kept for it",
                   sender->reader, (double)mono_between(sender->unanswered_since, now) / 1e6,
                   outflow_backlog(&sender->flow));
    tell(sender, JOURNAL_READER_AWAY, text);
}

static void tell_back(Sender *sender, Mono now) {
    char text[256];
    sender->is_away_told = false;
    (void)snprintf(text, sizeof text,
                   "%s acknowledges again after %.1f s, %" PRIu64 " frames are still kept for it",
                   sender->reader, (double)mono_between(sender->unanswered_since, now) / 1e6,
                   outflow_backlog(&sender->flow));
    tell(sender, JOURNAL_READER_BACK, text);
}

static void count(Sender *sender) {
    metric_add(sender->resent, sender->flow.n_resent - sender->n_resent_counted);
    sender->n_resent_counted = sender->flow.n_resent;
    metric_set(sender->backlog, (double)outflow_backlog(&sender->flow));
}

/* --- time --- */

static void arm(Sender *sender) {
    Mono deadline = mono_min(outflow_deadline(&sender->flow), sender->read_again_at);
    if (!sender->is_away_told && !mono_is_never(sender->unanswered_since))
        deadline = mono_min(deadline, mono_after(sender->unanswered_since, READER_AWAY_USEC));
    if (mono_is_never(deadline))
        timer_clear(sender->tick_timer);
    else
        timer_set(sender->tick_timer, deadline);
}

/* Follows how long the reader has been silent: `has_progressed` when it just acknowledged something. */
static void follow_silence(Sender *sender, bool has_progressed) {
    Mono now = service_now(sender->service);
    bool lacks_something = sender->protocol == PROTOCOL_CUSTODY && outflow_backlog(&sender->flow) > 0;
    if (has_progressed && sender->is_away_told)
        tell_back(sender, now);
    if (!lacks_something)
        sender->unanswered_since = mono_never();
    else if (has_progressed || mono_is_never(sender->unanswered_since))
        sender->unanswered_since = now;
}

/* --- sending --- */

/* The reader needs nothing up to `position` any more, or again what lies behind it. */
static void keep_acknowledged(Sender *sender, uint64_t before) {
    uint64_t now = sender->flow.acknowledged;
    if (now == before)
        return;
    if (now > before)
        metric_add(sender->acknowledged, now - before);
    sender->source.on_acknowledged(sender->userdata, now);
    follow_silence(sender, now > before);
}

static uint64_t oldest(const Sender *sender) {
    uint64_t held = sender->source.oldest(sender->userdata);
    return held > sender->given_up ? held : sender->given_up + 1;
}

static void begin_stream(Sender *sender, uint64_t stream) {
    sender->stream = stream;
    sender->given_up = 0;
    outflow_stream_is_new(&sender->flow);
}

/* Another reader of the same frames may have made a new stream of them. */
static void follow_stream(Sender *sender) {
    uint64_t stream = sender->source.stream ? sender->source.stream(sender->userdata) : sender->stream;
    if (stream != sender->stream)
        begin_stream(sender, stream);
}

/* 1: it is as if acknowledged; 0: something before it is still under way. */
static int give_up(Sender *sender, uint64_t position, size_t size) {
    Mono now = service_now(sender->service);
    if (sender->flow.acknowledged + 1 != position)
        return 0;
    outflow_sent(&sender->flow, now);
    (void)outflow_acknowledge(&sender->flow, position, false, position + 1, now);
    sender->given_up = position;
    tell_lost(sender, position, size);
    sender->source.on_acknowledged(sender->userdata, position);
    return 1;
}

/* 1: `position` and perhaps more behind it is gone, because every reader has it, and sending goes on behind that;
 * 0: it is not there yet. */
static int pass_over(Sender *sender, uint64_t position) {
    uint64_t before = sender->flow.acknowledged, first = oldest(sender);
    if (position >= first)
        return 0;
    (void)outflow_acknowledge(&sender->flow, before, true, first, service_now(sender->service));
    keep_acknowledged(sender, before);
    return 1;
}

static int wait_to_read(Sender *sender, int error) {
    if (!sender->is_unreadable)
        journal_note(LOG_ERR, "link %s: what waits for %s cannot be read: %s; tried again every %.1f s",
                     link_name(sender->data), sender->reader, strerror(-error),
                     (double)READ_RETRY_USEC / (double)USEC_PER_SEC);
    sender->is_unreadable = true;
    sender->read_again_at = mono_after(service_now(sender->service), READ_RETRY_USEC);
    return 0;
}

/* The frame as it crosses the link: its size, or what hop_put() says. */
static int prepare(Sender *sender, uint64_t position, const char **frame, size_t size) {
    if (sender->protocol == PROTOCOL_V0)
        return size <= FRAME_MAX_BYTES ? (int)size : -EMSGSIZE;
    const Hop hop = {.stream = sender->stream,
                     .epoch = service_epoch(sender->service),
                     .position = position,
                     .oldest = oldest(sender)};
    int r = hop_put(*frame, size, &hop, sender->buffer, FRAME_MAX_BYTES);
    *frame = sender->buffer;
    return r;
}

/* 1: done with `position`; 0: not now; a negative errno ends the process. */
static int send_one(Sender *sender, uint64_t position) {
    const char *frame;
    size_t size;
    int r = sender->source.read(sender->userdata, position, &frame, &size);
    if (r < 0)
        return wait_to_read(sender, r);
    if (r == 0)
        return pass_over(sender, position);
    sender->is_unreadable = false;

    r = prepare(sender, position, &frame, size);
    if (r < 0)
        return give_up(sender, position, size);
    r = link_send(sender->data, frame, (size_t)r);
    if (r == -EAGAIN) {
        sender->is_link_full = true;
        return 0;
    }
    if (r < 0)
        return r;
    outflow_sent(&sender->flow, service_now(sender->service));
    metric_add(sender->sent, 1);
    return 1;
}

static bool may_send(Sender *sender, uint64_t *ret_position) {
    return !sender->is_link_full && !sender->is_fenced &&
           (mono_is_never(sender->read_again_at) ||
            mono_reached(service_now(sender->service), sender->read_again_at)) &&
           outflow_next(&sender->flow, ret_position);
}

static int send_turn(Sender *sender) {
    uint64_t position, before = sender->flow.acknowledged;
    int r = 1;
    follow_stream(sender);
    for (unsigned i = 0; i < FRAMES_PER_TURN && r > 0 && may_send(sender, &position); i++) {
        sender->read_again_at = mono_never();
        r = send_one(sender, position);
    }
    if (r > 0 && may_send(sender, &position))
        timer_set(sender->turn_timer, mono_after(service_now(sender->service), TURN_PAUSE_USEC));
    if (sender->protocol == PROTOCOL_V0)
        keep_acknowledged(sender, before);
    follow_silence(sender, false);
    count(sender);
    arm(sender);
    return r < 0 ? r : 0;
}

/* For callers who cannot end the process themselves. */
static void send_or_end(Sender *sender) {
    int r = send_turn(sender);
    if (r >= 0)
        return;
    journal_note(LOG_ERR, "link %s: cannot send: %s", link_name(sender->data), strerror(-r));
    service_exit(sender->service, EXIT_FAILURE);
}

static int on_turn(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    return send_turn(userdata);
}

static int on_tick(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    Sender *sender = userdata;
    (void)outflow_tick(&sender->flow, now);
    if (!sender->is_away_told && !mono_is_never(sender->unanswered_since) &&
        mono_reached(now, mono_after(sender->unanswered_since, READER_AWAY_USEC)))
        tell_away(sender, now);
    return send_turn(sender);
}

void sender_add(Sender *sender, uint64_t last) {
    outflow_add(&sender->flow, last);
    send_or_end(sender);
}

int sender_on_writable(Sender *sender) {
    sender->is_link_full = false;
    return send_turn(sender);
}

void sender_reader_is_there(Sender *sender, bool is_there) {
    outflow_reader_is_there(&sender->flow, is_there);
    sender->is_link_full = false;
    send_or_end(sender);
}

static void on_connected(Link *link, void *userdata) {
    (void)link;
    sender_reader_is_there(userdata, true);
}

/* --- hearing --- */

static int end_fenced(Sender *sender, int64_t epoch) {
    char text[256];
    if (sender->is_fenced)
        return 0;
    sender->is_fenced = true;
    (void)snprintf(text, sizeof text,
                   "%s has heard a writer of epoch %" PRId64 ", this one is of %" PRId64
                   ": it ends, and begins its next life above that",
                   sender->reader, epoch, service_epoch(sender->service));
    tell(sender, JOURNAL_FENCED, text);
    service_raise_epoch(sender->service, epoch);
    service_exit(sender->service, EXIT_FAILURE);
    return 0;
}

static void renew_stream(Sender *sender, uint64_t position) {
    uint64_t known = sender->stream;
    begin_stream(sender, sender->source.renew_stream(sender->userdata));
    journal_note(LOG_WARNING,
                 "link %s: %s has committed frame %" PRIu64 " of stream %016" PRIx64
                 ", which this side never sent: its file is an older copy. What it holds goes out as stream "
                 "%016" PRIx64,
                 link_name(sender->data), sender->reader, position, known, sender->stream);
}

/* Acknowledgements of other streams are of earlier lives: only their epoch says something. */
static int hear(Sender *sender, uint64_t stream, const Ack *ack) {
    uint64_t before = sender->flow.acknowledged, position = (uint64_t)ack->position;
    bool asks = message_has(ack, Ack, asks) && ack->asks;
    if (ack->epoch > service_epoch(sender->service))
        return end_fenced(sender, ack->epoch);
    if (stream != sender->stream)
        return 0;
    if (outflow_acknowledge(&sender->flow, position, asks, oldest(sender), service_now(sender->service)) ==
        OUTFLOW_FOREIGN)
        renew_stream(sender, position);
    keep_acknowledged(sender, before);
    return send_turn(sender);
}

static int on_ack(Link *link, const LinkFrame *frame, void *userdata) {
    Sender *sender = userdata;
    Message message;
    uint64_t stream;
    int r = link_decode(link, frame, sender->decoder, MESSAGE_FAMILY_ACK, &message);
    if (r <= 0)
        return r;
    if (!hop_stream_parse(message.ACK.stream, &stream)) {
        Problem problem;
        problem_set(&problem, -EBADMSG, "stream: expected 16 hexadecimal digits, not all 0, got \"%s\"",
                    message.ACK.stream);
        link_refuse(link, frame, REFUSAL_OUT_OF_RANGE, &problem);
        return 0;
    }
    return hear(sender, stream, &message.ACK);
}

/* --- making and ending --- */

static void make_metrics(Sender *sender) {
    char labels[96];
    Metrics *metrics = service_metrics(sender->service);
    (void)snprintf(labels, sizeof labels, "link=\"%s\"", link_name(sender->data));
    sender->sent = metrics_counter(metrics, "traffic_custody_sent_total",
                                   "Frames sent, those sent again included.", labels);
    sender->resent =
        metrics_counter(metrics, "traffic_custody_resent_total", "Frames sent more than once.", labels);
    sender->acknowledged = metrics_counter(metrics, "traffic_custody_acknowledged_total",
                                           "Frames that the reader has committed.", labels);
    sender->lost = metrics_counter(metrics, "traffic_custody_given_up_total",
                                   "Frames that never came or cannot be sent.", labels);
    sender->backlog = metrics_gauge(metrics, "traffic_custody_backlog_frames",
                                    "Frames that the reader has not committed.", labels);
}

static int open_acks(Sender *sender, EndpointId id, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_ack};
    bool is_bound = endpoints[id].bind_pattern == WIRE_XPUB;
    if (!is_bound) {
        int r = link_on_connected(sender->data, on_connected, sender);
        if (r < 0)
            return problem_set(problem, r, "link %s: %s", endpoints[id].name, strerror(-r));
    }
    if (sender->protocol == PROTOCOL_V0)
        return 0;
    return (is_bound ? link_bind : link_connect)(sender->service, custody_ack_link(id), &handlers, sender,
                                                 &sender->acks, problem);
}

static int make_parts(Sender *sender) {
    sender->buffer = malloc(FRAME_MAX_BYTES);
    int r = sender->buffer ? decoder_new(&sender->decoder) : -ENOMEM;
    if (r >= 0)
        r = timer_new(sender->service, on_turn, sender, &sender->turn_timer);
    if (r >= 0)
        r = timer_new(sender->service, on_tick, sender, &sender->tick_timer);
    return r;
}

int sender_new(Service *service, const SenderSpec *spec, Sender **ret, Problem *problem) {
    const Settings *settings = service_settings(service);
    const uint64_t resend_usec = usec_from_sec(settings->custody_resend_sec);
    const OutflowLimits limits = {.window = (uint64_t)settings->custody_window,
                                  .resend_usec = resend_usec,
                                  .resend_max_usec = PATIENCE_MAX_FACTOR * resend_usec,
                                  .is_best_effort = spec->protocol == PROTOCOL_V0};
    scoped(sender_freep) Sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return problem_set(problem, -ENOMEM, "link %s: out of memory", link_name(spec->data));
    *sender = (Sender){
        .service = service,
        .data = spec->data,
        .protocol = spec->protocol,
        .source = spec->source,
        .userdata = spec->userdata,
        .stream = spec->stream,
        .read_again_at = mono_never(),
        .unanswered_since = mono_never(),
        .lost_limit = {.burst = LOST_JOURNAL_BURST, .per_usec = LOST_JOURNAL_USEC},
    };
    (void)snprintf(sender->reader, sizeof sender->reader, "%s", spec->reader);
    outflow_init(&sender->flow, &limits, spec->acknowledged, spec->last);
    make_metrics(sender);
    int r = make_parts(sender);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", link_name(spec->data), strerror(-r));
    r = open_acks(sender, spec->id, problem);
    if (r < 0)
        return r;
    timer_set(sender->turn_timer, service_now(service)); /* what an earlier life left */
    *ret = take(sender);
    return 0;
}

Sender *sender_free(Sender *sender) {
    if (!sender)
        return NULL;
    (void)link_on_connected(sender->data, NULL, NULL);
    link_free(sender->acks);
    timer_free(sender->turn_timer);
    timer_free(sender->tick_timer);
    decoder_free(sender->decoder);
    free(sender->buffer);
    free(sender);
    return NULL;
}

const Outflow *sender_outflow(const Sender *sender) {
    return &sender->flow;
}

bool sender_is_waiting(const Sender *sender) {
    return sender->is_away_told;
}
