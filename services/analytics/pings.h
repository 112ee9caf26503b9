/* A primary store of the first implementation has no heartbeat, but answers PING with PONG on its health
 * port. This asks; what follows from the answers is the caller's matter. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "shell/service.h"

#include <stdbool.h>

typedef struct Pings Pings;

/* It answered; `is_well` unless with something else than PONG. */
typedef void (*PongFn)(bool is_well, void *userdata);

int pings_new(Service *service, PongFn on_answer, void *userdata, Pings **ret, Problem *problem);
Pings *pings_free(Pings *pings);
DEFINE_FREEP(Pings, pings_free)

/* Asks, unless an answer is still due: to be called every beat. One that did not come in `patience_usec` is
 * not waited for any longer. */
void pings_send(Pings *pings, uint64_t patience_usec);
