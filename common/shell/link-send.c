/* Sending on links, and waiting when they are full. Knows when a link takes messages; what is kept meanwhile
 * is the caller's.
 *
 * The subtle thing: an XPUB socket always claims to be writable, and with ZMQ_XPUB_NODROP the only way to ask
 * is to send. So the first frame that finds it full is held here, as sent, and offered again every
 * millisecond; the link is full until it went. PUSH and DEALER tell the truth and wait in the hub. A frame
 * that nobody subscribes to is not sent at all, for XPUB would throw it away in silence. */
#include "shell/link-private.h"

#include "shell/journal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_USEC     USEC_PER_MSEC
#define TELL_WAIT_USEC USEC_PER_SEC /* a busy link is full hundreds of times a second: that is no news */

static void tell(Link *link, JournalEvent event, const char *text) {
    JournalField fields[1];
    snprintf(fields[0], sizeof fields[0], "TRAFFIC_LINK=%s", link->name);
    journal_event(event, fields, 1, "link %s %s", link->name, text);
}

static int on_tell_time(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    Link *link = userdata;
    link->is_wait_told = true;
    tell(link, JOURNAL_PAUSED,
         "has taken nothing for a second: its reader is slow or away, the sender waits");
    return 0;
}

/* The link takes messages again. */
static int resume(Link *link) {
    if (!link->is_waiting)
        return 0;
    link->is_waiting = false;
    timer_clear(link->tell_timer);
    if (link->is_wait_told)
        tell(link, JOURNAL_RESUMED, "takes messages again");
    link->is_wait_told = false;
    return link->handlers.on_writable ? link->handlers.on_writable(link, link->userdata) : 0;
}

static int on_writable(void *socket, void *userdata) {
    (void)socket;
    return resume(userdata);
}

static int wait_for_room(Link *link) {
    if (link->lets_drop && link->pattern != WIRE_XPUB)
        return -EAGAIN;
    if (!link->is_waiting) {
        link->is_waiting = true;
        metric_add(link->waits, 1);
        /* A wait that goes on after a futile on_writable is still the same wait to the operator. */
        timer_set(link->tell_timer, mono_after(service_now(link->service), TELL_WAIT_USEC));
    }
    if (link->pattern != WIRE_XPUB)
        zsource_when_writable(link->source, on_writable);
    return -EAGAIN;
}

/* --- XPUB --- */

static int hold(Link *link, const void *data, size_t size) {
    memcpy(link->held, data, size);
    link->held_size = size;
    link->is_holding = true;
    timer_set(link->retry_timer, mono_after(service_now(link->service), RETRY_USEC));
    return 0;
}

/* Offers the held frame again. 1: it went; 0: still held. */
static int offer_held(Link *link) {
    /* Its subscriber left: hold it for the next one; link_sending_subscribed() comes back here. */
    if (!topic_set_matches(&link->topics, link->held, link->held_size))
        return 0;
    zsource_touch(link->source);
    int r = zsocket_send(link->socket, link->held, link->held_size);
    if (r == -EAGAIN) {
        timer_set(link->retry_timer, mono_after(service_now(link->service), RETRY_USEC));
        return 0;
    }
    if (r < 0)
        return r;
    link->is_holding = false;
    timer_clear(link->retry_timer);
    metric_add(link->frames_out, 1);
    return 1;
}

static int on_retry_time(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    int r = offer_held(userdata);
    return r <= 0 ? r : resume(userdata);
}

int link_sending_subscribed(Link *link) {
    if (link->is_holding) {
        int r = offer_held(link);
        if (r <= 0)
            return r;
    }
    return resume(link);
}

static int publish(Link *link, const void *data, size_t size) {
    if (link->is_holding || !topic_set_matches(&link->topics, data, size))
        return wait_for_room(link);
    zsource_touch(link->source);
    int r = zsocket_send(link->socket, data, size);
    if (r == -EAGAIN)
        return hold(link, data, size);
    if (r == 0)
        metric_add(link->frames_out, 1);
    return r;
}

/* --- all patterns --- */

void link_let_drop(Link *link) {
    const int drop = 0;
    link->lets_drop = true;
    if (link->pattern == WIRE_XPUB)
        zmq_setsockopt(link->socket, ZMQ_XPUB_NODROP, &drop, sizeof drop); /* XPUB sockets all have it */
}

static int hand_over(Link *link, const void *data, size_t size) {
    zsource_touch(link->source);
    int r = link->pattern == WIRE_DEALER ? zsocket_request(link->socket, data, size)
                                         : zsocket_send(link->socket, data, size);
    if (r == -EAGAIN)
        return wait_for_room(link);
    if (r == 0)
        metric_add(link->frames_out, 1);
    return r;
}

int link_send(Link *link, const void *data, size_t size) {
    assert(link->pattern == WIRE_XPUB || link->pattern == WIRE_PUSH || link->pattern == WIRE_DEALER);
    if (size > FRAME_MAX_BYTES)
        return -EMSGSIZE;
    return link->pattern == WIRE_XPUB ? publish(link, data, size) : hand_over(link, data, size);
}

int link_send_to(Link *link, const LinkRoute *route, const void *data, size_t size) {
    assert(link->pattern == WIRE_ROUTER);
    if (size > REPLY_MAX_BYTES)
        return -EMSGSIZE;
    zsource_touch(link->source);
    int r = zsocket_answer(link->socket, route, data, size);
    if (r == 0)
        metric_add(link->frames_out, 1);
    else if (r == -EAGAIN || r == -EHOSTUNREACH)
        metric_add(link->unanswered, 1);
    return r;
}

int link_sending_init(Link *link) {
    if (link->pattern == WIRE_XPUB) {
        link->held = malloc(FRAME_MAX_BYTES);
        if (!link->held)
            return -ENOMEM;
    }
    int r = timer_new(link->service, on_retry_time, link, &link->retry_timer);
    return r < 0 ? r : timer_new(link->service, on_tell_time, link, &link->tell_timer);
}

/* The held frame counts as sent, so it gets as long to leave as those in the socket. Nobody else turns any
 * more: the service ends. */
static void send_held(const Link *link) {
    const struct timespec pause = {.tv_nsec = RETRY_USEC * 1000};
    for (unsigned i = 0; i < link->linger_msec; i++) {
        int r = zsocket_send(link->socket, link->held, link->held_size);
        if (r == 0)
            metric_add(link->frames_out, 1);
        if (r != -EAGAIN)
            return;
        nanosleep(&pause, NULL);
    }
}

void link_sending_end(Link *link) {
    if (link->is_holding && topic_set_matches(&link->topics, link->held, link->held_size))
        send_held(link);
    timer_free(link->retry_timer);
    timer_free(link->tell_timer);
    free(link->held);
}
