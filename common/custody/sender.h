/* The writer of one link under custody: sends frames in order, hears acknowledgements, sends again.
 * core/outflow.h decides; here are its clock, its sockets and its words. Where the frames come from is the
 * owner's: a spool, or a sensor's memory. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"
#include "core/outflow.h"
#include "shell/link.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Sender Sender;

typedef struct SenderSource {
    /* The frame at `position`, borrowed until the next call. 1, 0 when it is not there (yet), or a
     * negative errno: it cannot be read now (told here once); tried again after a moment. */
    int (*read)(void *userdata, uint64_t position, const char **ret, size_t *ret_size);
    /* The first position that there still is: goes out with each frame. */
    uint64_t (*oldest)(void *userdata);
    /* The reader has committed everything up to `position`. It may be less than the last time: the
     * reader's disk was replaced, and what lies behind is wanted again as far as it is still there. */
    void (*on_acknowledged)(void *userdata, uint64_t position);
    /* The reader knows more of this stream than there is: give the positions a new stream and return it. */
    uint64_t (*renew_stream)(void *userdata);
    /* The stream of the positions now, where several readers share them and another one's renewed it; else
     * NULL. */
    uint64_t (*stream)(void *userdata);
} SenderSource;

typedef struct SenderSpec {
    /* Opened by the owner, whose on_subscription and on_writable call the two functions below, and freed
     * after the sender. Who connects (PUSH) is told by the link itself when its reader returned. */
    Link *data;
    EndpointId id;      /* of `data` */
    const char *reader; /* for people: "analytics", "the primary store" */
    Protocol protocol;
    uint64_t stream;
    uint64_t acknowledged, last;
    SenderSource source;
    void *userdata;
} SenderSpec;

/* Opens the link of acknowledgements: bound when `data` is, connected when it is connected. With
 * PROTOCOL_V0 there is none, and what is sent counts as acknowledged. Begins to send with the loop's next
 * turn. A fenced sender (the reader has heard a higher epoch) says so, raises the epoch of its next life
 * and ends the service. */
int sender_new(Service *service, const SenderSpec *spec, Sender **ret, Problem *problem);
Sender *sender_free(Sender *sender);
DEFINE_FREEP(Sender, sender_free)

/* Everything up to `last` may be sent now. Sends as much as the link takes in one turn; the rest follows
 * by itself. */
void sender_add(Sender *sender, uint64_t last);

/* The link takes frames again: call from its on_writable. */
int sender_on_writable(Sender *sender);

/* Somebody subscribed or returned (sending begins again after the last acknowledged frame), or the last
 * one went. At first somebody is there. */
void sender_reader_is_there(Sender *sender, bool is_there);

const Outflow *sender_outflow(const Sender *sender);

/* The reader lacks something and has acknowledged nothing for seconds: the journal said so. */
bool sender_is_waiting(const Sender *sender);
