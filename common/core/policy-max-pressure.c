/* Max-pressure (Varaiya 2013): the phase whose lanes have most vehicles standing, less those standing where they would
 * drive into. It stabilises any demand that can be served at all, and sees no platoon that still moves.
 *
 * Weighed every ten seconds; in between the phase holds. */
#include "core/policy.h"

#include <math.h>

#define WEIGH_USEC (10 * USEC_PER_SEC)

/* Of the groups that the lane's vehicles may leave by, the mean; nothing known is nothing there. */
static double standing_beyond(const PolicyInput *input, GroupSet groups) {
    double sum = 0;
    unsigned n = 0;
    for (unsigned g = 0; input->beyond && g < input->model->n_groups; g++) {
        if (!set_has(groups, g) || !input->beyond[g].is_known)
            continue;
        sum += input->beyond[g].standing_vehicles;
        n++;
    }
    return n ? sum / n : 0;
}

static double pressure(const PlannerTable *table, const PolicyInput *input, unsigned phase, Mono now) {
    double sum = 0;
    for (unsigned l = 0; l < input->layout->n_lanes; l++)
        if (set_has(table->serves[phase] & ~table->always, l))
            sum += fmax(picture_standing(input->picture, l, now), 0) -
                   standing_beyond(input, input->layout->lanes[l].groups & table->phases[phase]);
    return sum;
}

PolicyChoice policy_max_pressure(PolicyMemory *memory, const PolicyInput *input, Mono now) {
    unsigned best = policy_phase_shown(input);
    if (memory->has_chosen && mono_between(memory->chosen, now) < WEIGH_USEC)
        return (PolicyChoice){.has_phase = true, .phase = best};
    double most = pressure(&memory->table, input, best, now);
    for (unsigned p = 0; p < memory->table.n_phases; p++) {
        double this = pressure(&memory->table, input, p, now);
        if (this > most) {
            most = this;
            best = p;
        }
    }
    memory->has_chosen = true;
    memory->chosen = now;
    return (PolicyChoice){.has_phase = true, .phase = best};
}
