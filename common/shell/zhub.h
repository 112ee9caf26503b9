/* All ZeroMQ sockets of a process behind one sd-event source.
 *
 * ZMQ_FD is edge-triggered and any send on a socket may swallow its edge, so the descriptor alone is never
 * trusted: before every sleep each socket of which something may have changed is asked for ZMQ_EVENTS, and
 * while one has work a single idle-priority defer source serves the ready sockets round robin, a budget of
 * messages each. Timers, signals and plain
 * descriptors outrank message work. See zhub.c for the five ways in which simpler forms fail, each of them a
 * unit test. */
#pragma once

#include "base/macro.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct ZHub ZHub;
typedef struct ZSource ZSource;

/* Handle one message of `socket` without blocking: 1 handled one, 0 there was none, negative errno ends the
 * loop. */
typedef int (*ZSourceFn)(void *socket, void *userdata);

/* Called after a round of messages has been served and before the loop sleeps or serves the next: the place
 * of a group commit. */
typedef int (*ZHubBatchFn)(void *userdata);

int zhub_new(sd_event *event, ZHub **ret);
ZHub *zhub_free(ZHub *hub);
DEFINE_FREEP(ZHub, zhub_free)

void zhub_on_batch_end(ZHub *hub, ZHubBatchFn fn, void *userdata);

/* For health: how many turns of message work have been done, and whether a socket was ready when last asked.
 * Ready and no turn since means that message work starves. */
uint64_t zhub_turns(const ZHub *hub);
bool zhub_has_work(const ZHub *hub);

/* Some five times what a commit takes: a process that is always busy spends a fifth of its time on committing. */
#define ZHUB_BUSY_USEC (5 * USEC_PER_MSEC)

/* Whether more messages are at hand, and have been for ZHUB_BUSY_USEC at most: what ends a batch (a commit) then serves
 * more of them when it waits for the end of a turn that leaves nothing, or that is the last of that time. Such an end
 * comes in any case, unless what is at hand is paused or freed: who waits for it sets a timer of that length, too. */
bool zhub_is_busy(const ZHub *hub);

/* `budget`: messages served per turn; budget times the slowest handler must stay below the tolerated lateness
 * of timers. The socket stays the caller's; free the source before zmq_close(). A handler may free any
 * source, its own too. */
int zsource_new(ZHub *hub, void *socket, unsigned budget, ZSourceFn on_readable, void *userdata,
                ZSource **ret);
ZSource *zsource_free(ZSource *source);

/* To be said after every call on the socket outside of its own handlers (a send, above all). */
void zsource_touch(ZSource *source);

/* While paused the socket is not read: its high-water mark fills and its writers stop. */
void zsource_pause(ZSource *source, bool paused);

/* Calls `on_writable` once, as soon as the socket takes a message again (ZMQ_POLLOUT), after a send said
 * EAGAIN; NULL stops waiting. XPUB and ROUTER sockets always claim to be writable, so it says nothing there;
 * link.c tells how it does without. */
void zsource_when_writable(ZSource *source, ZSourceFn on_writable);
