/* Made-up traffic on one lane: vehicles come in platoons, drive up to the stop line, wait there while it is red and
 * leave one after the other while it is green. It knows nothing of the city's lights: red and green take turns by a
 * cycle of its own. What a camera and a loop of the lane see of it agrees, also when they are different processes:
 * the same seed gives the same traffic.
 *
 * Time goes in steps of one second. Nothing is allocated. */
#pragma once

#include "core/random.h"

#include <stdbool.h>
#include <stdint.h>

enum { LANE_TRAFFIC_VEHICLES_MAX = 64, LANE_TRAFFIC_PASSAGES_MAX = 8 };

typedef struct LaneVehicle {
    double metres; /* to the stop line */
    double speed_mps;
} LaneVehicle;

/* A passage of the loop within the last step. */
typedef struct LanePassage {
    double after_sec; /* from the start of the step */
    double speed_mps;
} LanePassage;

typedef struct LaneTraffic {
    double length_metres, speed_mps, loop_metres; /* 0: no loop */
    Random random;
    unsigned second, cycle_offset_sec;
    unsigned until_next_sec,
        in_platoon;      /* when the next vehicle comes, and how many of its platoon are still to */
    unsigned last_left;  /* the second in which the last vehicle left */
    unsigned n_vehicles; /* nearest first */
    LaneVehicle vehicles[LANE_TRAFFIC_VEHICLES_MAX];
    unsigned n_passages;
    LanePassage passages[LANE_TRAFFIC_PASSAGES_MAX];
} LaneTraffic;

/* An empty lane. `stream` tells the lanes of one seed apart. */
void lane_traffic_init(LaneTraffic *lane, double length_metres, double speed_mps, double loop_metres,
                       uint64_t seed, uint64_t stream);

/* One second passes. Afterwards `vehicles` are where they are and `passages` those of this second, by time. */
void lane_traffic_step(LaneTraffic *lane);
