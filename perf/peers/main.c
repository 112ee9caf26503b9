/* The same events through our broker's place or through another message broker.
 *
 *     build/perf/peers/peers TRANSPORT EVENTS [RATE]    one line of JSON; without RATE as fast as it goes
 *     build/perf/peers/peers forward|zmq-proxy          stands where our broker stands
 *     build/perf/peers/peers --transports               those that it was compiled with
 *
 * Everything on 127.0.0.1 at the usual ports; lab bench peers starts the servers. */
#include "peers.h"

#include "base/macro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Transport *const transports[] = {
    &zeromq_v0,       &zeromq_custody,
#if HAVE_MOSQUITTO
    &mosquitto_qos0,  &mosquitto_qos1,
#endif
#if HAVE_NATS
    &jetstream_r1,    &jetstream_r3,
#endif
#if HAVE_RABBITMQ
    &rabbitmq_quorum,
#endif
};

static const struct {
    const char *name;
    int (*run)(void);
} middles[] = {{"forward", middle_forward}, {"zmq-proxy", middle_proxy}};

static int run_client(const char *name, const char *events_text, const char *rate_text) {
    char *events_end, *rate_end;
    uint64_t n_events = strtoull(events_text, &events_end, 10);
    double rate = strtod(rate_text, &rate_end);
    if (*events_end || n_events == 0 || *rate_end || rate < 0) {
        fprintf(stderr, "peers: expected a number of EVENTS and a RATE per second, got \"%s\" and \"%s\"\n",
                events_text, rate_text);
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(transports); i++)
        if (strcmp(transports[i]->name, name) == 0)
            return client_run(transports[i], n_events, rate);
    fprintf(stderr, "peers: expected one of peers --transports, got \"%s\"\n", name);
    return 2;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(middles); i++)
        if (strcmp(argv[1], middles[i].name) == 0)
            return middles[i].run();
    if (argc == 2 && strcmp(argv[1], "--transports") == 0) {
        for (size_t i = 0; i < ARRAY_LEN(transports); i++)
            puts(transports[i]->name);
        return 0;
    }
    if (argc == 3 || argc == 4)
        return run_client(argv[1], argv[2], argc == 4 ? argv[3] : "0");
    fprintf(stderr, "peers: expected TRANSPORT EVENTS [RATE], forward, zmq-proxy or --transports\n");
    return 2;
}
