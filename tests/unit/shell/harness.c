/* See harness.h. Deadlines are generous: they only bound how long a broken build takes to fail. */
#include "harness.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { DEADLINE_SEC = 20, PEERS_MAX = 16 };

/* Open foreign sockets: when a test fails half-way they must be closed, or ending the service waits for them
 * for ever. */
static void *peers[PEERS_MAX];

Service *make_service(const char *name, const char *instance) {
    static const Settings settings = {
        .pc1 = "127.0.0.1", .pc2 = "127.0.0.1", .pc3 = "127.0.0.1", .bind_address = "127.0.0.1"};
    const ServiceOptions options = {
        .name = name, .instance = instance, .settings = &settings, .runtime_dir = "/nonexistent"};
    Service *service = NULL;
    Problem problem = {""};
    if (service_new(&options, &service, &problem) < 0)
        fail_msg("%s", problem.text);
    return service;
}

void run_until(Service *service, bool (*condition)(void *userdata), void *userdata) {
    time_t deadline = time(NULL) + DEADLINE_SEC;
    while (!condition(userdata)) {
        assert_true(sd_event_run(service_event(service), 10000) >= 0);
        if (time(NULL) > deadline)
            fail_msg("waited %d s in vain", DEADLINE_SEC);
    }
}

void run_for(Service *service, uint64_t usec) {
    Mono end = mono_after(service_now(service), usec);
    while (!mono_reached(service_now(service), end))
        assert_true(sd_event_run(service_event(service), 1000) >= 0);
}

double counter(Service *service, const char *name, const char *labels) {
    return metric_value(metrics_counter(service_metrics(service), name, "", labels));
}

void *foreign_peer(Service *service, int type, EndpointId id) {
    int timeout_msec = DEADLINE_SEC * 1000, no_linger = 0;
    void *socket = zmq_socket(service_zmq(service), type);
    assert_non_null(socket);
    size_t i = 0;
    while (peers[i])
        assert_true(++i < PEERS_MAX);
    peers[i] = socket;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_msec, sizeof timeout_msec);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &timeout_msec, sizeof timeout_msec);
    zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    if (type == ZMQ_SUB)
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    if (id != ENDPOINT_COUNT) {
        char url[64];
        snprintf(url, sizeof url, "tcp://127.0.0.1:%u", endpoints[id].port);
        assert_int_equal(zmq_connect(socket, url), 0);
    }
    return socket;
}

void foreign_close(void *socket) {
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (peers[i] == socket)
            peers[i] = NULL;
    zmq_close(socket);
}

void foreign_close_left(void) {
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (peers[i])
            foreign_close(peers[i]);
}

int listen_on(unsigned port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

int inbox_take(Link *link, const LinkFrame *frame, void *userdata) {
    (void)link;
    Inbox *inbox = userdata;
    inbox->n++;
    inbox->last_size = frame->size < sizeof inbox->last - 1 ? frame->size : sizeof inbox->last - 1;
    memcpy(inbox->last, frame->data, inbox->last_size);
    inbox->last[inbox->last_size] = '\0';
    if (frame->route)
        inbox->last_route = *frame->route;
    return 0;
}
