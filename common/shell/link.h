/* Links between processes: the only place where ZeroMQ sockets are opened. Options, high-water marks, largest frame, the
 * descriptor that systemd hands over, one-frame discipline and the count of refusals live here; authentication will.
 *
 * A link is one endpoint of endpoints.def, either bound (by its binder) or connected (by everybody else). */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "shell/service.h"
#include "wire/endpoints.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Link Link;

#define LINK_ROUTE_MAX_BYTES 64

/* Who to answer on a ROUTER link: copy it to answer later. */
typedef struct LinkRoute {
    unsigned char bytes[LINK_ROUTE_MAX_BYTES];
    size_t size;
    bool has_delimiter; /* the peer is a REQ: an empty frame goes before the body */
} LinkRoute;

/* One received frame; everything in it is valid during the callback only. */
typedef struct LinkFrame {
    const char *data; /* not NUL-terminated */
    size_t size;
    const LinkRoute *route; /* ROUTER links only, else NULL */
    const char *peer;       /* address of the sender, or "unknown" */
} LinkFrame;

typedef struct LinkHandlers {
    /* One frame. Returns 0, or a negative errno to end the process (never for what a peer sent). */
    int (*on_frame)(Link *link, const LinkFrame *frame, void *userdata);
    /* XPUB links: a subscription came or the last one to `topic` went. May be NULL. */
    void (*on_subscription)(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata);
    /* A send said -EAGAIN and the link takes messages again. May be NULL. */
    int (*on_writable)(Link *link, void *userdata);
} LinkHandlers;

/* Opens `id` as its binder: with the descriptor systemd passed under the endpoint's name (refused with -EADDRNOTAVAIL when its port is not
 * that of endpoints.def), else by binding settings->bind_address. On `problem`: which port, who holds it, what to do. */
int link_bind(Service *service, EndpointId id, const LinkHandlers *handlers, void *userdata, Link **ret, Problem *problem);

/* Opens `id` as a peer of its binder, on the machine the settings name. Connects in the background and again for ever
 * (first retry 100 ms). SUB links subscribe to everything unless topics are given by link_subscribe() first. */
int link_connect(Service *service, EndpointId id, const LinkHandlers *handlers, void *userdata, Link **ret, Problem *problem);

/* Closes at once (LINGER 0) unless `linger_msec` was set by link_set_linger(). Accepts NULL. */
Link *link_free(Link *link);
DEFINE_FREEP(Link, link_free)

/* Sends one frame. 0, or -EAGAIN when the link is full or has no peer (the caller keeps the message; on_writable follows),
 * -EHOSTUNREACH on a ROUTER link when the peer has gone, -EMSGSIZE above FRAME_MAX_BYTES (REPLY_MAX_BYTES on ROUTER links). */
int link_send(Link *link, const void *data, size_t size);
int link_send_to(Link *link, const LinkRoute *route, const void *data, size_t size);

/* While paused nothing is read, so the writers at the other end stop at the high-water mark. */
void link_pause(Link *link, bool paused);

/* XPUB links: somebody subscribes to what starts `topic`. */
bool link_has_subscriber(const Link *link, const char *topic);

const char *link_name(const Link *link);
EndpointId link_endpoint(const Link *link);

/* Counts a refused frame (traffic_refused_total{link,reason}) and writes a rate-limited journal entry that says what was refused, from
 * where and why. Every service reports its refusals with this one. */
void link_refuse(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem);
