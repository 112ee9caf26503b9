/* Vehicle-actuated control as roadside controllers have done it for decades: a green goes on while vehicles keep
 * coming (no gap longer than GAP), up to a maximum; then the next phase in order that somebody waits for.
 *
 * Simple, and blind to what waiting costs the others: kept for comparison, and for whoever wants what he knows. */
#include "core/policy.h"

#define GAP_SEC       3.0F
#define MAX_GREEN_SEC 50.0

/* Somebody who would pass within GAP is on a lane that only `lanes` serve. */
static bool is_wanted(const PolicyInput *input, LaneSet lanes, float within_sec, Mono now) {
    for (unsigned l = 0; l < input->layout->n_lanes; l++) {
        Arrivals arrivals;
        if (!set_has(lanes, l))
            continue;
        picture_arrivals(input->picture, l, now, &arrivals);
        if (arrivals.rung == PICTURE_BLIND || (arrivals.n > 0 && arrivals.sec[0] <= within_sec))
            return true;
    }
    return false;
}

PolicyChoice policy_actuated(PolicyMemory *memory, const PolicyInput *input, Mono now) {
    const PlannerTable *table = &memory->table;
    unsigned phase = policy_phase_shown(input);
    PolicyChoice stay = {.has_phase = true, .phase = phase};
    if (!policy_phase_is_green(input, phase))
        return stay;
    double green_sec = policy_green_sec(input, phase, now);
    if (green_sec < MAX_GREEN_SEC && is_wanted(input, table->serves[phase] & ~table->always, GAP_SEC, now))
        return stay;
    for (unsigned i = 1; i < table->n_phases; i++) {
        unsigned next = (phase + i) % table->n_phases;
        LaneSet gains = table->serves[next] & ~table->serves[phase];
        if (is_wanted(input, gains, 1e9F, now))
            return (PolicyChoice){.has_phase = true, .phase = next};
    }
    return stay;
}
