/* A simulator's ticks, from every source into one. Each kind of sensor brings every tick behind its own
 * readings; here they are joined, and one goes on behind the readings of all.
 *
 * So that the same readings give the same city, the kinds take turns: those of the first until its tick,
 * then those of the second. Nobody waits longer for it, because no tick goes on before all have come. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"
#include "custody/keeper.h"
#include "shell/link.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Ticks Ticks;

typedef struct TicksSpec {
    Keeper *keeper; /* where the joined tick goes, behind the events */
    Link *output;   /* where it is told to those that acknowledge nothing */
    /* Another kind may be taken now: read on. Never called within a function of this module. */
    void (*on_turn)(void *userdata);
    void *userdata;
} TicksSpec;

/* *ret is NULL, and all that follows takes that, when city time is the machine's. */
int ticks_new(Service *service, const TicksSpec *spec, Ticks **ret, Problem *problem);
Ticks *ticks_free(Ticks *ticks);
DEFINE_FREEP(Ticks, ticks_free)

/* Whether it is this kind's turn: something of it has come and waits. */
bool ticks_may_take(Ticks *ticks, SensorKind kind);

/* A tick of this kind, whose turn it is. 0; -EBADMSG: there are no ticks in this city; another negative
 * errno ends the process. A tick that does not follow makes the run invalid and goes nowhere. */
int ticks_take(Ticks *ticks, SensorKind kind, const void *frame, size_t size, Problem *problem);

/* The keeper has committed everything up to this position. */
void ticks_committed(Ticks *ticks, uint64_t position);

/* Somebody subscribed to what begins with `topic`: who asks for ticks alone hears the newest again. */
void ticks_subscribed(Ticks *ticks, const char *topic, size_t size);
