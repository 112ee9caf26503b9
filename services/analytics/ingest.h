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
#include "wire/view-text.h"

#include <stdbool.h>

typedef struct Ingest Ingest;

/* A simulator's tick, behind all events before it. 0 or a negative errno that ends the process. */
typedef int (*IngestTickFn)(const TickEvent *tick, void *userdata);
void ingest_on_tick(Ingest *ingest, IngestTickFn fn, void *userdata);

/* What sensors say of the lanes that the city file has them watch. */
typedef struct LaneHandlers {
    /* So many vehicles are in view of the camera; the nearest `n_placed` of them are there, nearest first. */
    void (*on_view)(void *userdata, size_t intersection, unsigned lane, unsigned n_vehicles,
                    const PlacedVehicle *placed, size_t n_placed, Mono when);
    /* One has passed the upstream loop. `speed_kmh`: 0 when it was not measured. Before a simulator's tick `when` is a
     * little ahead of city time. */
    void (*on_passage)(void *userdata, size_t intersection, unsigned lane, double speed_kmh, Mono when);
} LaneHandlers;

/* `delivery` and `decisions` outlive it. */
int ingest_new(Service *service, Delivery *delivery, Decisions *decisions, Ingest **ret, Problem *problem);
Ingest *ingest_free(Ingest *ingest);
DEFINE_FREEP(Ingest, ingest_free)

/* `handlers` and `userdata` outlive it; nobody listens without. */
void ingest_on_lanes(Ingest *ingest, const LaneHandlers *handlers, void *userdata);

/* No event is read while paused for any of these: the broker's link fills and the broker waits in turn. */
typedef enum IngestPause {
    INGEST_OUTBOX = 1 << 0, /* it takes nothing */
    INGEST_STEP = 1 << 1,   /* the last tick's step is not done */
} IngestPause;
void ingest_pause(Ingest *ingest, IngestPause why, bool is_paused);

/* What was taken is on disk: the broker is told. */
void ingest_acknowledge(Ingest *ingest);

/* New events per second of one kind, over the last ten full seconds. */
double ingest_events_per_sec(const Ingest *ingest, SensorKind kind);
