/* Events in: what the broker forwards is checked, numbered, told apart from what came before, handed to the
 * stores as it came, and its readings to the decisions. The broker keeps what it sends until it is
 * acknowledged here: when the outbox has it, or when it is known that nothing will come of it.
 *
 * Knows what an event is; knows neither rules nor stores. */
#pragma once

#include "base/problem.h"
#include "base/vocabulary.h"
#include "decisions.h"
#include "delivery.h"
#include "shell/service.h"

#include <stdbool.h>

typedef struct Ingest Ingest;

/* `delivery` and `decisions` outlive it. */
int ingest_new(Service *service, Delivery *delivery, Decisions *decisions, Ingest **ret, Problem *problem);
Ingest *ingest_free(Ingest *ingest);
DEFINE_FREEP(Ingest, ingest_free)

/* No event is read while paused: the broker's link fills and the broker waits in turn. */
void ingest_pause(Ingest *ingest, bool is_paused);

/* What was taken is on disk: the broker is told. */
void ingest_acknowledge(Ingest *ingest);

/* New events per second of one kind, over the last ten full seconds. */
double ingest_events_per_sec(const Ingest *ingest, SensorKind kind);
