#include "lane-traffic.h"

#include <math.h>
#include <string.h>

enum {
    CYCLE_SEC = 40,
    GREEN_SEC = 20,
    HEADWAY_SEC = 2, /* within a platoon, and at the stop line */
    PLATOON_GAP_MAX_SEC = 40,
    PLATOON_MAX = 7,
};
#define SPACING_METRES    7.5 /* from front to front of those who stand */
#define STOP_METRES       1.0 /* before the line */
#define ACCELERATION_MPS2 2.6

void lane_traffic_init(LaneTraffic *lane, double length_metres, double speed_mps, double loop_metres,
                       uint64_t seed, uint64_t stream) {
    memset(lane, 0, sizeof *lane);
    lane->length_metres = length_metres;
    lane->speed_mps = speed_mps;
    lane->loop_metres = loop_metres;
    lane->random = random_seeded(seed, stream);
    lane->cycle_offset_sec = (unsigned)random_below(&lane->random, CYCLE_SEC);
    lane->until_next_sec = (unsigned)random_below(&lane->random, PLATOON_GAP_MAX_SEC);
    lane->in_platoon = 1 + (unsigned)random_below(&lane->random, PLATOON_MAX);
}

static bool may_leave(const LaneTraffic *lane) {
    bool is_green = (lane->second + lane->cycle_offset_sec) % CYCLE_SEC < GREEN_SEC;
    return is_green && (lane->last_left == 0 || lane->second - lane->last_left >= HEADWAY_SEC);
}

/* Where a vehicle gets to: as far as its speed takes it, not into the one before it. Negative: over the line. */
static double drive(const LaneTraffic *lane, LaneVehicle *vehicle, double free_metres) {
    double speed_mps = fmin(lane->speed_mps, vehicle->speed_mps + ACCELERATION_MPS2);
    double metres = fmax(vehicle->metres - speed_mps, free_metres);
    metres = fmin(metres, vehicle->metres);
    vehicle->speed_mps = vehicle->metres - metres;
    return metres;
}

static void note_passage(LaneTraffic *lane, double from_metres, double to_metres, double speed_mps) {
    bool has_passed =
        lane->loop_metres > 0 && from_metres >= lane->loop_metres && to_metres < lane->loop_metres;
    if (!has_passed || lane->n_passages == LANE_TRAFFIC_PASSAGES_MAX)
        return;
    LanePassage passage = {(from_metres - lane->loop_metres) / (from_metres - to_metres), speed_mps};
    unsigned i = lane->n_passages++;
    for (; i > 0 && lane->passages[i - 1].after_sec > passage.after_sec; i--)
        lane->passages[i] = lane->passages[i - 1];
    lane->passages[i] = passage;
}

static void move_vehicles(LaneTraffic *lane) {
    unsigned n_left = 0;
    for (unsigned i = 0; i < lane->n_vehicles; i++) {
        LaneVehicle vehicle = lane->vehicles[i];
        bool is_first = i == n_left;
        double free_metres = !is_first ? lane->vehicles[i - n_left - 1].metres + SPACING_METRES
                             : n_left == 0 && may_leave(lane) ? -INFINITY
                                                              : STOP_METRES;
        double metres = drive(lane, &vehicle, free_metres);
        note_passage(lane, lane->vehicles[i].metres, metres, vehicle.speed_mps);
        if (metres < 0) {
            n_left++;
            continue;
        }
        vehicle.metres = metres;
        lane->vehicles[i - n_left] = vehicle;
    }
    lane->n_vehicles -= n_left;
    if (n_left > 0)
        lane->last_left = lane->second;
}

static void plan_next(LaneTraffic *lane) {
    if (lane->in_platoon > 0) {
        lane->until_next_sec = HEADWAY_SEC - 1;
        return;
    }
    lane->in_platoon = 1 + (unsigned)random_below(&lane->random, PLATOON_MAX);
    lane->until_next_sec = HEADWAY_SEC + (unsigned)random_below(&lane->random, PLATOON_GAP_MAX_SEC);
}

/* Who comes while there is no room waits outside. */
static void let_in(LaneTraffic *lane) {
    if (lane->until_next_sec > 0) {
        lane->until_next_sec--;
        return;
    }
    bool has_room = lane->n_vehicles == 0 ||
                    lane->vehicles[lane->n_vehicles - 1].metres + SPACING_METRES <= lane->length_metres;
    if (!has_room || lane->n_vehicles >= LANE_TRAFFIC_VEHICLES_MAX)
        return;
    lane->vehicles[lane->n_vehicles++] = (LaneVehicle){lane->length_metres, lane->speed_mps};
    lane->in_platoon--;
    plan_next(lane);
}

void lane_traffic_step(LaneTraffic *lane) {
    lane->second++;
    lane->n_passages = 0;
    move_vehicles(lane);
    let_in(lane);
}
