/* Lock-step with a simulator, as the lights see it: a tick says what time it is; analytics asks what it has
 * to ask and marks the end; the answer is DONE, after everything that changed. Between a step and the next
 * tick nothing is asked of the lights, for it would be asked at the wrong time.
 *
 * Without ticks there is none of this, and no connection to the broker. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "shell/link.h"
#include "shell/service.h"
#include "wire/messages.h"

#include <stdbool.h>

typedef struct Lockstep Lockstep;

typedef struct LockstepHandlers {
    /* Requests may be read, or must wait for the next tick. */
    void (*on_requests)(bool are_wanted, void *userdata);
    /* DONE or INVALID, to be reported behind every change before it. */
    void (*on_step)(const Step *step, void *userdata);
} LockstepHandlers;

/* *ret is NULL when city time is the machine's. */
int lockstep_new(Service *service, const LockstepHandlers *handlers, void *userdata, Lockstep **ret,
                 Problem *problem);
Lockstep *lockstep_free(Lockstep *lockstep);
DEFINE_FREEP(Lockstep, lockstep_free)

/* A frame that came among the requests and is a step (step_is_one()). 0 or a negative errno that ends the
 * process. */
int lockstep_hear(Lockstep *lockstep, Link *link, const LinkFrame *frame);
