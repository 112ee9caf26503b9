/* Where ZeroMQ sockets are opened, all of them: options, addresses, descriptors, and what a received message
 * may look like.
 *
 * Private to shell: link.c puts these sockets into the loop, thread-link.c into threads. */
#pragma once

#include "base/problem.h"
#include "shell/link.h"
#include "wire/endpoints.h"

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

int zsocket_context_new(void **ret);
void zsocket_context_free(void *context); /* accepts NULL; every socket must be closed */

/* Listens as `endpoint`. `fd` is a listening descriptor of systemd's, which is taken over even on failure,
 * or -1 to bind `address`. `is_sent_again`: what a connection loses comes again, so one that is dead is
 * given up soon. -EINVAL: the descriptor is not this endpoint's. */
int zsocket_bind(void *context, const Endpoint *endpoint, const char *address, int fd, bool is_sent_again,
                 void **ret, Problem *problem);

/* Connects to `endpoint` on `host`, in the background. `topics` is for SUB; NULL is all. */
int zsocket_connect(void *context, const Endpoint *endpoint, const char *host, const char *const *topics,
                    bool is_sent_again, void **ret, Problem *problem);

/* A one-way queue inside the process: one reader (PULL), any number of writers (PUSH), `high_water_mark`
 * messages at each end. */
int zsocket_pipe_reader(void *context, const char *name, int high_water_mark, void **ret, Problem *problem);
int zsocket_pipe_writer(void *context, const char *name, int high_water_mark, void **ret, Problem *problem);

/* Reports each connection of `watched` that is made or ends as a message: number of the event, value,
 * address. zsocket_unwatch() before closing `watched`. */
int zsocket_watch(void *context, void *watched, void **ret);
void *zsocket_unwatch(void *watched, void *monitor);

void *zsocket_close(void *socket, unsigned linger_msec); /* accepts NULL; returns NULL */

/* The host that runs this endpoint's binder, by the settings. */
const char *zsocket_host(const Endpoint *endpoint, const Settings *settings);

/* One received message with its envelope taken off. */
typedef struct Incoming {
    LinkFrame frame; /* points into the members below; the body, or the first part when `n_parts` is not 1 */
    LinkRoute route;
    bool has_route; /* false on a ROUTER link: the peer's name is too long to answer it */
    size_t n_parts; /* of the body; anything but 1 is to be refused */
    zmq_msg_t parts[3];
    size_t n_held;
} Incoming;

/* Receives without blocking: 1 (to be released), 0 nothing there, negative errno. Further parts are read and
 * thrown away. */
int incoming_receive(void *socket, WirePattern pattern, Incoming *ret);
void incoming_release(Incoming *incoming);

/* Sends without blocking; 0 or a negative errno. zsocket_answer() puts the envelope of `route` before the
 * body, and zsocket_request() the empty frame that a REP of the first implementation expects. */
int zsocket_send(void *socket, const void *data, size_t size);
int zsocket_answer(void *socket, const LinkRoute *route, const void *data, size_t size);
int zsocket_request(void *socket, const void *data, size_t size);
