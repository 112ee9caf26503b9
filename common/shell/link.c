/* Links in the loop: opening, receiving, refusing, closing. Sending is link-send.c, socket options are
 * zsocket.c; what a frame means is the service's business.
 *
 * A refusal never reaches the service as an error: a frame that is not one frame is counted, told and
 * forgotten here. */
#include "shell/link-private.h"
#include "shell/link-protocol.h"
#include "shell/pipe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages per turn of the loop: at 20 us each a timer waits at most about a millisecond. */
enum { LINK_BUDGET = 64, DISCONNECT_JOURNAL_BURST = 3 };
#define DISCONNECT_JOURNAL_USEC (60 * USEC_PER_SEC)

const char *link_name(const Link *link) {
    return link->name;
}

EndpointId link_endpoint(const Link *link) {
    return link->id;
}

void link_set_linger(Link *link, unsigned linger_msec) {
    link->linger_msec = linger_msec;
}

void link_pause(Link *link, bool paused) {
    if (link->pattern != WIRE_XPUB)
        zsource_pause(link->source, paused);
}

bool link_has_subscriber(const Link *link, const char *topic) {
    return topic_set_matches(&link->topics, topic, strlen(topic));
}

bool link_has_other_topics(const Link *link, const void *frame, size_t size) {
    return link->pattern == WIRE_XPUB && link->topics.n > 0 && !topic_set_matches(&link->topics, frame, size);
}

void link_refuse(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem) {
    refusals_report(&link->refusals, service_now(link->service), frame, refusal, problem);
}

int link_decode(Link *link, const LinkFrame *frame, Decoder *decoder, MessageFamily family, Message *ret) {
    Refusal refusal;
    Problem problem = {{0}};
    int r = message_decode(decoder, family, frame->data, frame->size, ret, &refusal, &problem);
    if (r != -EBADMSG)
        return r < 0 ? r : 1;
    link_refuse(link, frame, refusal, &problem);
    return 0;
}

/* --- receiving --- */

static int refuse_parts(Link *link, Incoming *incoming) {
    Problem problem;
    problem_set(&problem, -EBADMSG, "expected a message of one frame, got one of %zu", incoming->n_parts);
    link_refuse(link, &incoming->frame, REFUSAL_NOT_ONE_FRAME, &problem);
    if (!link->handlers.on_refused || !incoming->has_route)
        return 0;
    return link->handlers.on_refused(link, &incoming->frame, REFUSAL_NOT_ONE_FRAME, &problem, link->userdata);
}

static int refuse_name(Link *link, Incoming *incoming) {
    Problem problem;
    problem_set(&problem, -EBADMSG, "expected a peer whose routing id has at most %d bytes, got a longer one",
                LINK_ROUTE_MAX_BYTES);
    link_refuse(link, &incoming->frame, REFUSAL_TOO_LARGE, &problem);
    return 0;
}

/* XPUB: the first byte says subscribed (1) or not (0), the topic follows. */
static int take_subscription(Link *link, const LinkFrame *frame) {
    Problem problem;
    if (frame->size == 0 || (unsigned char)frame->data[0] > 1) {
        problem_set(&problem, -EBADMSG, "expected a subscription, got %zu bytes of something else",
                    frame->size);
        link_refuse(link, frame, REFUSAL_UNKNOWN_TYPE, &problem);
        return 0;
    }

    bool is_subscribed = frame->data[0];
    const char *topic = frame->data + 1;
    size_t size = frame->size - 1;
    int r = 0;
    if (is_subscribed)
        r = topic_set_add(&link->topics, topic, size);
    else
        topic_set_remove(&link->topics, topic, size);
    if (r < 0) {
        problem_set(&problem, r, "expected at most %d topics of at most %d bytes, got another of %zu bytes",
                    TOPICS_MAX, TOPIC_MAX_BYTES, size);
        link_refuse(link, frame, REFUSAL_TOO_LARGE, &problem);
        return 0;
    }
    if (link->handlers.on_subscription)
        link->handlers.on_subscription(link, topic, size, is_subscribed, link->userdata);
    return is_subscribed ? link_sending_subscribed(link) : 0;
}

static int take_message(Link *link, Incoming *incoming) {
    if (incoming->n_parts != 1)
        return refuse_parts(link, incoming);
    if (link->pattern == WIRE_XPUB)
        return take_subscription(link, &incoming->frame);
    if (link->pattern == WIRE_ROUTER && !incoming->has_route)
        return refuse_name(link, incoming);
    metric_add(link->frames_in, 1);
    return link->handlers.on_frame(link, &incoming->frame, link->userdata);
}

static int on_readable(void *socket, void *userdata) {
    Link *link = userdata;
    Incoming incoming;
    int r = incoming_receive(socket, link->pattern, &incoming);
    if (r <= 0)
        return r;
    r = take_message(link, &incoming);
    incoming_release(&incoming);
    return r < 0 ? r : 1;
}

/* --- peers that come and go --- */

/* Clients come and go on ROUTER links; on the others somebody should be there all the time. */
static void tell_disconnect(Link *link) {
    uint64_t held_back;
    if (link->pattern == WIRE_ROUTER ||
        !journal_limit_pass(&link->disconnect_limit, service_now(link->service), &held_back))
        return;
    char others[64] = "";
    if (held_back > 0)
        snprintf(others, sizeof others, " (and %" PRIu64 " more since the last entry)", held_back);
    JournalField fields[1];
    snprintf(fields[0], sizeof fields[0], "TRAFFIC_LINK=%s", link->name);
    journal_event(
        JOURNAL_PEER_CUT, fields, 1,
        "a peer of link %s was disconnected: it ended, the network failed, or it sent a frame above %d "
        "bytes%s",
        link->name, FRAME_MAX_BYTES, others);
}

/* A monitor sends two frames for each event: number and value, then the address, which for a bound socket is
 * its own. */
static int on_connection(void *monitor, void *userdata) {
    Link *link = userdata;
    Incoming event;
    int r = incoming_receive(monitor, WIRE_PULL, &event);
    if (r <= 0)
        return r;
    uint16_t number = 0;
    if (event.frame.size >= sizeof number)
        memcpy(&number, event.frame.data, sizeof number);
    incoming_release(&event);
    if (number == ZMQ_EVENT_DISCONNECTED) {
        metric_add(link->disconnects, 1);
        tell_disconnect(link);
    }
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && link->on_connected)
        link->on_connected(link, link->connected_userdata);
    return 1;
}

static int watch_peers(Link *link) {
    int r = zsocket_watch(service_zmq(link->service), link->socket, &link->monitor);
    if (r < 0)
        return r;
    return zsource_new(service_hub(link->service), link->monitor, LINK_BUDGET, on_connection, link,
                       &link->monitor_source);
}

int link_on_connected(Link *link, LinkConnectedFn fn, void *userdata) {
    link->on_connected = fn;
    link->connected_userdata = userdata;
    return link->monitor || !fn ? 0 : watch_peers(link);
}

/* --- opening and closing --- */

static Metric *link_counter(Link *link, const char *name, const char *help, const char *more_labels) {
    char labels[128];
    snprintf(labels, sizeof labels, "link=\"%s\"%s", link->name, more_labels);
    return metrics_counter(service_metrics(link->service), name, help, labels);
}

static void make_counters(Link *link) {
    static const char frames_help[] = "Frames that crossed the link.";
    link->frames_in = link_counter(link, "traffic_link_frames_total", frames_help, ",direction=\"in\"");
    link->frames_out = link_counter(link, "traffic_link_frames_total", frames_help, ",direction=\"out\"");
    link->waits =
        link_counter(link, "traffic_link_waits_total", "Times a sender had to wait for the link.", "");
    link->unanswered = link_counter(link, "traffic_link_unanswered_total",
                                    "Answers whose asker had gone or did not read them.", "");
    link->disconnects =
        link_counter(link, "traffic_peer_disconnected_total",
                     "Connections of peers that ended, those cut for an oversized frame included.", "");
    refusals_init(&link->refusals, service_metrics(link->service), link->name);
}

static int link_new(Service *service, EndpointId id, const char *name, WirePattern pattern,
                    const LinkHandlers *handlers, void *userdata, Link **ret) {
    Link *link = calloc(1, sizeof *link);
    if (!link)
        return -ENOMEM;
    *link = (Link){
        .service = service,
        .id = id,
        .name = strdup(name),
        .pattern = pattern,
        .handlers = handlers ? *handlers : (LinkHandlers){0},
        .userdata = userdata,
        .disconnect_limit = {.burst = DISCONNECT_JOURNAL_BURST, .per_usec = DISCONNECT_JOURNAL_USEC},
    };
    if (!link->name) {
        free(link);
        return -ENOMEM;
    }
    make_counters(link);
    *ret = link;
    return 0;
}

/* A frame without somebody to take it is a frame lost: what may arrive needs a handler. PUSH links hear
 * nothing. */
static int enter_loop(Link *link) {
    if (!link->handlers.on_frame && link->pattern != WIRE_XPUB && link->pattern != WIRE_PUSH)
        return -EINVAL;
    int r =
        zsource_new(service_hub(link->service), link->socket, LINK_BUDGET, on_readable, link, &link->source);
    return r < 0 ? r : link_sending_init(link);
}

/* Asked and answered once more, or acknowledged and otherwise sent again. */
static bool is_sent_again(const Service *service, EndpointId id) {
    return endpoints[id].bind_pattern == WIRE_ROUTER ||
           link_protocol(service_settings(service), id) == PROTOCOL_CUSTODY;
}

int link_bind(Service *service, EndpointId id, const LinkHandlers *handlers, void *userdata, Link **ret,
              Problem *problem) {
    const Endpoint *endpoint = &endpoints[id];
    scoped(link_freep) Link *link = NULL;
    int r = link_new(service, id, endpoint->name, endpoint->bind_pattern, handlers, userdata, &link);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", endpoint->name, strerror(-r));

    int fd = service_take_fd(service, endpoint->name);
    r = zsocket_bind(service_zmq(service), endpoint, service_settings(service)->bind_address, fd,
                     is_sent_again(service, id), &link->socket, problem);
    if (r < 0)
        return r;
    r = enter_loop(link);
    if (r >= 0)
        r = watch_peers(link);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", endpoint->name, strerror(-r));
    *ret = take(link);
    return 0;
}

int link_connect(Service *service, EndpointId id, const LinkHandlers *handlers, void *userdata, Link **ret,
                 Problem *problem) {
    return link_connect_topics(service, id, NULL, handlers, userdata, ret, problem);
}

int link_connect_topics(Service *service, EndpointId id, const char *const *topics,
                        const LinkHandlers *handlers, void *userdata, Link **ret, Problem *problem) {
    const Endpoint *endpoint = &endpoints[id];
    scoped(link_freep) Link *link = NULL;
    int r = link_new(service, id, endpoint->name, endpoint->connect_pattern, handlers, userdata, &link);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", endpoint->name, strerror(-r));

    r = zsocket_connect(service_zmq(service), endpoint, zsocket_host(endpoint, service_settings(service)),
                        topics, is_sent_again(service, id), &link->socket, problem);
    if (r < 0)
        return r;
    r = enter_loop(link);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", endpoint->name, strerror(-r));
    *ret = take(link);
    return 0;
}

int pipe_open(Service *service, const char *name, int high_water_mark, const LinkHandlers *handlers,
              void *userdata, Link **ret, Problem *problem) {
    scoped(link_freep) Link *link = NULL;
    int r = link_new(service, ENDPOINT_COUNT, name, WIRE_PULL, handlers, userdata, &link);
    if (r < 0)
        return problem_set(problem, r, "pipe %s: %s", name, strerror(-r));
    r = zsocket_pipe_reader(service_zmq(service), name, high_water_mark, &link->socket, problem);
    if (r < 0)
        return r;
    r = enter_loop(link);
    if (r < 0)
        return problem_set(problem, r, "pipe %s: %s", name, strerror(-r));
    *ret = take(link);
    return 0;
}

Link *link_free(Link *link) {
    if (!link)
        return NULL;
    zsource_free(link->monitor_source);
    if (link->monitor)
        zsocket_unwatch(link->socket, link->monitor);
    zsource_free(link->source);
    link_sending_end(link);
    zsocket_close(link->socket, link->linger_msec);
    topic_set_clear(&link->topics);
    free(link->name);
    free(link);
    return NULL;
}
