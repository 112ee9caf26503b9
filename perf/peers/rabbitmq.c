/* AMQP over librabbitmq: a durable quorum queue, persistent messages, publisher confirms, and a consumer that acknowledges
 * all that it has taken at once. The library has no threads: confirms are read between two publishes. */
#include "peers.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdlib.h>

enum {
    PORT = 5672,
    CHANNEL = 1,
    FRAME_MAX_BYTES = 131072,
    WINDOW = 1000,
    ACK_EVERY = 64,
    HEAR_EVERY = 64,
    CONFIRMS_AHEAD = 4096,
    PERSISTENT = 2
};

static const char queue[] = "traffic";

typedef struct Rabbitmq {
    const Transport *transport;
    Client *client;
    amqp_connection_state_t publishing, consuming;
    uint64_t n_published;
    /* So many without a gap, and of those behind them number n where n % CONFIRMS_AHEAD says so. */
    uint64_t n_confirmed;
    bool is_confirmed[CONFIRMS_AHEAD];
    unsigned n_owed;
} Rabbitmq;

/* 0, or -1 after the reason was told. */
static int check_reply(const Rabbitmq *rabbitmq, amqp_connection_state_t connection, const char *what) {
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return 0;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        return peer_failed(rabbitmq->transport, "%s: the server refuses (method 0x%x)", what, reply.reply.id);
    default:
        return peer_failed(rabbitmq->transport, "%s: %s", what, amqp_error_string2(reply.library_error));
    }
}

static int connect_to(const Rabbitmq *rabbitmq, amqp_connection_state_t *ret) {
    *ret = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(*ret);
    int r = socket ? amqp_socket_open(socket, "127.0.0.1", PORT) : AMQP_STATUS_NO_MEMORY;
    if (r != AMQP_STATUS_OK)
        return peer_failed(rabbitmq->transport, "cannot connect to 127.0.0.1:%d: %s", PORT,
                           amqp_error_string2(r));
    amqp_rpc_reply_t reply =
        amqp_login(*ret, "/", 0, FRAME_MAX_BYTES, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return peer_failed(rabbitmq->transport, "the server lets nobody in");
    amqp_channel_open(*ret, CHANNEL);
    return check_reply(rabbitmq, *ret, "cannot open a channel");
}

static int make_queue(const Rabbitmq *rabbitmq) {
    amqp_table_entry_t type = {
        .key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
    amqp_queue_declare(rabbitmq->publishing, CHANNEL, amqp_cstring_bytes(queue), 0, 1, 0, 0,
                       (amqp_table_t){1, &type});
    return check_reply(rabbitmq, rabbitmq->publishing, "cannot make the queue");
}

static int start_consumer(const Rabbitmq *rabbitmq) {
    amqp_basic_qos(rabbitmq->consuming, CHANNEL, 0, WINDOW, 0);
    if (check_reply(rabbitmq, rabbitmq->consuming, "cannot set the prefetch") < 0)
        return -1;
    amqp_basic_consume(rabbitmq->consuming, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    return check_reply(rabbitmq, rabbitmq->consuming, "cannot consume");
}

static int rabbitmq_open(const Transport *transport, Client *client, bool is_steady, void **ret) {
    (void)is_steady;
    Rabbitmq *rabbitmq = calloc(1, sizeof *rabbitmq);
    if (!rabbitmq)
        return peer_failed(transport, "out of memory");
    *ret = rabbitmq;
    rabbitmq->transport = transport;
    rabbitmq->client = client;
    if (connect_to(rabbitmq, &rabbitmq->publishing) < 0 || connect_to(rabbitmq, &rabbitmq->consuming) < 0 ||
        make_queue(rabbitmq) < 0)
        return -1;
    amqp_confirm_select(rabbitmq->publishing, CHANNEL);
    return check_reply(rabbitmq, rabbitmq->publishing, "cannot have confirms") < 0 ? -1
                                                                                   : start_consumer(rabbitmq);
}

/* One confirm may stand for all before it, and they come in any order. */
static void take_confirm(Rabbitmq *rabbitmq, const amqp_basic_ack_t *ack) {
    uint64_t first = ack->multiple ? rabbitmq->n_confirmed + 1 : ack->delivery_tag;
    for (uint64_t n = first; n <= ack->delivery_tag; n++)
        rabbitmq->is_confirmed[n % CONFIRMS_AHEAD] = true;
    for (bool *next; *(next = &rabbitmq->is_confirmed[(rabbitmq->n_confirmed + 1) % CONFIRMS_AHEAD]);
         rabbitmq->n_confirmed++)
        *next = false;
}

/* Until at most `most` confirms are owed, or none comes within `patience`. */
static int hear_confirms(Rabbitmq *rabbitmq, uint64_t most, struct timeval patience) {
    amqp_frame_t frame;
    while (rabbitmq->n_published - rabbitmq->n_confirmed > most) {
        int r = amqp_simple_wait_frame_noblock(rabbitmq->publishing, &frame, &patience);
        if (r == AMQP_STATUS_TIMEOUT)
            return 0;
        if (r != AMQP_STATUS_OK)
            return peer_failed(rabbitmq->transport, "cannot read confirms: %s", amqp_error_string2(r));
        if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
            return peer_failed(rabbitmq->transport, "expected a confirm, got method 0x%x",
                               frame.payload.method.id);
        take_confirm(rabbitmq, frame.payload.method.decoded);
        amqp_maybe_release_buffers(rabbitmq->publishing);
    }
    return 0;
}

static int rabbitmq_publish(void *state, const Event *event) {
    Rabbitmq *rabbitmq = state;
    const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                                .delivery_mode = PERSISTENT};
    const amqp_bytes_t body = {event->size, (void *)event->text}; /* it is not written to */
    int r = amqp_basic_publish(rabbitmq->publishing, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(queue), 0,
                               0, &properties, body);
    if (r != AMQP_STATUS_OK)
        return peer_failed(rabbitmq->transport, "cannot publish: %s", amqp_error_string2(r));
    if (++rabbitmq->n_published % HEAR_EVERY > 0)
        return 0;
    if (hear_confirms(rabbitmq, 0, (struct timeval){0}) < 0)
        return -1;
    const struct timeval patience = {.tv_sec = PEER_PATIENCE_SEC};
    return hear_confirms(rabbitmq, CONFIRMS_AHEAD - HEAR_EVERY - 1, patience);
}

static int rabbitmq_settle(void *state) {
    Rabbitmq *rabbitmq = state;
    if (hear_confirms(rabbitmq, 0, (struct timeval){.tv_sec = PEER_PATIENCE_SEC}) < 0)
        return -1;
    return rabbitmq->n_confirmed >= rabbitmq->n_published
               ? 0
               : peer_failed(rabbitmq->transport, "expected %llu confirms, got %llu",
                             (unsigned long long)rabbitmq->n_published,
                             (unsigned long long)rabbitmq->n_confirmed);
}

static int rabbitmq_consume(void *state) {
    Rabbitmq *rabbitmq = state;
    struct timeval patience = {.tv_usec = CONSUME_MSEC * 1000};
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(rabbitmq->consuming);
    amqp_rpc_reply_t reply = amqp_consume_message(rabbitmq->consuming, &envelope, &patience, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT)
        return 0;
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return peer_failed(rabbitmq->transport, "cannot consume: %s",
                           amqp_error_string2(reply.library_error));
    client_consumed(rabbitmq->client, envelope.message.body.bytes, envelope.message.body.len);
    int r = AMQP_STATUS_OK;
    bool is_last = !amqp_frames_enqueued(rabbitmq->consuming) && !amqp_data_in_buffer(rabbitmq->consuming);
    if (++rabbitmq->n_owed >= ACK_EVERY || is_last) {
        r = amqp_basic_ack(rabbitmq->consuming, CHANNEL, envelope.delivery_tag, 1);
        rabbitmq->n_owed = 0;
    }
    amqp_destroy_envelope(&envelope);
    return r == AMQP_STATUS_OK
               ? 0
               : peer_failed(rabbitmq->transport, "cannot acknowledge: %s", amqp_error_string2(r));
}

static void rabbitmq_close(void *state) {
    Rabbitmq *rabbitmq = state;
    amqp_connection_state_t both[] = {rabbitmq->publishing, rabbitmq->consuming};
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        (void)amqp_connection_close(both[i], AMQP_REPLY_SUCCESS);
        (void)amqp_destroy_connection(both[i]);
    }
    free(rabbitmq);
}

const Transport rabbitmq_quorum = {.name = "rabbitmq-quorum",
                                   .window = WINDOW,
                                   .open = rabbitmq_open,
                                   .publish = rabbitmq_publish,
                                   .settle = rabbitmq_settle,
                                   .consume = rabbitmq_consume,
                                   .close = rabbitmq_close};
