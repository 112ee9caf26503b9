/* The sensors' three links on one side, the broker's link on the other: whatever stands between them is measured. Under
 * custody (wire/hop-text.h) each event has a position on its link and the broker says how far it has committed; the consumer
 * says so to the broker, for every so many events and when none comes for a moment. What is lost is not sent again: then the
 * figures are worth nothing, and the client says so. */
#include "peers.h"

#include "base/macro.h"
#include "base/time.h"
#include "wire/endpoints.h"
#include "wire/hop-text.h"
#include "wire/messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { FRAME_BYTES = 1024, ACK_MAX_BYTES = 256, ACK_EVERY = 256, ACK_WAIT_MSEC = 1, LINGER_MSEC = 1000 };
enum { VARIANT_V0, VARIANT_CUSTODY };

/* A sensor's link. */
typedef struct Side {
    void *data, *acks; /* acks: NULL without custody, here and below */
    Hop hop;           /* of the event that was published last */
} Side;

typedef struct Zeromq {
    const Transport *transport;
    Client *client;
    void *publishing, *consuming; /* contexts, as of two programs */
    Side sides[SENSOR_KIND_COUNT];
    Decoder *decoder;
    void *subscriber, *acks;
    Hop came; /* with the last event */
    unsigned n_owed;
} Zeromq;

static const EndpointId data_links[SENSOR_KIND_COUNT] = {[SENSOR_CAMERA] = ENDPOINT_SENSOR_CAMERA,
                                                         [SENSOR_INDUCTIVE] = ENDPOINT_SENSOR_INDUCTIVE,
                                                         [SENSOR_GPS] = ENDPOINT_SENSOR_GPS};
static const EndpointId ack_links[SENSOR_KIND_COUNT] = {[SENSOR_CAMERA] = ENDPOINT_ACK_CAMERA,
                                                        [SENSOR_INDUCTIVE] = ENDPOINT_ACK_INDUCTIVE,
                                                        [SENSOR_GPS] = ENDPOINT_ACK_GPS};

static int failed(const Zeromq *zeromq, const char *what) {
    return peer_failed(zeromq->transport, "%s: %s", what, zmq_strerror(zmq_errno()));
}

/* NULL with zmq_errno(). */
static void *open_socket(void *context, int type, EndpointId id, int (*join)(void *, const char *)) {
    char address[64];
    int linger = LINGER_MSEC, high_water_mark = endpoints[id].high_water_mark;
    void *socket = zmq_socket(context, type);
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%u", endpoints[id].port);
    if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_setsockopt(socket, ZMQ_SNDHWM, &high_water_mark, sizeof high_water_mark) != 0 ||
        zmq_setsockopt(socket, ZMQ_RCVHWM, &high_water_mark, sizeof high_water_mark) != 0 ||
        (type == ZMQ_SUB && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) != 0) || join(socket, address) != 0)
        return NULL;
    return socket;
}

static bool wait_readable(void *socket, long msec) {
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, msec) > 0;
}

/* Who subscribes to a sensor has, or keeps for, a subscriber of its own. */
static int wait_for_way(const Zeromq *zeromq) {
    char subscription[64];
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        if (!wait_readable(zeromq->sides[kind].data, PEER_PATIENCE_SEC * 1000L) ||
            zmq_recv(zeromq->sides[kind].data, subscription, sizeof subscription, 0) < 0)
            return peer_failed(
                zeromq->transport,
                "expected a subscriber of sensor link %u within %d s, none came: is a broker running?",
                endpoints[data_links[kind]].port, PEER_PATIENCE_SEC);
    return 0;
}

static uint64_t draw_stream(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec << 30 | (uint64_t)now.tv_nsec) << 2;
}

static int zeromq_open(const Transport *transport, Client *client, bool is_steady, void **ret) {
    (void)is_steady;
    bool has_custody = transport->variant == VARIANT_CUSTODY;
    Zeromq *zeromq = calloc(1, sizeof *zeromq);
    if (!zeromq)
        return peer_failed(transport, "out of memory");
    *ret = zeromq;
    zeromq->transport = transport;
    zeromq->client = client;
    zeromq->publishing = zmq_ctx_new();
    zeromq->consuming = zmq_ctx_new();
    uint64_t stream = draw_stream();
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        Side *side = &zeromq->sides[kind];
        side->hop = (Hop){.stream = stream + kind + 1, .epoch = 1, .oldest = 1};
        if (!(side->data = open_socket(zeromq->publishing, ZMQ_XPUB, data_links[kind], zmq_bind)) ||
            (has_custody &&
             !(side->acks = open_socket(zeromq->publishing, ZMQ_PULL, ack_links[kind], zmq_bind))))
            return failed(zeromq, "cannot bind a sensor's link");
    }
    if (!(zeromq->subscriber = open_socket(zeromq->consuming, ZMQ_SUB, ENDPOINT_BROKER, zmq_connect)) ||
        (has_custody &&
         !(zeromq->acks = open_socket(zeromq->consuming, ZMQ_PUSH, ENDPOINT_ACK_BROKER, zmq_connect))))
        return failed(zeromq, "cannot connect to the broker's link");
    if (has_custody && decoder_new(&zeromq->decoder) < 0)
        return peer_failed(transport, "out of memory");
    return wait_for_way(zeromq);
}

/* --- publishing --- */

static int zeromq_publish(void *state, const Event *event) {
    Zeromq *zeromq = state;
    if (zmq_send(zeromq->sides[event->kind].data, event->text, event->size, 0) < 0)
        return failed(zeromq, "cannot publish");
    return 0;
}

static int custody_publish(void *state, const Event *event) {
    Zeromq *zeromq = state;
    Side *side = &zeromq->sides[event->kind];
    char frame[FRAME_BYTES];
    side->hop.position++;
    int size = hop_put(event->text, event->size, &side->hop, frame, sizeof frame);
    return zeromq_publish(state, &(Event){event->kind, frame, (size_t)size});
}

/* How far the broker has committed: cumulative, so the last one is what counts. */
static int custody_settle(void *state) {
    Zeromq *zeromq = state;
    char frame[ACK_MAX_BYTES];
    Message message;
    Refusal refusal;
    Problem problem;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        Side *side = &zeromq->sides[kind];
        for (uint64_t acknowledged = 0; acknowledged < side->hop.position;) {
            uint64_t stream;
            if (!wait_readable(side->acks, PEER_PATIENCE_SEC * 1000L))
                return peer_failed(zeromq->transport,
                                   "expected acknowledgements up to event %llu, they ended at %llu",
                                   (unsigned long long)side->hop.position, (unsigned long long)acknowledged);
            int size = zmq_recv(side->acks, frame, sizeof frame, 0);
            if (size < 0 || size > (int)sizeof frame ||
                message_decode(zeromq->decoder, MESSAGE_FAMILY_ACK, frame, (size_t)size, &message, &refusal,
                               &problem) < 0)
                return peer_failed(zeromq->transport, "expected an acknowledgement, got something else");
            if (hop_stream_parse(message.ACK.stream, &stream) && stream == side->hop.stream)
                acknowledged = (uint64_t)message.ACK.position;
        }
    }
    return 0;
}

/* --- consuming --- */

/* What is here already. Negative: failed. */
static int take_frames(Zeromq *zeromq, int (*on_frame)(Zeromq *zeromq, const char *text, size_t size)) {
    zmq_msg_t frame;
    int r = 0;
    zmq_msg_init(&frame);
    while (r >= 0 && zmq_msg_recv(&frame, zeromq->subscriber, ZMQ_DONTWAIT) >= 0)
        r = on_frame(zeromq, zmq_msg_data(&frame), zmq_msg_size(&frame));
    if (r >= 0 && zmq_errno() != EAGAIN)
        r = failed(zeromq, "cannot receive");
    zmq_msg_close(&frame);
    return r;
}

static int take_event(Zeromq *zeromq, const char *text, size_t size) {
    client_consumed(zeromq->client, text, size);
    return 0;
}

static int zeromq_consume(void *state) {
    Zeromq *zeromq = state;
    (void)wait_readable(zeromq->subscriber, CONSUME_MSEC);
    return take_frames(zeromq, take_event);
}

static int acknowledge(Zeromq *zeromq) {
    char frame[ACK_MAX_BYTES];
    Problem problem;
    Message message = {.tag = MESSAGE_ACK};
    hop_stream_text(zeromq->came.stream, message.ACK.stream);
    message_mark(&message.ACK, Ack, stream);
    message_set(&message.ACK, Ack, position, (int64_t)zeromq->came.position);
    message_set(&message.ACK, Ack, epoch, zeromq->came.epoch);
    int size = message_encode(&message, frame, sizeof frame, &problem);
    if (size < 0 || zmq_send(zeromq->acks, frame, (size_t)size, 0) < 0)
        return failed(zeromq, "cannot acknowledge");
    zeromq->n_owed = 0;
    return 0;
}

static int take_hop_and_event(Zeromq *zeromq, const char *text, size_t size) {
    size_t event_size;
    if (!hop_find(text, size, &zeromq->came, &event_size))
        return peer_failed(zeromq->transport,
                           "expected events under custody, got one without: is protocol.analytics custody?");
    client_consumed(zeromq->client, text, event_size + 1);
    return ++zeromq->n_owed == ACK_EVERY ? acknowledge(zeromq) : 0;
}

static int custody_consume(void *state) {
    Zeromq *zeromq = state;
    if (!wait_readable(zeromq->subscriber, zeromq->n_owed > 0 ? ACK_WAIT_MSEC : CONSUME_MSEC))
        return zeromq->n_owed > 0 ? acknowledge(zeromq) : 0;
    return take_frames(zeromq, take_hop_and_event);
}

/* What is owed at the end is told, or the broker would send it to the next one. */
static void zeromq_close(void *state) {
    Zeromq *zeromq = state;
    if (zeromq->n_owed > 0)
        (void)acknowledge(zeromq);
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        zmq_close(zeromq->sides[kind].data);
        if (zeromq->sides[kind].acks)
            zmq_close(zeromq->sides[kind].acks);
    }
    zmq_close(zeromq->subscriber);
    if (zeromq->acks)
        zmq_close(zeromq->acks);
    zmq_ctx_term(zeromq->publishing);
    zmq_ctx_term(zeromq->consuming);
    decoder_free(zeromq->decoder);
    free(zeromq);
}

/* Less than half of the high-water mark (10,000) of the links on the way: a ZeroMQ writer hears of room for as many only. */
enum { WINDOW = 4000 };

const Transport zeromq_v0 = {.name = "zeromq",
                             .window = WINDOW,
                             .variant = VARIANT_V0,
                             .open = zeromq_open,
                             .publish = zeromq_publish,
                             .consume = zeromq_consume,
                             .close = zeromq_close};
const Transport zeromq_custody = {.name = "zeromq-custody",
                                  .window = WINDOW,
                                  .variant = VARIANT_CUSTODY,
                                  .open = zeromq_open,
                                  .publish = custody_publish,
                                  .settle = custody_settle,
                                  .consume = custody_consume,
                                  .close = zeromq_close};
