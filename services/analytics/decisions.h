/* What the city's intersections are like and what is asked of the lights because of it: the rules of
 * core/intersection.h for each intersection, with their consequences: requests (where the rules are the policy, see
 * control.h), congestion records, journal entries on each edge.
 *
 * Knows nothing of events' bytes and of operators' messages. */
#pragma once

#include "base/problem.h"
#include "control.h"
#include "core/intersection.h"
#include "delivery.h"
#include "shell/service.h"
#include "signal-client.h"
#include "waves.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Decisions Decisions;

/* `delivery` outlives it. Opens the links to the signal service. */
int decisions_new(Service *service, Delivery *delivery, Decisions **ret, Problem *problem);
Decisions *decisions_free(Decisions *decisions);
DEFINE_FREEP(Decisions, decisions_free)

/* The way to the signal service. Borrowed. */
SignalClient *decisions_signal(Decisions *decisions);

/* What a sensor said, and when it measured that where it knows. */
typedef struct DecisionsReading {
    Approach approach;
    Readings readings;
    uint64_t fresh_usec; /* from now */
    bool has_captured;
    Wall captured;
} DecisionsReading;

void decisions_read(Decisions *decisions, size_t intersection, const DecisionsReading *reading);

/* An operator's wish for one intersection. 0, or -EAGAIN when the signal service is away and nothing was
 * asked. */
int decisions_force(Decisions *decisions, size_t intersection, Direction direction, double duration_sec,
                    const char *reason);

int decisions_release(Decisions *decisions, size_t intersection, const char *reason);

/* The waves that run, and who commands the lights: both make what they do known here. */
Waves *decisions_waves(Decisions *decisions);
Control *decisions_control(Decisions *decisions);

/* Nothing is read from the signal service and time changes nothing while paused: a store is behind. */
void decisions_pause(Decisions *decisions, bool is_paused);

typedef struct LightsShown {
    bool is_known;
    Colour colours[DIRECTION_COUNT];
    Wall since; /* the last report of a change */
    bool has_next_change;
    uint64_t next_change_usec; /* from now, as far as the signal service foresees */
} LightsShown;

const Intersection *decisions_intersection(const Decisions *decisions, size_t intersection);
LightsShown decisions_lights(const Decisions *decisions, size_t intersection);

/* How many intersections are in this state now. */
size_t decisions_count(const Decisions *decisions, TrafficState state);
