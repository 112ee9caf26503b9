/* Collects the events of every kind of sensor and forwards them on one link. What an event is stands in
 * gate.c, how it gets here in input.c; here is where it goes, and who gives a number to an event that came
 * without one.
 *
 * Nothing is thrown away: while the forwarding link is full, or nobody subscribes to a topic, the input of
 * that topic waits, and through it the sensor. The others go on. */
#include "broker.h"

#include "gate.h"
#include "input.h"

#include "shell/journal.h"
#include "shell/link.h"
#include "shell/producer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_PERIOD_USEC (1 * USEC_PER_SEC)

enum { LINGER_MSEC = 2000 }; /* at the end of the process: what was handed to the link may still leave it */

typedef struct Broker {
    Service *service;
    Link *output;
    Input *inputs[SENSOR_KIND_COUNT];
    size_t next_input; /* who may go first when the link takes events again */
    Timer *status_timer;
    ProducerName producer;
    int64_t sequence; /* of the events that got their identity here */
    uint64_t n_forwarded;
    Metric *forwarded, *identified;
    char frame[GATE_FRAME_MAX_BYTES];
} Broker;

static const EndpointId input_endpoints[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = ENDPOINT_SENSOR_CAMERA,
    [SENSOR_INDUCTIVE] = ENDPOINT_SENSOR_INDUCTIVE,
    [SENSOR_GPS] = ENDPOINT_SENSOR_GPS,
};

/* An InputForwardFn. A number counts only when its event has gone, so a repeated attempt gets the same
 * one. */
static int forward(const void *frame, size_t size, bool needs_identity, Problem *problem, void *userdata) {
    Broker *broker = userdata;
    if (needs_identity) {
        EventIdentity identity = {broker->producer.text, service_epoch(broker->service),
                                  broker->sequence + 1};
        int n =
            gate_add_identity(frame, size, &identity, service_wall(broker->service), broker->frame, problem);
        if (n < 0)
            return n == -EMSGSIZE ? -EBADMSG : n;
        frame = broker->frame;
        size = (size_t)n;
    }
    int r = link_send(broker->output, frame, size);
    if (r < 0)
        return r;
    broker->sequence += needs_identity;
    broker->n_forwarded++;
    metric_add(broker->forwarded, 1);
    metric_add(broker->identified, needs_identity);
    return 0;
}

/* Round robin, so that a fast topic does not always get the first free place. */
static int on_writable(Link *link, void *userdata) {
    (void)link;
    Broker *broker = userdata;
    size_t first = broker->next_input;
    broker->next_input = (first + 1) % SENSOR_KIND_COUNT;
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++) {
        Input *input = broker->inputs[(first + i) % SENSOR_KIND_COUNT];
        int r = input ? input_resume(input) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int on_status(Timer *timer, Mono now, void *userdata) {
    Broker *broker = userdata;
    size_t n_waiting = 0;
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++)
        n_waiting += input_is_waiting(broker->inputs[i]);
    service_status(broker->service, "%s; %" PRIu64 " events forwarded%s",
                   broker_mode_words[service_settings(broker->service)->broker_mode], broker->n_forwarded,
                   n_waiting ? "; some topics wait for a reader" : "");
    timer_set(timer, mono_after(now, STATUS_PERIOD_USEC));
    return 0;
}

static int open_inputs(Broker *broker, Problem *problem) {
    bool is_threaded = service_settings(broker->service)->broker_mode == BROKER_THREADED;
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++) {
        int r = is_threaded ? input_open_in_thread(broker->service, input_endpoints[i], forward, broker,
                                                   &broker->inputs[i], problem)
                            : input_open_in_loop(broker->service, input_endpoints[i], forward, broker,
                                                 &broker->inputs[i], problem);
        if (r < 0)
            return r;
    }
    return 0;
}

static int start(Service *service, void **ret_state, Problem *problem) {
    static const LinkHandlers handlers = {.on_writable = on_writable};
    static const char help[] = "Events by what became of them.";
    Broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return -ENOMEM;
    *ret_state = broker;
    broker->service = service;
    broker->forwarded =
        metrics_counter(service_metrics(service), "traffic_events_total", help, "outcome=\"forwarded\"");
    broker->identified = metrics_counter(service_metrics(service), "traffic_events_identified_total",
                                         "Events that came without an identity and got one.", "");
    broker->producer = producer_name("broker");
    int r = link_bind(service, ENDPOINT_BROKER, &handlers, broker, &broker->output, problem);
    if (r < 0)
        return r;
    link_set_linger(broker->output, LINGER_MSEC);
    if ((r = open_inputs(broker, problem)) < 0 ||
        (r = timer_new(service, on_status, broker, &broker->status_timer)) < 0)
        return r;
    timer_set(broker->status_timer, service_now(service));
    return 0;
}

static void stop(void *state) {
    Broker *broker = state;
    if (!broker)
        return;
    timer_free(broker->status_timer);
    for (size_t i = 0; i < SENSOR_KIND_COUNT; i++)
        input_free(broker->inputs[i]);
    link_free(broker->output);
    free(broker);
}

const ServiceSpec broker_service = {
    .name = "traffic-broker",
    .summary = "Collects the events of every kind of sensor and forwards them on one link.",
    .start = start,
    .stop = stop,
};
