/* A small city on a virtual clock: every core of the house at work, and a simple traffic model that closes
 * the loop. Vehicles arrive at each approach, leave while it is green, and are seen by cameras, loops and
 * GPS; the readings cross a network that may lose or repeat them, the rules ask for green, the plans and
 * interlocks show it.
 *
 * One second of city is ten steps; an hour takes some milliseconds. The same seed gives the same hours. */
#pragma once

#include "core/dedup.h"
#include "core/intersection.h"
#include "core/random.h"
#include "core/signal-plan.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_ROWS = 4,
    MODEL_COLUMNS = 4,
    MODEL_INTERSECTIONS = MODEL_ROWS * MODEL_COLUMNS,
    MODEL_STEP_USEC = 100 * 1000,
    MODEL_CAMERA_SEC = 10,
    MODEL_LOOP_SEC = 30,
    MODEL_GPS_SEC = 10,
};

/* What happened, counted; limits are put on these. */
typedef struct ModelCounts {
    uint64_t events, repeats, missing, decided; /* decided: events that reached the rules */
    uint64_t edges[TRAFFIC_STATE_COUNT];        /* entered */
    uint64_t extensions_asked, extensions_granted, extensions_already;
    uint64_t changes;
    uint64_t both_green, short_greens, short_clearances, long_reds; /* must stay 0 */
    uint64_t served;                                                /* vehicles that left */
    double waited_vehicle_sec;
    uint64_t digest; /* of every decision and light change, in order */
} ModelCounts;

typedef struct ModelApproach {
    double arrivals_per_sec;
    double queue;       /* vehicles */
    double since_count; /* vehicles that left since the loop's last event */
    Mono green_since, red_since;
    bool is_green;
    uint64_t shown_green_usec; /* in all */
} ModelApproach;

typedef struct ModelCrossing {
    Intersection intersection;
    SignalPlan plan;
    ModelApproach approaches[DIRECTION_COUNT];
    Mono all_red_since;
    ModelCounts counts;
} ModelCrossing;

typedef struct Model {
    Mono now;
    Random random;
    RuleThresholds thresholds;
    SafetyTimes safety;
    SignalModel streets;
    SignalTimes times;
    ModelCrossing crossings[MODEL_INTERSECTIONS];
    Dedup dedup;
    DedupProducer producers[DEDUP_BUCKET_PRODUCERS];
    uint64_t next_sequence[SENSOR_KIND_COUNT];
    ModelCounts counts; /* of the whole city */

    /* what a scenario turns */
    bool sensors_are_silent;
    bool rules_are_off;      /* the lights are left to their plan */
    double loss, repetition; /* share of events that are lost, or come twice */
} Model;

void model_init(Model *model, uint64_t seed);

/* Arrivals at one approach from now on; vehicles leave a green approach at 0.5 a second. */
void model_set_demand(Model *model, int crossing, Direction direction, double arrivals_per_sec);

void model_run(Model *model, double seconds);

/* An operator's order: the row turns EW green. */
void model_wave(Model *model, int row, double seconds);

static inline ModelCrossing *model_at(Model *model, int row, int column) {
    return &model->crossings[row * MODEL_COLUMNS + column];
}
