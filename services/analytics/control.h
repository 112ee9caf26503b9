/* The commander of the city's lights: for each intersection a policy, and for those whose policy looks at the traffic a
 * picture of it. Once a second of city time such a policy is asked which phase it wants, and the signal service is asked
 * to show it: at once when it is another one than before, else again well within the time that a command stands for.
 * What a policy sees of the lights is what the signal service reports, never what was asked for.
 *
 * In a large city the seconds of its intersections are spread over the second. Where a green wave or an operator holds
 * the lights the policy goes on looking and asking: what it asked last counts as soon as they are free.
 *
 * Who chooses, most particular first: an operator (until the service is started again), the city file, the setting
 * [control] policy, and else the planner where an intersection has a camera or an upstream loop on one of its lanes, the
 * rules where it has none. */
#pragma once

#include "base/problem.h"
#include "core/intersection.h"
#include "core/policy.h"
#include "shell/service.h"
#include "signal-client.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Control Control;

/* `client` outlives it. -EINVAL: the city file names a policy that there is not. */
int control_new(Service *service, SignalClient *client, Control **ret, Problem *problem);
Control *control_free(Control *control);
DEFINE_FREEP(Control, control_free)

/* --- what sensors say: nothing happens where the policy does not look --- */

/* A camera saw all vehicles on a lane within its view, of the nearest `n_placed` also where they are. */
void control_view(Control *control, size_t intersection, unsigned lane, unsigned n_vehicles,
                  const SeenVehicle *placed, unsigned n_placed, Mono when);

/* A vehicle passed the upstream loop of a lane. `speed_mps`: 0 when it was not measured. */
void control_passage(Control *control, size_t intersection, unsigned lane, double speed_mps, Mono when);

/* So many vehicles stand on these lanes together. */
void control_queue(Control *control, size_t intersection, LaneSet lanes, double vehicles);

/* The lanes that an old sensor of this approach tells of. */
LaneSet control_lanes(const Control *control, size_t intersection, Approach approach);

/* --- what the lights show --- */

void control_report(Control *control, size_t intersection, const SignalReport *report);

/* --- who chooses --- */

#define POLICY_SOURCE_LIST(X)                                                                                \
    X(POLICY_FROM_OPERATOR, "operator")                                                                      \
    X(POLICY_FROM_CITY, "city file")                                                                         \
    X(POLICY_FROM_SETTINGS, "settings")                                                                      \
    X(POLICY_FROM_SENSORS, "sensors")
VOCABULARY(PolicySource, POLICY_SOURCE, POLICY_SOURCE_LIST, policy_source_words);

PolicyName control_policy(const Control *control, size_t intersection);

/* An operator's order. 0 or -ENOMEM. */
int control_set_policy(Control *control, size_t intersection, PolicyName policy);

/* --- for those who ask --- */

typedef struct ControlView {
    PolicyName policy;
    PolicySource source;
    bool has_rung; /* the policy looks, and has been asked */
    PictureRung rung;
    bool has_command; /* asked for, and it still stands as far as is known */
    unsigned command;
    bool has_lights;
    char groups[SIGNAL_GROUPS_MAX + 1]; /* one letter for each group, as reported */
    bool has_phase;
    unsigned phase;   /* shown, as reported */
    const char *mode; /* of the lights, as reported; "" */
} ControlView;

ControlView control_look(const Control *control, size_t intersection);

/* How many intersections have this policy; how many of them stand on this rung. */
size_t control_count(const Control *control, PolicyName policy);
size_t control_count_rung(const Control *control, PictureRung rung);

/* How many vehicles are to be at the stop line within `sec` on the fullest of these lanes; false when nothing fresh tells. */
bool control_ahead(const Control *control, size_t intersection, LaneSet lanes, double sec,
                   double *ret_vehicles);
