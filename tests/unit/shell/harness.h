/* What the tests of links share: a Service on loopback without a command line, waiting for a condition with a
 * deadline, foreign peers made of plain ZeroMQ sockets, and the value of a counter. */
#pragma once

#include "shell/link.h"
#include "shell/runtime.h"

#include <stdbool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A service on 127.0.0.1 with no city and no state. */
Service *make_service(const char *name, const char *instance);

/* Turns the loop until `condition` holds; fails the test after 20 s. */
void run_until(Service *service, bool (*condition)(void *userdata), void *userdata);

/* Turns the loop for this long: to show that something does not happen. */
void run_for(Service *service, uint64_t usec);

/* The value of a counter, 0 when there is none yet. `labels` without the service's. */
double counter(Service *service, const char *name, const char *labels);

/* A foreign socket that gives up after 20 s; connected to the endpoint's port, or to none with
 * ENDPOINT_COUNT. */
void *foreign_peer(Service *service, int type, EndpointId id);
void foreign_close(void *socket);

/* Closes those that a failed test left open; before service_free(). */
void foreign_close_left(void);

/* A TCP socket listening on 127.0.0.1:port, port 0 being any. */
int listen_on(unsigned port);

/* Copies of received frames, in order. */
typedef struct Inbox {
    unsigned n;
    char last[128];
    size_t last_size;
    LinkRoute last_route;
} Inbox;

int inbox_take(Link *link, const LinkFrame *frame, void *userdata);
