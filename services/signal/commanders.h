/* Who has sent commands, and how far each has counted: what comes again, or after a newer one, is refused.
 *
 * A command without an identity (producer, epoch, sequence number) is none of its business: its age alone counts.
 * The table is bounded. Who has been silent for longer than a command may be old gives up his place: what could be
 * replayed of his is too old by then. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "wire/messages.h"

#include <stddef.h>

enum { COMMANDERS_MAX = 32 };

typedef struct Commander {
    char producer[sizeof((SignalCommand){0}.producer)]; /* "" when the place is free */
    int64_t epoch, sequence;                            /* of the newest command */
    Mono heard;
} Commander;

typedef struct Commanders {
    Commander places[COMMANDERS_MAX];
} Commanders;

/* 0: newer than all before from its producer, and remembered, or without an identity. -EBADMSG with
 * REFUSAL_REPLAYED, or with REFUSAL_TOO_MANY: more producers than places within `quiet_usec`. */
int commanders_admit(Commanders *commanders, const SignalCommand *command, Mono now, uint64_t quiet_usec,
                     Refusal *ret_refusal, Problem *problem);
