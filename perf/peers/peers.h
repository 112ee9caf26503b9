/* The same events through whatever a user might put in our place: a client that publishes and consumes them (client.c) over
 * a transport (one file each), and two bare things to stand where our broker stands (middle.c).
 *
 * A transport knows nothing of rates, windows and counts; the client knows no peer. */
#pragma once

#include "base/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Client Client;

/* `text` is borrowed until the next event. */
typedef struct Event {
    SensorKind kind;
    const char *text; /* TOPIC SP JSON, as our sensors write it */
    size_t size;
} Event;

/* Functions return 0 or more, or -1 after they have said on stderr what is wrong (peer_failed()). */
typedef struct Transport {
    const char *name;
    /* Events that may be under way: with what the peer is fastest, of 100 to 8000, and drops none. */
    uint64_t window;
    int variant; /* what its functions have to tell apart */

    /* Afterwards whatever is published reaches the consumer. With `is_steady` the events come one by one, and nothing is
     * put off for the sake of a batch. */
    int (*open)(const struct Transport *transport, Client *client, bool is_steady, void **ret);
    int (*publish)(void *state, const Event *event);
    /* Waits until all that was published is confirmed. NULL: the peer confirms nothing. */
    int (*settle)(void *state);
    /* client_consumed() for what is there or comes soon. NULL: the library has a thread for it. */
    int (*consume)(void *state);
    void (*close)(void *state);
} Transport;

enum { PEER_PATIENCE_SEC = 20, CONSUME_MSEC = 100 };

extern const Transport zeromq_v0, zeromq_custody, mosquitto_qos0, mosquitto_qos1, jetstream_r1, jetstream_r3,
    rabbitmq_quorum;

/* An event has come; always called by the same thread. */
void client_consumed(Client *client, const char *text, size_t size);

/* Exit status: 0 when every event was consumed, and confirmed; 1 when not; 2 when it could not begin. */
int client_run(const Transport *transport, uint64_t n_events, double rate);

/* Say on stderr what was tried and what came instead; -1. */
__attribute__((format(printf, 2, 3))) int peer_failed(const Transport *transport, const char *format, ...);

/* Both hand on whatever the three sensor links bring to the broker's link, until they are ended. */
int middle_forward(void); /* reading each event as our broker does */
int middle_proxy(void);   /* zmq_proxy() */
