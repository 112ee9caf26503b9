/* MQTT over libmosquitto, with QoS 0 or 1: two clients, each with the library's thread. */
#include "peers.h"

#include <mosquitto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { PORT = 1883, KEEP_ALIVE_SEC = 60, SETTLE_PAUSE_NSEC = 1000000 };

typedef struct Mosquitto {
    const Transport *transport;
    Client *client;
    struct mosquitto *publisher, *consumer;
    uint64_t n_published;
    _Atomic uint64_t n_confirmed;
    atomic_bool is_subscribed;
} Mosquitto;

static void on_connect(struct mosquitto *consumer, void *userdata, int refusal) {
    const Mosquitto *mosquitto = userdata;
    if (refusal == 0)
        (void)mosquitto_subscribe(consumer, NULL, "traffic/#", mosquitto->transport->variant);
}

static void on_subscribe(struct mosquitto *consumer, void *userdata, int id, int n_granted,
                         const int *granted) {
    (void)consumer, (void)id, (void)n_granted, (void)granted;
    atomic_store(&((Mosquitto *)userdata)->is_subscribed, true);
}

static void on_message(struct mosquitto *consumer, void *userdata, const struct mosquitto_message *message) {
    (void)consumer;
    client_consumed(((Mosquitto *)userdata)->client, message->payload, (size_t)message->payloadlen);
}

static void on_publish(struct mosquitto *publisher, void *userdata, int id) {
    (void)publisher, (void)id;
    atomic_fetch_add(&((Mosquitto *)userdata)->n_confirmed, 1);
}

/* False: not in time. */
static bool wait_for(const Mosquitto *mosquitto, bool (*is_so)(const Mosquitto *mosquitto)) {
    const struct timespec pause = {0, SETTLE_PAUSE_NSEC};
    for (int i = 0; i < PEER_PATIENCE_SEC * 1000; i++) {
        if (is_so(mosquitto))
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static bool is_subscribed(const Mosquitto *mosquitto) {
    return atomic_load(&mosquitto->is_subscribed);
}

static bool is_confirmed(const Mosquitto *mosquitto) {
    return atomic_load(&mosquitto->n_confirmed) >= mosquitto->n_published;
}

static int open_client(Mosquitto *mosquitto, struct mosquitto **ret) {
    *ret = mosquitto_new(NULL, true, mosquitto);
    if (!*ret)
        return peer_failed(mosquitto->transport, "out of memory");
    mosquitto_max_inflight_messages_set(*ret, 0); /* the window is the client's */
    mosquitto_int_option(*ret, MOSQ_OPT_TCP_NODELAY, 1);
    return 0;
}

static int start_client(const Mosquitto *mosquitto, struct mosquitto *one) {
    int r = mosquitto_connect(one, "127.0.0.1", PORT, KEEP_ALIVE_SEC);
    if (r == MOSQ_ERR_SUCCESS)
        r = mosquitto_loop_start(one);
    return r == MOSQ_ERR_SUCCESS ? 0
                                 : peer_failed(mosquitto->transport, "cannot connect to 127.0.0.1:%d: %s",
                                               PORT, mosquitto_strerror(r));
}

static int mosquitto_open(const Transport *transport, Client *client, bool is_steady, void **ret) {
    (void)is_steady;
    mosquitto_lib_init();
    Mosquitto *mosquitto = calloc(1, sizeof *mosquitto);
    if (!mosquitto)
        return peer_failed(transport, "out of memory");
    *ret = mosquitto;
    mosquitto->transport = transport;
    mosquitto->client = client;
    if (open_client(mosquitto, &mosquitto->publisher) < 0 || open_client(mosquitto, &mosquitto->consumer) < 0)
        return -1;
    mosquitto_publish_callback_set(mosquitto->publisher, on_publish);
    mosquitto_connect_callback_set(mosquitto->consumer, on_connect);
    mosquitto_subscribe_callback_set(mosquitto->consumer, on_subscribe);
    mosquitto_message_callback_set(mosquitto->consumer, on_message);
    if (start_client(mosquitto, mosquitto->consumer) < 0 || start_client(mosquitto, mosquitto->publisher) < 0)
        return -1;
    return wait_for(mosquitto, is_subscribed)
               ? 0
               : peer_failed(transport, "the subscription was not granted within %d s", PEER_PATIENCE_SEC);
}

static int mosquitto_put(void *state, const Event *event) {
    static const char *const topics[SENSOR_KIND_COUNT] = {"traffic/camara", "traffic/espira", "traffic/gps"};
    Mosquitto *mosquitto = state;
    int r = mosquitto_publish(mosquitto->publisher, NULL, topics[event->kind], (int)event->size, event->text,
                              mosquitto->transport->variant, false);
    mosquitto->n_published++;
    return r == MOSQ_ERR_SUCCESS
               ? 0
               : peer_failed(mosquitto->transport, "cannot publish: %s", mosquitto_strerror(r));
}

static int mosquitto_settle(void *state) {
    const Mosquitto *mosquitto = state;
    return wait_for(mosquitto, is_confirmed)
               ? 0
               : peer_failed(mosquitto->transport, "expected %llu confirms, got %llu",
                             (unsigned long long)mosquitto->n_published,
                             (unsigned long long)atomic_load(&mosquitto->n_confirmed));
}

static void mosquitto_close(void *state) {
    Mosquitto *mosquitto = state;
    struct mosquitto *both[] = {mosquitto->publisher, mosquitto->consumer};
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        mosquitto_disconnect(both[i]);
        mosquitto_loop_stop(both[i], false);
        mosquitto_destroy(both[i]);
    }
    free(mosquitto);
}

const Transport mosquitto_qos0 = {.name = "mosquitto-qos0",
                                  .window = 1000,
                                  .variant = 0,
                                  .open = mosquitto_open,
                                  .publish = mosquitto_put,
                                  .close = mosquitto_close};
const Transport mosquitto_qos1 = {.name = "mosquitto-qos1",
                                  .window = 1000,
                                  .variant = 1,
                                  .open = mosquitto_open,
                                  .publish = mosquitto_put,
                                  .settle = mosquitto_settle,
                                  .close = mosquitto_close};
