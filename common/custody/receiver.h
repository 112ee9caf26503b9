/* The reader of one link under custody: judges each frame by its hop, and acknowledges what is committed.
 * core/intake.h decides; here are its link and its words. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "core/intake.h"
#include "shell/link.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Receiver Receiver;

/* Opens the link of acknowledgements that belongs to data link `id`: bound when this service binds `id`
 * too, else connected. `intake` has been restored (spool_add_intake(), or the store's table) and outlives
 * this. */
int receiver_new(Service *service, EndpointId id, bool is_binder, Intake *intake, Receiver **ret,
                 Problem *problem);
Receiver *receiver_free(Receiver *receiver);
DEFINE_FREEP(Receiver, receiver_free)

typedef enum ReceiverVerdict {
    RECEIVER_TAKE,  /* *ret_frame is to be taken: what it holds is committed with the intake's cursor */
    RECEIVER_PLAIN, /* not under custody (of a first-implementation peer): taken, never acknowledged */
    RECEIVER_LEAVE, /* a repeat, behind a gap, or of a fenced writer: done with */
} ReceiverVerdict;

/* Judges `frame`. *ret_frame is the frame without its hop (its data are borrowed from the receiver until
 * the next call). Counts and tells what was left and what its writer gave up. */
ReceiverVerdict receiver_judge(Receiver *receiver, const LinkFrame *frame, LinkFrame *ret_frame);

/* The same for who took the hop off already (a thread). */
ReceiverVerdict receiver_judge_hop(Receiver *receiver, const Hop *hop);

/* Whether there may be a hole before the frame that was taken last: its writer no longer has what came before
 * it, or its stream has come in the place of another one that may have ended unheard. */
bool receiver_has_hole(const Receiver *receiver);

/* After each commit: acknowledges what is owed, at once or (paced) with what the next milliseconds bring. */
void receiver_acknowledge(Receiver *receiver);

/* The writer has nothing to do with acknowledgements but to forget frames: let it have a hundred a second at most. */
void receiver_pace(Receiver *receiver);
