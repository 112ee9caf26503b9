/* Sending, and what happens without anybody speaking.
 *
 * One turn sends a bounded number of frames and a short timer brings the next one: a backlog of thousands
 * must delay neither the acknowledgements nor what else the loop serves. Every frame goes out through the
 * one buffer of the sender, with its hop at the end; nothing else is kept, so the source is read again
 * whenever sending begins again.
 *
 * The subtle thing is a frame that cannot be sent at all, because its hop makes it too large for the wire.
 * It is given up, but only when everything before it is acknowledged: from then on `oldest` in the hops
 * says that nobody needs to wait for it, and that must be true of all that came before it. */
#include "custody/sender-private.h"

#include "wire/hop-text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_PER_TURN = 256 };
#define TURN_PAUSE_USEC  USEC_PER_MSEC /* timers outrank messages: leave them this much */
#define READ_RETRY_USEC  (USEC_PER_SEC / 2)
#define READER_AWAY_USEC (5 * USEC_PER_SEC)

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
        sender_tell_back(sender, now);
    if (!lacks_something)
        sender->unanswered_since = mono_never();
    else if (has_progressed || mono_is_never(sender->unanswered_since))
        sender->unanswered_since = now;
}

/* --- sending --- */

/* The reader needs nothing up to `position` any more, or again what lies behind it. */
void sender_pass_on(Sender *sender, uint64_t before) {
    uint64_t now = sender->flow.acknowledged;
    if (now == before)
        return;
    if (now > before)
        metric_add(sender->acknowledged, now - before);
    sender->source.on_acknowledged(sender->userdata, now);
    follow_silence(sender, now > before);
}

uint64_t sender_oldest(const Sender *sender) {
    uint64_t held = sender->source.oldest(sender->userdata);
    return held > sender->given_up ? held : sender->given_up + 1;
}

void sender_begin_stream(Sender *sender, uint64_t stream) {
    sender->stream = stream;
    sender->given_up = 0;
    outflow_stream_is_new(&sender->flow);
}

/* Another reader of the same frames may have made a new stream of them. */
static void follow_stream(Sender *sender) {
    uint64_t stream = sender->source.stream ? sender->source.stream(sender->userdata) : sender->stream;
    if (stream != sender->stream)
        sender_begin_stream(sender, stream);
}

/* 1: it is as if acknowledged; 0: something before it is still under way. */
static int give_up(Sender *sender, uint64_t position, size_t size) {
    Mono now = service_now(sender->service);
    if (sender->flow.acknowledged + 1 != position)
        return 0;
    outflow_sent(&sender->flow, now);
    (void)outflow_acknowledge(&sender->flow, position, false, position + 1, now);
    sender->given_up = position;
    sender_tell_lost(sender, position, size);
    sender->source.on_acknowledged(sender->userdata, position);
    return 1;
}

/* 1: `position` and perhaps more behind it is gone, because every reader has it, and sending goes on
 * behind that; 0: it is not there yet. */
static int pass_over(Sender *sender, uint64_t position) {
    uint64_t before = sender->flow.acknowledged, first = sender_oldest(sender);
    if (position >= first)
        return 0;
    (void)outflow_acknowledge(&sender->flow, before, true, first, service_now(sender->service));
    sender_pass_on(sender, before);
    return 1;
}

static int wait_to_read(Sender *sender, int error) {
    if (!sender->is_unreadable)
        sender_tell_unreadable(sender, error, READ_RETRY_USEC);
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
                     .oldest = sender_oldest(sender)};
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

    /* A reader of the first implementation that is there does not wait for topics that it does not know. */
    if (sender->protocol == PROTOCOL_V0 && link_has_other_topics(sender->data, frame, size)) {
        outflow_sent(&sender->flow, service_now(sender->service));
        return 1;
    }
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
    return !sender->is_link_full && !sender->is_fenced && mono_is_never(sender->read_again_at) &&
           outflow_next(&sender->flow, ret_position);
}

int sender_turn(Sender *sender) {
    uint64_t position, before = sender->flow.acknowledged;
    int r = 1;
    follow_stream(sender);
    for (unsigned i = 0; i < FRAMES_PER_TURN && r > 0 && may_send(sender, &position); i++)
        r = send_one(sender, position);
    if (r > 0 && may_send(sender, &position))
        timer_set(sender->turn_timer, mono_after(service_now(sender->service), TURN_PAUSE_USEC));
    if (sender->protocol == PROTOCOL_V0)
        sender_pass_on(sender, before);
    follow_silence(sender, false);
    sender_count(sender);
    arm(sender);
    return r < 0 ? r : 0;
}

/* For callers who cannot end the process themselves. */
static void send_or_end(Sender *sender) {
    int r = sender_turn(sender);
    if (r >= 0)
        return;
    journal_note(LOG_ERR, "link %s: cannot send: %s", link_name(sender->data), strerror(-r));
    service_exit(sender->service, EXIT_FAILURE);
}

static int on_turn(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    return sender_turn(userdata);
}

static int on_tick(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    Sender *sender = userdata;
    (void)outflow_tick(&sender->flow, now);
    if (mono_reached(now, sender->read_again_at))
        sender->read_again_at = mono_never();
    if (!sender->is_away_told && !mono_is_never(sender->unanswered_since) &&
        mono_reached(now, mono_after(sender->unanswered_since, READER_AWAY_USEC)))
        sender_tell_away(sender, now);
    return sender_turn(sender);
}

void sender_add(Sender *sender, uint64_t last) {
    outflow_add(&sender->flow, last);
    send_or_end(sender);
}

int sender_on_writable(Sender *sender) {
    sender->is_link_full = false;
    return sender_turn(sender);
}

void sender_reader_is_there(Sender *sender, bool is_there) {
    outflow_reader_is_there(&sender->flow, is_there);
    sender->is_link_full = false;
    send_or_end(sender);
}

int sender_make_timers(Sender *sender) {
    int r = timer_new(sender->service, on_turn, sender, &sender->turn_timer);
    if (r >= 0)
        r = timer_new(sender->service, on_tick, sender, &sender->tick_timer);
    if (r >= 0)
        timer_set(sender->turn_timer, service_now(sender->service)); /* what an earlier life left */
    return r;
}
