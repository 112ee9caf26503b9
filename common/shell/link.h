/* Links between processes: the only place where ZeroMQ sockets are opened. Options, high-water marks, largest
 * frame, the descriptor that systemd hands over, one-frame discipline and the count of refusals live here;
 * authentication will.
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
    bool has_delimiter;  /* the peer is a REQ: an empty frame goes before the body */
    bool has_request_id; /* and it correlates (ZMQ_REQ_CORRELATE): its number goes before the empty frame */
    unsigned char request_id[4];
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
    /* XPUB links: a subscription came (each of them) or the last one to `topic` went. May be NULL. */
    void (*on_subscription)(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata);
    /* A send said -EAGAIN and the link takes messages again; or perhaps does: then the send says -EAGAIN once
     * more. May be NULL. */
    int (*on_writable)(Link *link, void *userdata);
    /* ROUTER links: a peer sent several frames, or none, as one message. It is counted and journalled already
     * and `frame` holds its first part: this is the place to answer politely. May be NULL. */
    int (*on_refused)(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem,
                      void *userdata);
} LinkHandlers;

/* Opens `id` as its binder: with the descriptor systemd passed under the endpoint's name (refused with
 * -EINVAL when it does not listen on the port of endpoints.def), else by binding settings->bind_address
 * (-EADDRINUSE when somebody has the port). On `problem`: which port, what is wrong with it, what to do. */
int link_bind(Service *service, EndpointId id, const LinkHandlers *handlers, void *userdata, Link **ret,
              Problem *problem);

/* Opens `id` as a peer of its binder, on the machine the settings name. Connects in the background and again
 * for ever (every 100 ms). SUB links subscribe to everything. */
int link_connect(Service *service, EndpointId id, const LinkHandlers *handlers, void *userdata, Link **ret,
                 Problem *problem);

/* The same for a SUB link that wants only what begins with one of `topics` (NULL-terminated). */
int link_connect_topics(Service *service, EndpointId id, const char *const *topics,
                        const LinkHandlers *handlers, void *userdata, Link **ret, Problem *problem);

/* Closes at once: what was not sent yet is gone, unless link_set_linger() gave it time. Not from within one
 * of the link's own handlers. Accepts NULL. */
Link *link_free(Link *link);
DEFINE_FREEP(Link, link_free)

/* How long the process may wait at its end for frames that were sent but have not left yet; 0 at first. */
void link_set_linger(Link *link, unsigned linger_msec);

/* Sends one frame. 0, or -EAGAIN when the link is full or nobody is there to read it (the caller keeps the
 * message; on_writable follows), -EMSGSIZE above FRAME_MAX_BYTES. On an XPUB link nobody is there when no
 * subscription begins the frame. A link that takes nothing for a second says so in the journal, and when it
 * does again: callers need not. */
int link_send(Link *link, const void *data, size_t size);

/* Answers on a ROUTER link. 0, -EHOSTUNREACH when the peer has gone, -EAGAIN when it does not read its
 * answers (no on_writable follows: the answer is the caller's to forget, and counted), -EMSGSIZE above
 * REPLY_MAX_BYTES. */
int link_send_to(Link *link, const LinkRoute *route, const void *data, size_t size);

/* While paused nothing is read, so the writers at the other end stop at the high-water mark. XPUB links go on
 * reading subscriptions. */
void link_pause(Link *link, bool paused);

/* For writers that send again, or anew, what was lost. A subscriber of an XPUB link that is full loses
 * frames instead of stopping the writer and, through it, everybody else; link_send() says -EAGAIN only
 * while nobody subscribes. On other links it still says -EAGAIN, but nobody waits: no on_writable follows,
 * and the journal hears nothing. */
void link_let_drop(Link *link);

/* Links that were connected: calls `fn` whenever a connection has been made, the first one too. What was
 * under way in the one before is lost. NULL ends it. 0 or a negative errno. */
typedef void (*LinkConnectedFn)(Link *link, void *userdata);
int link_on_connected(Link *link, LinkConnectedFn fn, void *userdata);

/* XPUB links: somebody subscribes to `topic` or to what begins it. */
bool link_has_subscriber(const Link *link, const char *topic);

/* XPUB links: somebody subscribes, but nobody to what begins this frame. False for other links. */
bool link_has_other_topics(const Link *link, const void *frame, size_t size);

const char *link_name(const Link *link);
EndpointId link_endpoint(const Link *link);

/* Decodes a frame that came over this link. 1: *ret is the message; 0: it was not what the wire allows,
 * and is refused with link_refuse(); -ENOMEM. For whoever has nothing to answer to a frame that cannot be
 * read. */
int link_decode(Link *link, const LinkFrame *frame, Decoder *decoder, MessageFamily family, Message *ret);

/* Counts a refused frame (traffic_refused_total{link,reason}) and writes a rate-limited journal entry that
 * says what was refused, from where and why. Every service reports its refusals with this one. */
void link_refuse(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem);
