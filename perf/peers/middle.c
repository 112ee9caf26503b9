/* What could stand between sensors and analytics in our broker's place: nothing but ZeroMQ, or that and the reading of each
 * event. Neither keeps anything.
 *
 * Both ask the sensors for events only once somebody has asked them, so a publisher that has a subscriber knows that the way
 * is open to its end. (A proxy does so by itself.) */
#include "peers.h"

#include "base/macro.h"
#include "base/problem.h"
#include "wire/endpoints.h"
#include "wire/messages.h"

#include <stdio.h>
#include <zmq.h>

static int failed(const char *what) {
    fprintf(stderr, "peers: %s: %s\n", what, zmq_strerror(zmq_errno()));
    return 2;
}

static void *open_socket(void *context, int type) {
    void *socket = zmq_socket(context, type);
    int high_water_mark = endpoints[ENDPOINT_BROKER].high_water_mark;
    if (socket && (zmq_setsockopt(socket, ZMQ_RCVHWM, &high_water_mark, sizeof high_water_mark) != 0 ||
                   zmq_setsockopt(socket, ZMQ_SNDHWM, &high_water_mark, sizeof high_water_mark) != 0))
        return NULL;
    return socket;
}

static bool connect_to_sensors(void *socket) {
    static const EndpointId sensors[] = {ENDPOINT_SENSOR_CAMERA, ENDPOINT_SENSOR_INDUCTIVE,
                                         ENDPOINT_SENSOR_GPS};
    char address[64];
    for (size_t i = 0; i < ARRAY_LEN(sensors); i++) {
        (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%u", endpoints[sensors[i]].port);
        if (zmq_connect(socket, address) != 0)
            return false;
    }
    return true;
}

static bool bind_as_broker(void *socket) {
    char address[64];
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%u", endpoints[ENDPOINT_BROKER].port);
    return zmq_bind(socket, address) == 0;
}

static bool wait_for_subscriber(void *publisher) {
    zmq_msg_t subscription;
    zmq_msg_init(&subscription);
    bool is_there = zmq_msg_recv(&subscription, publisher, 0) >= 0;
    zmq_msg_close(&subscription);
    return is_there;
}

int middle_proxy(void) {
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_XSUB), *out = open_socket(context, ZMQ_XPUB);
    if (!in || !out || !bind_as_broker(out) || !connect_to_sensors(in))
        return failed("zmq-proxy");
    (void)zmq_proxy(in, out, NULL);
    return failed("zmq_proxy()");
}

int middle_forward(void) {
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_SUB), *out = open_socket(context, ZMQ_XPUB);
    scoped(decoder_freep) Decoder *decoder = NULL;
    static Message event;
    Refusal refusal;
    Problem problem;
    zmq_msg_t frame;
    if (decoder_new(&decoder) < 0 || !in || !out || !bind_as_broker(out) || !wait_for_subscriber(out) ||
        zmq_setsockopt(in, ZMQ_SUBSCRIBE, "", 0) != 0 || !connect_to_sensors(in))
        return failed("forward");
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, in, 0) >= 0) {
        if (message_decode(decoder, MESSAGE_FAMILY_EVENT, zmq_msg_data(&frame), zmq_msg_size(&frame), &event,
                           &refusal, &problem) < 0)
            fprintf(stderr, "peers: forward: refused: %s\n", problem.text);
        else if (zmq_msg_send(&frame, out, 0) < 0)
            return failed("forward: send");
    }
    return failed("forward: receive");
}
