/* The inside of a Link, shared by link.c (opening, receiving, closing) and link-send.c (sending and
 * waiting). */
#pragma once

#include "shell/link.h"
#include "shell/refusals.h"
#include "shell/topic-set.h"
#include "shell/zsocket.h"

struct Link {
    Service *service;
    EndpointId id; /* ENDPOINT_COUNT for a pipe within the process */
    char *name;
    WirePattern pattern;
    LinkHandlers handlers;
    void *userdata;

    void *socket;
    ZSource *source;
    void *monitor;
    ZSource *monitor_source;
    LinkConnectedFn on_connected;
    void *connected_userdata;
    unsigned linger_msec;

    Metric *frames_in, *frames_out, *waits, *unanswered, *disconnects;
    Refusals refusals;
    JournalLimit disconnect_limit;

    /* Sending. An XPUB socket cannot be asked whether it has room, so the frame that found it full is held
     * here and offered again; only while it is held are further ones refused. */
    TopicSet topics;
    char *held;
    size_t held_size;
    bool is_holding;
    bool lets_drop;
    Timer *retry_timer;
    bool is_waiting; /* a send said -EAGAIN since the last on_writable */
    bool is_wait_told;
    Timer *tell_timer;
};

/* Makes what sending needs. */
int link_sending_init(Link *link);
void link_sending_end(Link *link);

/* A subscription came: what waits may go now. Negative errno ends the process. */
int link_sending_subscribed(Link *link);
