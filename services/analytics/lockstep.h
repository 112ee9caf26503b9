/* Lock-step with a simulator, as analytics sees it: everything before a tick has been taken, the tick says
 * what time it is, what is due is decided and asked for, a mark behind it; and nothing more is taken before
 * the signal service has said that the step is done, so that the next decision knows what the lights show.
 *
 * One that was away works off what it missed, step by step and without asking the lights for anything,
 * until it is where the run is. */
#pragma once

#include "answers.h"
#include "base/macro.h"
#include "shell/service.h"

typedef struct Lockstep Lockstep;

/* `parts` outlive it. *ret is NULL when city time is the machine's. */
int lockstep_new(Service *service, const AnswerSources *parts, Lockstep **ret);
Lockstep *lockstep_free(Lockstep *lockstep);
DEFINE_FREEP(Lockstep, lockstep_free)
