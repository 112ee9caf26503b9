/* The ends of a sender: making it, hearing acknowledgements, and its reader's coming and going. Sending is
 * sender-turn.c's. */
#include "custody/sender-private.h"

#include "shell/epoch.h"
#include "shell/link-protocol.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOST_JOURNAL_BURST = 3, PATIENCE_MAX_FACTOR = 8 };
#define LOST_JOURNAL_USEC (60 * USEC_PER_SEC)

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
    sender_tell(sender, JOURNAL_FENCED, text);
    service_raise_epoch(sender->service, epoch);
    service_exit(sender->service, EXIT_FAILURE);
    return 0;
}

static void renew_stream(Sender *sender, uint64_t position) {
    uint64_t known = sender->stream;
    sender_begin_stream(sender, sender->source.renew_stream(sender->userdata));
    sender_tell_foreign(sender, known, position);
}

static void refuse(Sender *sender, const LinkFrame *frame, const char *member, const char *expected,
                   const char *got) {
    Problem problem;
    problem_set(&problem, -EBADMSG, "%s: expected %s, got \"%s\"", member, expected, got);
    link_refuse(sender->acks, frame, REFUSAL_OUT_OF_RANGE, &problem);
}

/* Acknowledgements of other streams are of earlier lives, or of who has replaced this one: their epoch says
 * so before the first frame is sent in vain. Where anybody may connect and say a number, only the own stream
 * counts: a reader that fences this writer names it, for it answers what it was sent. */
static int hear(Sender *sender, uint64_t stream, const Ack *ack) {
    uint64_t before = sender->flow.acknowledged, position = (uint64_t)ack->position;
    bool asks = message_has(ack, Ack, asks) && ack->asks;
    if (ack->epoch > service_epoch(sender->service) && (stream == sender->stream || !sender->hears_anybody))
        return end_fenced(sender, ack->epoch);
    if (stream != sender->stream)
        return 0;
    if (outflow_acknowledge(&sender->flow, position, asks, sender_oldest(sender),
                            service_now(sender->service)) == OUTFLOW_FOREIGN)
        renew_stream(sender, position);
    sender_pass_on(sender, before);
    return sender_turn(sender);
}

static int on_ack(Link *link, const LinkFrame *frame, void *userdata) {
    Sender *sender = userdata;
    Message message;
    uint64_t stream;
    int r = link_decode(link, frame, sender->decoder, MESSAGE_FAMILY_ACK, &message);
    if (r <= 0)
        return r;
    if (!hop_stream_parse(message.ACK.stream, &stream)) {
        refuse(sender, frame, "stream", "16 hexadecimal digits, not all 0", message.ACK.stream);
        return 0;
    }
    if (!epoch_is_likely(message.ACK.epoch, service_wall(sender->service))) {
        char got[24];
        (void)snprintf(got, sizeof got, "%" PRId64, message.ACK.epoch);
        refuse(sender, frame, "epoch", "at most a century more than the clock says", got);
        return 0;
    }
    return hear(sender, stream, &message.ACK);
}

/* --- making and ending --- */

static void on_connected(Link *link, void *userdata) {
    (void)link;
    sender_reader_is_there(userdata, true);
}

static int open_acks(Sender *sender, EndpointId id, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_ack};
    bool is_bound = endpoints[id].bind_pattern == WIRE_XPUB;
    sender->hears_anybody = is_bound;
    if (!is_bound) {
        int r = link_on_connected(sender->data, on_connected, sender);
        if (r < 0)
            return problem_set(problem, r, "link %s: %s", endpoints[id].name, strerror(-r));
    }
    if (sender->protocol == PROTOCOL_V0)
        return 0;
    return (is_bound ? link_bind : link_connect)(sender->service, link_acks(id), &handlers, sender,
                                                 &sender->acks, problem);
}

static int make_parts(Sender *sender) {
    sender->buffer = malloc(FRAME_MAX_BYTES);
    int r = sender->buffer ? decoder_new(&sender->decoder) : -ENOMEM;
    return r < 0 ? r : sender_make_timers(sender);
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
    sender_make_metrics(sender);
    int r = make_parts(sender);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", link_name(spec->data), strerror(-r));
    r = open_acks(sender, spec->id, problem);
    if (r < 0)
        return r;
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
