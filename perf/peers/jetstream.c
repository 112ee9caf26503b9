/* JetStream over libnats: a stream in files with one or three replicas, published to asynchronously and consumed by a durable
 * push consumer, whose acknowledgements stand for all before them, as ours do. */
#include "peers.h"

#include <nats/nats.h>
#include <stdlib.h>
#include <time.h>

enum { ACK_EVERY = 64, WINDOW_MAX = 4000, RETRY_NSEC = 50000000, RETRIES = PEER_PATIENCE_SEC * 20 };

static const char stream_name[] = "TRAFFIC", subject[] = "traffic.>";

typedef struct Jetstream {
    const Transport *transport;
    Client *client;
    natsConnection *publishing, *consuming;
    jsCtx *publisher, *consumer;
    natsSubscription *subscription;
    unsigned n_owed;
} Jetstream;

static int failed(const Jetstream *jetstream, const char *what, natsStatus status) {
    return peer_failed(jetstream->transport, "%s: %s", what, natsStatus_GetText(status));
}

static natsStatus connect_to(bool is_steady, natsConnection **ret_connection, jsCtx **ret_context) {
    static const char *servers[] = {"nats://127.0.0.1:4222"};
    natsOptions *options = NULL;
    jsOptions context_options;
    jsOptions_Init(&context_options);
    context_options.PublishAsync.MaxPending = 2 * WINDOW_MAX;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = natsOptions_SetServers(options, servers, 1);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options,
                                         is_steady); /* the library collects for a millisecond otherwise */
    if (status == NATS_OK)
        status = natsConnection_Connect(ret_connection, options);
    if (status == NATS_OK)
        status = natsConnection_JetStream(ret_context, *ret_connection, &context_options);
    natsOptions_Destroy(options);
    return status;
}

/* A cluster has to find its leaders first. */
static natsStatus make_stream(Jetstream *jetstream) {
    const struct timespec pause = {0, RETRY_NSEC};
    const char *subjects[] = {subject};
    jsStreamConfig config;
    natsStatus status = NATS_ERR;
    jsStreamConfig_Init(&config);
    config.Name = stream_name;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.Replicas = jetstream->transport->variant;
    for (int i = 0; i < RETRIES && status != NATS_OK; i++) {
        status = js_AddStream(NULL, jetstream->publisher, &config, NULL, NULL);
        if (status != NATS_OK)
            (void)nanosleep(&pause, NULL);
    }
    return status;
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *userdata) {
    (void)connection;
    Jetstream *jetstream = userdata;
    int n_waiting = 0;
    client_consumed(jetstream->client, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    (void)natsSubscription_GetPending(subscription, &n_waiting, NULL);
    if (++jetstream->n_owed >= ACK_EVERY || n_waiting == 0) {
        (void)natsMsg_Ack(message, NULL);
        jetstream->n_owed = 0;
    }
    natsMsg_Destroy(message);
}

static natsStatus subscribe(Jetstream *jetstream) {
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.ManualAck = true;
    options.Stream = stream_name;
    options.Config.Durable = "analytics";
    options.Config.AckPolicy = js_AckAll;
    options.Config.MaxAckPending = 2 * WINDOW_MAX;
    return js_Subscribe(&jetstream->subscription, jetstream->consumer, subject, on_message, jetstream, NULL,
                        &options, NULL);
}

static int jetstream_open(const Transport *transport, Client *client, bool is_steady, void **ret) {
    Jetstream *jetstream = calloc(1, sizeof *jetstream);
    if (!jetstream)
        return peer_failed(transport, "out of memory");
    *ret = jetstream;
    jetstream->transport = transport;
    jetstream->client = client;
    natsStatus status = connect_to(is_steady, &jetstream->publishing, &jetstream->publisher);
    if (status == NATS_OK)
        status = connect_to(is_steady, &jetstream->consuming, &jetstream->consumer);
    if (status != NATS_OK)
        return failed(jetstream, "cannot connect to 127.0.0.1:4222", status);
    status = make_stream(jetstream);
    if (status != NATS_OK)
        return failed(jetstream, "cannot make the stream", status);
    status = subscribe(jetstream);
    return status == NATS_OK ? 0 : failed(jetstream, "cannot subscribe", status);
}

static int jetstream_publish(void *state, const Event *event) {
    static const char *const subjects[SENSOR_KIND_COUNT] = {"traffic.camara", "traffic.espira",
                                                            "traffic.gps"};
    Jetstream *jetstream = state;
    natsStatus status =
        js_PublishAsync(jetstream->publisher, subjects[event->kind], event->text, (int)event->size, NULL);
    return status == NATS_OK ? 0 : failed(jetstream, "cannot publish", status);
}

static int jetstream_settle(void *state) {
    Jetstream *jetstream = state;
    natsMsgList refused = {0};
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = PEER_PATIENCE_SEC * 1000;
    natsStatus status = js_PublishAsyncComplete(jetstream->publisher, &options);
    if (status == NATS_OK && js_PublishAsyncGetPendingList(&refused, jetstream->publisher) == NATS_OK &&
        refused.Count > 0)
        status = NATS_TIMEOUT;
    natsMsgList_Destroy(&refused);
    return status == NATS_OK ? 0 : failed(jetstream, "not everything was confirmed", status);
}

/* The next run begins with an empty stream. */
static void jetstream_close(void *state) {
    Jetstream *jetstream = state;
    natsSubscription_Destroy(jetstream->subscription);
    (void)js_DeleteStream(jetstream->publisher, stream_name, NULL, NULL);
    jsCtx_Destroy(jetstream->publisher);
    jsCtx_Destroy(jetstream->consumer);
    natsConnection_Destroy(jetstream->publishing);
    natsConnection_Destroy(jetstream->consuming);
    nats_Close();
    free(jetstream);
}

#define JETSTREAM(replicas, events)                                                                          \
    {                                                                                                        \
        .name = "jetstream-r" #replicas, .window = (events), .variant = (replicas), .open = jetstream_open,  \
        .publish = jetstream_publish, .settle = jetstream_settle, .close = jetstream_close                   \
    }

const Transport jetstream_r1 = JETSTREAM(1, WINDOW_MAX);
const Transport jetstream_r3 = JETSTREAM(3, 1000);
