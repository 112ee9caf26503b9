/* One message in, one message out: the envelopes of ROUTER and DEALER, and the one-frame discipline. Knows
 * bytes only; who refuses and who answers is link.c's business.
 *
 * On a ROUTER link a peer may be a DEALER (body), a REQ (empty frame, body) or a REQ that correlates (number,
 * empty frame, body). Our DEALERs speak as a REQ does, so that a REP of the first implementation understands
 * them. */
#include "shell/zsocket.h"

#include <errno.h>
#include <string.h>

static int receive_part(void *socket, zmq_msg_t *part) {
    zmq_msg_init(part);
    while (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        return errno == EAGAIN ? 0 : -errno;
    }
    return 1;
}

static void keep_route(Incoming *incoming, zmq_msg_t *id) {
    size_t size = zmq_msg_size(id);
    incoming->has_route = size <= sizeof incoming->route.bytes;
    if (incoming->has_route) {
        memcpy(incoming->route.bytes, zmq_msg_data(id), size);
        incoming->route.size = size;
    }
}

/* The parts of a message after `more`: as many kept as there is room for, the others thrown away. A message
 * arrives whole, so none of this waits. */
static int receive_parts(void *socket, bool more, Incoming *incoming) {
    while (more) {
        zmq_msg_t spare;
        zmq_msg_t *part =
            incoming->n_held < ARRAY_LEN(incoming->parts) ? &incoming->parts[incoming->n_held] : &spare;
        int r = receive_part(socket, part);
        if (r <= 0) {
            zmq_msg_close(part);
            return r;
        }
        more = zmq_msg_more(part);
        incoming->n_parts++;
        if (part == &spare)
            zmq_msg_close(&spare);
        else
            incoming->n_held++;
    }
    return 1;
}

/* Which part is the body, taking off what stands before it. */
static size_t open_envelope(Incoming *incoming) {
    zmq_msg_t *parts = incoming->parts;
    LinkRoute *route = &incoming->route;

    if (incoming->n_parts >= 2 && zmq_msg_size(&parts[0]) == 0) {
        route->has_delimiter = true;
        incoming->n_parts -= 1;
        return 1;
    }
    if (incoming->n_parts >= 3 && zmq_msg_size(&parts[0]) == sizeof route->request_id &&
        zmq_msg_size(&parts[1]) == 0) {
        memcpy(route->request_id, zmq_msg_data(&parts[0]), sizeof route->request_id);
        route->has_request_id = route->has_delimiter = true;
        incoming->n_parts -= 2;
        return 2;
    }
    return 0;
}

static void describe(Incoming *incoming, WirePattern pattern) {
    bool has_envelope = pattern == WIRE_ROUTER || pattern == WIRE_DEALER;
    size_t body = has_envelope ? open_envelope(incoming) : 0;

    incoming->frame = (LinkFrame){.data = "", .peer = "unknown"};
    if (pattern == WIRE_ROUTER)
        incoming->frame.route = &incoming->route;
    if (body < incoming->n_held) {
        zmq_msg_t *part = &incoming->parts[body];
        const char *peer = zmq_msg_gets(part, "Peer-Address");
        incoming->frame.data = zmq_msg_data(part);
        incoming->frame.size = zmq_msg_size(part);
        if (peer)
            incoming->frame.peer = peer;
    }
}

int incoming_receive(void *socket, WirePattern pattern, Incoming *ret) {
    bool more = true;

    ret->route = (LinkRoute){0};
    ret->has_route = false;
    ret->n_parts = ret->n_held = 0;
    if (pattern == WIRE_ROUTER) {
        zmq_msg_t id;
        int r = receive_part(socket, &id);
        if (r > 0) {
            keep_route(ret, &id);
            more = zmq_msg_more(&id);
        }
        zmq_msg_close(&id);
        if (r <= 0)
            return r;
    }
    int r = receive_parts(socket, more, ret);
    if (r <= 0) {
        incoming_release(ret);
        return r;
    }
    describe(ret, pattern);
    return 1;
}

void incoming_release(Incoming *incoming) {
    for (size_t i = 0; i < incoming->n_held; i++)
        zmq_msg_close(&incoming->parts[i]);
    incoming->n_held = 0;
}

static int send_part(void *socket, const void *data, size_t size, int flags) {
    while (zmq_send(socket, data, size, flags | ZMQ_DONTWAIT) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

int zsocket_send(void *socket, const void *data, size_t size) {
    return send_part(socket, data, size, 0);
}

int zsocket_answer(void *socket, const LinkRoute *route, const void *data, size_t size) {
    /* Only the first part can be refused: with ROUTER_MANDATORY the peer and its room are looked at there. */
    int r = send_part(socket, route->bytes, route->size, ZMQ_SNDMORE);
    if (r >= 0 && route->has_request_id)
        r = send_part(socket, route->request_id, sizeof route->request_id, ZMQ_SNDMORE);
    if (r >= 0 && route->has_delimiter)
        r = send_part(socket, "", 0, ZMQ_SNDMORE);
    return r < 0 ? r : send_part(socket, data, size, 0);
}

int zsocket_request(void *socket, const void *data, size_t size) {
    int r = send_part(socket, "", 0, ZMQ_SNDMORE);
    return r < 0 ? r : send_part(socket, data, size, 0);
}
