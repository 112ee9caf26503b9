/* What makes a model one that an intersection can be, one function for each part of it; and the model of two streets
 * that cross. */
#include "core/signal-model.h"

#include "core/interlock.h"

#include <errno.h>

/* Nothing of a plan is longer; it keeps the sums of a cycle from wrapping. */
#define LONGEST_USEC (24 * 3600 * USEC_PER_SEC)

typedef struct Examined {
    const SignalModel *model;
    const SignalNames *names;
    Problem *problem;
} Examined;

/* A number, and its name when it has one: "group 3 (N-T)". */
#define NAMED              "%u%s%s%s"
#define NAMED_BY(list, n)  n, (list) ? " (" : "", (list) ? (list)[n] : "", (list) ? ")" : ""
#define GROUP(examined, n) NAMED_BY((examined)->names ? (examined)->names->groups : NULL, n)
#define PHASE(examined, n) NAMED_BY((examined)->names ? (examined)->names->phases : NULL, n)

static double seconds(uint64_t usec) {
    return (double)usec / (double)USEC_PER_SEC;
}

static GroupSet all_groups(const SignalModel *model) {
    return model->n_groups < SIGNAL_GROUPS_MAX ? ((GroupSet)1 << model->n_groups) - 1 : UINT32_MAX;
}

/* The lowest of a set that is not empty. */
static unsigned first_of(GroupSet set) {
    unsigned i = 0;
    while (!set_has(set, i))
        i++;
    return i;
}

static int check_sizes(const Examined *examined) {
    const SignalModel *model = examined->model;
    if (model->n_groups < 1 || model->n_groups > SIGNAL_GROUPS_MAX)
        return problem_set(examined->problem, -EINVAL, "groups: expected 1 to %d, got %u", SIGNAL_GROUPS_MAX,
                           model->n_groups);
    if (model->n_phases < 1 || model->n_phases > SIGNAL_PHASES_MAX)
        return problem_set(examined->problem, -EINVAL, "phases: expected 1 to %d, got %u", SIGNAL_PHASES_MAX,
                           model->n_phases);
    if (model->n_stages < 1 || model->n_stages > SIGNAL_STAGES_MAX)
        return problem_set(examined->problem, -EINVAL, "stages of the plan: expected 1 to %d, got %u",
                           SIGNAL_STAGES_MAX, model->n_stages);
    return 0;
}

static int check_conflicts(const Examined *examined) {
    const SignalModel *model = examined->model;
    for (unsigned a = 0; a < model->n_groups; a++) {
        if (model->conflicts[a] & ~all_groups(model))
            return problem_set(examined->problem, -EINVAL,
                               "group " NAMED ": expected conflicts with groups 0 to %u, got one with %u",
                               GROUP(examined, a), model->n_groups - 1,
                               first_of(model->conflicts[a] & ~all_groups(model)));
        if (set_has(model->conflicts[a], a))
            return problem_set(examined->problem, -EINVAL,
                               "group " NAMED ": expected conflicts with others, got one with itself",
                               GROUP(examined, a));
        for (unsigned b = 0; b < model->n_groups; b++)
            if (set_has(model->conflicts[a], b) && !set_has(model->conflicts[b], a))
                return problem_set(examined->problem, -EINVAL,
                                   "group " NAMED ": expected a conflict with group " NAMED
                                   " as that one has with it, got none",
                                   GROUP(examined, b), GROUP(examined, a));
    }
    return 0;
}

static int check_intergreen(const Examined *examined) {
    const SignalModel *model = examined->model;
    if (model->all_red_usec < INTERLOCK_ALL_RED_FLOOR_USEC)
        return problem_set(examined->problem, -ERANGE, "all-red: expected at least %.0f s, got %.3f s",
                           seconds(INTERLOCK_ALL_RED_FLOOR_USEC), seconds(model->all_red_usec));
    if (model->yellow_usec > INTERLOCK_YELLOW_CEILING_USEC)
        return problem_set(examined->problem, -ERANGE, "yellow: expected at most %.0f s, got %.3f s",
                           seconds(INTERLOCK_YELLOW_CEILING_USEC), seconds(model->yellow_usec));
    return 0;
}

/* The longest minimum green of the groups that conflict with this one. */
static uint64_t longest_min_green_usec(const SignalModel *model, unsigned group) {
    uint64_t longest = 0;
    for (unsigned other = 0; other < model->n_groups; other++)
        if (set_has(model->conflicts[group], other) && model->min_green_usec[other] > longest)
            longest = model->min_green_usec[other];
    return longest;
}

static int check_times_of(const Examined *examined, unsigned group) {
    const SignalModel *model = examined->model;
    const uint64_t min_green = model->min_green_usec[group], max_red = model->max_red_usec[group];
    if (min_green < INTERLOCK_MIN_GREEN_FLOOR_USEC)
        return problem_set(examined->problem, -ERANGE,
                           "group " NAMED ": minimum green: expected at least %.0f s, got %.3f s",
                           GROUP(examined, group), seconds(INTERLOCK_MIN_GREEN_FLOOR_USEC),
                           seconds(min_green));
    if (max_red > INTERLOCK_MAX_RED_CEILING_USEC)
        return problem_set(examined->problem, -ERANGE,
                           "group " NAMED ": maximum red: expected at most %.0f s, got %.3f s",
                           GROUP(examined, group), seconds(INTERLOCK_MAX_RED_CEILING_USEC), seconds(max_red));
    /* Written without sums of what was given, which may be as large as it likes. */
    const uint64_t cross = longest_min_green_usec(model, group);
    if (model->all_red_usec > max_red / 2 || model->yellow_usec > max_red / 2 - model->all_red_usec ||
        cross > max_red - 2 * (model->yellow_usec + model->all_red_usec))
        return problem_set(examined->problem, -ERANGE,
                           "group " NAMED
                           ": maximum red: expected at least the minimum green of each conflicting group "
                           "(up to %.3f s) and two intergreens of %.3f s, got %.3f s",
                           GROUP(examined, group), seconds(cross),
                           seconds(model->yellow_usec) + seconds(model->all_red_usec), seconds(max_red));
    return 0;
}

static int check_times(const Examined *examined) {
    int r = check_intergreen(examined);
    for (unsigned g = 0; r == 0 && g < examined->model->n_groups; g++)
        r = check_times_of(examined, g);
    return r;
}

static int check_phase(const Examined *examined, unsigned p) {
    const SignalModel *model = examined->model;
    const GroupSet phase = model->phases[p];
    if (phase == 0)
        return problem_set(examined->problem, -EINVAL, "phase " NAMED ": expected groups, got none",
                           PHASE(examined, p));
    if (phase & ~all_groups(model))
        return problem_set(examined->problem, -EINVAL,
                           "phase " NAMED ": expected groups 0 to %u, got group %u", PHASE(examined, p),
                           model->n_groups - 1, first_of(phase & ~all_groups(model)));
    for (unsigned a = 0; a < model->n_groups; a++)
        if (set_has(phase, a) && (phase & model->conflicts[a]))
            return problem_set(examined->problem, -EINVAL,
                               "phase " NAMED ": expected groups that do not conflict, got group " NAMED
                               " and group " NAMED,
                               PHASE(examined, p), GROUP(examined, a),
                               GROUP(examined, first_of(phase & model->conflicts[a])));
    if (model->permitted[p] & ~phase)
        return problem_set(examined->problem, -EINVAL,
                           "phase " NAMED ": expected the yielding among its groups, got group %u",
                           PHASE(examined, p), first_of(model->permitted[p] & ~phase));
    return 0;
}

static int check_phases(const Examined *examined) {
    const SignalModel *model = examined->model;
    GroupSet served = 0;
    for (unsigned p = 0; p < model->n_phases; p++) {
        int r = check_phase(examined, p);
        if (r < 0)
            return r;
        served |= model->phases[p];
    }
    if (served != all_groups(model))
        return problem_set(examined->problem, -EINVAL,
                           "group " NAMED ": expected it in a phase, got it in none",
                           GROUP(examined, first_of(all_groups(model) & ~served)));
    return 0;
}

static int check_directions(const Examined *examined) {
    const SignalModel *model = examined->model;
    for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
        if (model->direction_groups[d] & ~all_groups(model))
            return problem_set(examined->problem, -EINVAL,
                               "direction %s: expected groups 0 to %u, got group %u", direction_words[d],
                               model->n_groups - 1,
                               first_of(model->direction_groups[d] & ~all_groups(model)));
        if (model->direction_phase[d] >= model->n_phases)
            return problem_set(examined->problem, -EINVAL,
                               "direction %s: expected phases 0 to %u, got phase %u", direction_words[d],
                               model->n_phases - 1, model->direction_phase[d]);
    }
    return 0;
}

static int check_stage(const Examined *examined, unsigned s) {
    const SignalModel *model = examined->model;
    const SignalStage *stage = &model->stages[s];
    if (stage->phase >= model->n_phases)
        return problem_set(examined->problem, -EINVAL, "stage %u: expected phases 0 to %u, got phase %u", s,
                           model->n_phases - 1, stage->phase);
    for (unsigned g = 0; g < model->n_groups; g++)
        if (set_has(model->phases[stage->phase], g) && stage->green_usec < model->min_green_usec[g])
            return problem_set(examined->problem, -ERANGE,
                               "stage %u (phase " NAMED
                               "): green: expected at least the minimum green of group " NAMED
                               ", %.3f s, got %.3f s",
                               s, PHASE(examined, stage->phase), GROUP(examined, g),
                               seconds(model->min_green_usec[g]), seconds(stage->green_usec));
    if (stage->green_usec > LONGEST_USEC)
        return problem_set(examined->problem, -ERANGE,
                           "stage %u (phase " NAMED "): green: expected at most %.0f s, got %.3f s", s,
                           PHASE(examined, stage->phase), seconds(LONGEST_USEC), seconds(stage->green_usec));
    return 0;
}

static int check_plan(const Examined *examined) {
    const SignalModel *model = examined->model;
    for (unsigned s = 0; s < model->n_stages; s++) {
        int r = check_stage(examined, s);
        if (r < 0)
            return r;
    }
    if (model->offset_usec > LONGEST_USEC)
        return problem_set(examined->problem, -ERANGE, "offset: expected at most %.0f s, got %.3f s",
                           seconds(LONGEST_USEC), seconds(model->offset_usec));
    return 0;
}

int signal_model_check(const SignalModel *model, const SignalNames *names, Problem *problem) {
    static int (*const checks[])(const Examined *) = {check_sizes,  check_conflicts,  check_times,
                                                      check_phases, check_directions, check_plan};
    const Examined examined = {model, names, problem};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(checks); i++)
        r = checks[i](&examined);
    return r;
}

SignalModel signal_model_two_streets(const SafetyTimes *times, uint64_t green_usec) {
    SignalModel model = {
        .n_groups = DIRECTION_COUNT,
        .conflicts = {[DIRECTION_NS] = 1U << DIRECTION_EW, [DIRECTION_EW] = 1U << DIRECTION_NS},
        .yellow_usec = times->yellow_usec,
        .all_red_usec = times->all_red_usec,
        .n_phases = DIRECTION_COUNT,
        .n_stages = DIRECTION_COUNT,
        .stages = {{DIRECTION_EW, green_usec}, {DIRECTION_NS, green_usec}},
    };
    for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
        model.min_green_usec[d] = times->min_green_usec;
        model.max_red_usec[d] = times->max_red_usec;
        model.phases[d] = model.direction_groups[d] = 1U << d;
        model.direction_phase[d] = d;
    }
    return model;
}
