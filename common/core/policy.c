/* The table of policies, and what they share: reading the phase off the lights, and how good the picture is. */
#include "core/policy.h"

#include <stddef.h>
#include <string.h>

VOCABULARY_DEFINE(POLICY, POLICY_LIST, policy_words);

static const Policy policies[POLICY_COUNT] = {
    /* The plan of the city, in step with its neighbours by its offset: there is nothing to decide. */
    [POLICY_FIXED] = {POLICY_FIXED, POLICY_ACTS_BY_PLAN, NULL},
    /* The first implementation's: intersection.h judges, and asks for longer greens of the plan. */
    [POLICY_RULES] = {POLICY_RULES, POLICY_ACTS_BY_EXTENSION, NULL},
    [POLICY_ACTUATED] = {POLICY_ACTUATED, POLICY_ACTS_BY_PHASE, policy_actuated},
    [POLICY_MAX_PRESSURE] = {POLICY_MAX_PRESSURE, POLICY_ACTS_BY_PHASE, policy_max_pressure},
    [POLICY_PLANNER] = {POLICY_PLANNER, POLICY_ACTS_BY_PHASE, policy_planner},
};

const Policy *policy_of(PolicyName name) {
    return &policies[name];
}

void policy_init(PolicyMemory *memory, const SignalModel *model, const Layout *layout,
                 PlannerScratch *scratch) {
    memset(memory, 0, sizeof *memory);
    memory->scratch = scratch;
    planner_table_init(&memory->table, model, layout);
}

static GroupSet green_groups(const PolicyInput *input) {
    GroupSet green = 0;
    for (unsigned g = 0; g < input->model->n_groups; g++)
        green |= input->lights.colour[g] == SIGNAL_GREEN ? (GroupSet)1 << g : 0;
    return green;
}

PolicyChoice policy_choose(const Policy *policy, PolicyMemory *memory, const PolicyInput *input, Mono now) {
    picture_lights(input->picture, green_groups(input), now);
    PictureRung rung = policy_rung(input, now);
    if (!policy->choose || rung == PICTURE_BLIND || input->model->n_phases == 0)
        return (PolicyChoice){.rung = rung};
    PolicyChoice choice = policy->choose(memory, input, now);
    choice.rung = rung;
    return choice;
}

static unsigned count(uint32_t set) {
    return (unsigned)__builtin_popcount(set);
}

static GroupSet conflicts_of(const SignalModel *model, GroupSet groups) {
    GroupSet conflicts = 0;
    for (unsigned g = 0; g < model->n_groups; g++)
        conflicts |= set_has(groups, g) ? model->conflicts[g] : 0;
    return conflicts;
}

unsigned policy_phase_shown(const PolicyInput *input) {
    const SignalModel *model = input->model;
    GroupSet green = green_groups(input);
    if (input->has_phase && input->phase < model->n_phases &&
        !(green & conflicts_of(model, model->phases[input->phase])))
        return input->phase;
    unsigned best = input->has_phase && input->phase < model->n_phases ? input->phase : 0;
    for (unsigned p = 0; p < model->n_phases; p++)
        if (count(model->phases[p] & green) > count(model->phases[best] & green))
            best = p;
    return best;
}

bool policy_phase_is_green(const PolicyInput *input, unsigned phase) {
    return !(input->model->phases[phase] & ~green_groups(input));
}

double policy_green_sec(const PolicyInput *input, unsigned phase, Mono now) {
    uint64_t youngest_usec = USEC_FOREVER;
    for (unsigned g = 0; g < input->model->n_groups; g++)
        if (set_has(input->model->phases[phase], g) && mono_between(input->since[g], now) < youngest_usec)
            youngest_usec = mono_between(input->since[g], now);
    return (double)youngest_usec / (double)USEC_PER_SEC;
}

PictureRung policy_rung(const PolicyInput *input, Mono now) {
    unsigned n[PICTURE_RUNG_COUNT] = {0};
    for (unsigned l = 0; l < input->layout->n_lanes; l++)
        n[picture_rung(input->picture, l, now)]++;
    if (2 * n[PICTURE_BLIND] > input->layout->n_lanes || input->layout->n_lanes == 0)
        return PICTURE_BLIND;
    return n[PICTURE_QUEUE] || n[PICTURE_BLIND] ? PICTURE_QUEUE
           : n[PICTURE_LOOPS]                   ? PICTURE_LOOPS
                                                : PICTURE_VIEW;
}
