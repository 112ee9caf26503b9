/* Long work in short turns, so that messages and timers never wait for it: an answer that takes a second, a
 * backup, the deletion of old rows. One turn is given after every batch of messages, and turns follow each
 * other while there are no messages.
 *
 * A timer set to "at once" will not do: timers outrank messages, so work that takes longer than its timer's
 * pause would keep them out until it is finished. A source at idle priority alone will not do either: under
 * full load it would never run. */
#pragma once

#include "base/macro.h"
#include "shell/service.h"

typedef struct Turns Turns;
typedef struct TurnTaker TurnTaker;

/* About a millisecond of work. 1: wants another turn; 0: done for now; a negative errno ends the process. */
typedef int (*TurnFn)(void *userdata);

int turns_new(Service *service, Turns **ret);
Turns *turns_free(Turns *turns); /* after its takers */
DEFINE_FREEP(Turns, turns_free)

int turn_taker_new(Turns *turns, TurnFn fn, void *userdata, TurnTaker **ret);
TurnTaker *turn_taker_free(TurnTaker *taker); /* accepts NULL */

/* There is something to do. */
void turn_taker_wake(TurnTaker *taker);

/* The end of a batch of messages: gives one turn to whoever has waited longest. 0 or the taker's negative
 * errno. */
int turns_give(Turns *turns);
