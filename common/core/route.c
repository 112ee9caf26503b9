/* Queues discharge as the Highway Capacity Manual has it: a lost time at the start of green, then one vehicle a
 * headway on each lane. */
#include "core/route.h"

#include <math.h>

/* --- what is assumed of traffic --- */

#define START_UP_SEC  2.0 /* from green to the first vehicle's move */
#define HEADWAY_SEC   2.0 /* between two vehicles that leave a queue */
#define UNKNOWN_QUEUE 4.0 /* vehicles, where nobody sees */
#define STAYS_AHEAD   0.7 /* of those in front; the others turn off */
#define SPARE_SEC     2.0 /* green is there this much before it has to be */
#define ACCELERATION  2.0 /* m/s2, of those who leave a queue */
#define PASSING_SEC   3.0 /* to cross the intersection */
#define LATE_SHARE    0.1 /* of the time until it passes: how late it may be */
#define LATE_MAX_SEC  15.0

/* --- phases --- */

static unsigned count(uint32_t set) {
    return (unsigned)__builtin_popcount(set);
}

/* Every unhindered group of the route weighs more than all yielding ones, and those more than all beside. */
static unsigned worth(const SignalModel *model, unsigned phase, GroupSet onward, GroupSet beside) {
    GroupSet green = model->phases[phase], yielding = model->permitted[phase];
    unsigned n_free = count(green & ~yielding & onward), n_yielding = count(green & yielding & onward);
    if (n_free + n_yielding == 0)
        return 0;
    return (n_free * (SIGNAL_GROUPS_MAX + 1) + n_yielding) * (SIGNAL_GROUPS_MAX + 1) + count(green & beside);
}

unsigned route_phase(const SignalModel *model, GroupSet onward, GroupSet beside) {
    unsigned best = SIGNAL_PHASES_MAX, most = 0;
    for (unsigned phase = 0; phase < model->n_phases; phase++) {
        unsigned value = worth(model, phase, onward, beside);
        if (value > most) {
            most = value;
            best = phase;
        }
    }
    return best;
}

uint64_t route_change_usec(const SignalModel *model, unsigned phase) {
    uint64_t longest_usec = 0;
    for (unsigned group = 0; group < model->n_groups; group++)
        if ((model->conflicts[group] & model->phases[phase]) && model->min_green_usec[group] > longest_usec)
            longest_usec = model->min_green_usec[group];
    return longest_usec + model->yellow_usec + model->all_red_usec;
}

/* --- times --- */

static double sec(uint64_t usec) {
    return (double)usec / (double)USEC_PER_SEC;
}

/* How long green has to be there before those in front are gone. */
static double discharge_sec(double vehicles) {
    return vehicles > 0 ? START_UP_SEC + HEADWAY_SEC * vehicles : 0;
}

/* How much earlier still: who has left the queue last is at first slower than who comes from behind, and must not be
 * caught up with. */
static double speed_up_sec(double vehicles, double speed_mps) {
    return vehicles > 0 ? speed_mps / (2 * ACCELERATION) : 0;
}

/* How long until they are gone, once green was asked for: as long as it is to come, and then for those who are still
 * seen. Where nobody sees, those who were assumed leave as time passes. */
static double clear_sec(const RouteStop *stop, double ahead, double change) {
    double green_in = change - sec(stop->asked_usec);
    if (green_in > 0 || !stop->has_queue)
        return fmax(green_in + discharge_sec(ahead), 0);
    return HEADWAY_SEC * ahead;
}

void route_plan(const RouteStop *stops, size_t n, RouteLeg *ret) {
    double left = 0;  /* when it is through the stop before */
    double ahead = 0; /* who leaves that one in front of it */
    for (size_t i = 0; i < n; i++) {
        const RouteStop *stop = &stops[i];
        uint64_t change_usec = route_change_usec(stop->model, stop->phase);
        double change = sec(change_usec), ask = 0, clear;
        double arrival = left + stop->metres / stop->speed_mps;
        ahead = STAYS_AHEAD * ahead + (stop->has_queue ? stop->queue_vehicles : UNKNOWN_QUEUE);
        if (stop->is_asked) {
            clear = clear_sec(stop, ahead, change);
        } else {
            double early = discharge_sec(ahead) + speed_up_sec(ahead, stop->speed_mps) + SPARE_SEC;
            ask = fmax(arrival - early - change, sec(stop->held_usec));
            clear = ask + change + discharge_sec(ahead);
        }
        double passes = fmax(arrival, clear);
        double late = fmin(LATE_SHARE * passes, LATE_MAX_SEC);
        ret[i] = (RouteLeg){
            .ask_usec = usec_from_sec(ask),
            .change_usec = change_usec,
            .arrival_usec = usec_from_sec(arrival),
            .passes_usec = usec_from_sec(passes),
            .until_usec = usec_from_sec(passes + PASSING_SEC + late),
        };
        left = passes;
    }
}
