/* What the planner stands on: the picture as streams of arrivals, the lights as minimum greens and reds that the guard
 * will end. */
#include "core/policy.h"

#include <math.h>
#include <string.h>

/* A lane of which nothing is known is taken to get a vehicle so often while it is red. */
#define BLIND_HEADWAY_SEC 10.0
#define START_UP_SEC      1.0

static double sec(uint64_t usec) {
    return (double)usec / (double)USEC_PER_SEC;
}

static double age_sec(const PolicyInput *input, unsigned group, Mono now) {
    return sec(mono_between(input->since[group], now));
}

static bool is_green(const PolicyInput *input, unsigned group) {
    return input->lights.colour[group] == SIGNAL_GREEN;
}

/* --- lights --- */

/* How long the group cannot turn green yet because a conflicting one has just ended. Those still green are the
 * planner's: a change waits for them. */
static double clearance_left_sec(const PolicyInput *input, unsigned group, Mono now) {
    const SignalModel *model = input->model;
    double left = 0;
    for (unsigned h = 0; h < model->n_groups; h++) {
        if (!set_has(model->conflicts[group], h) || is_green(input, h))
            continue;
        bool is_yellow = input->lights.colour[h] == SIGNAL_YELLOW;
        uint64_t needs_usec = model->all_red_usec + (is_yellow ? model->yellow_usec : 0);
        left = fmax(left, sec(needs_usec) - age_sec(input, h, now));
    }
    return left;
}

/* No vehicle of the lane passes the stop line earlier: clearance and start-up. */
static double ready_sec(const PolicyInput *input, unsigned lane, GroupSet phase, Mono now) {
    GroupSet groups = input->layout->lanes[lane].groups & phase;
    double ready = INFINITY;
    for (unsigned g = 0; g < input->model->n_groups; g++) {
        if (!set_has(groups, g))
            continue;
        double begins = is_green(input, g) ? -age_sec(input, g, now) : clearance_left_sec(input, g, now);
        ready = fmin(ready, begins + START_UP_SEC);
    }
    return isinf(ready) ? 0 : fmax(ready, 0);
}

/* Those that are red or yellow now: when the guard will turn them green. In order. */
static void find_owed(const PolicyInput *input, PlannerTask *task, Mono now) {
    const SignalModel *model = input->model;
    task->n_owed = 0;
    for (unsigned g = 0; g < model->n_groups; g++) {
        if (is_green(input, g))
            continue;
        uint64_t lead_usec = 0;
        for (unsigned h = 0; h < model->n_groups; h++)
            if (set_has(model->conflicts[g], h) && model->min_green_usec[h] > lead_usec)
                lead_usec = model->min_green_usec[h];
        double due = sec(model->max_red_usec[g]) - sec(lead_usec + model->yellow_usec + model->all_red_usec);
        PlannerOwed owed = {g, (float)(due - age_sec(input, g, now))};
        unsigned i = task->n_owed++;
        for (; i > 0 && task->owed[i - 1].sec > owed.sec; i--)
            task->owed[i] = task->owed[i - 1];
        task->owed[i] = owed;
    }
}

static void read_lights(const PlannerTable *table, const PolicyInput *input, PlannerTask *task, Mono now) {
    const SignalModel *model = input->model;
    task->phase = policy_phase_shown(input);
    task->green = 0;
    memset(task->may_leave_sec, 0, sizeof task->may_leave_sec);
    for (unsigned g = 0; g < model->n_groups; g++) {
        if (!is_green(input, g))
            continue;
        task->green |= (GroupSet)1 << g;
        double left = sec(model->min_green_usec[g]) - age_sec(input, g, now);
        for (unsigned p = 0; p < table->n_phases; p++)
            if (!set_has(table->phases[p], g) && left > task->may_leave_sec[p])
                task->may_leave_sec[p] = (float)left;
    }
    find_owed(input, task, now);
}

/* --- traffic --- */

/* Nobody tells: vehicles that may have come since the lane was last green, and go on coming. */
static void suppose(const PolicyInput *input, unsigned lane, Mono now, PlannerStream *stream) {
    double red_sec = INFINITY;
    for (unsigned g = 0; g < input->model->n_groups; g++)
        if (set_has(input->layout->lanes[lane].groups, g))
            red_sec = fmin(red_sec, is_green(input, g) ? 0 : age_sec(input, g, now));
    double standing = isinf(red_sec) ? 0 : fmin(red_sec / BLIND_HEADWAY_SEC, 20);
    stream->n = (unsigned)standing;
    for (unsigned i = 0; i < stream->n; i++)
        stream->arrives_sec[i] = 0;
}

static void read_traffic(const PlannerTable *table, const PolicyInput *input, PlannerTask *task, Mono now) {
    Arrivals arrivals;
    task->n_streams = 0;
    for (unsigned l = 0; l < input->layout->n_lanes; l++) {
        PlannerStream *stream = &task->streams[task->n_streams];
        if (set_has(table->always, l))
            continue;
        stream->lane = l;
        picture_arrivals(input->picture, l, now, &arrivals);
        if (arrivals.rung == PICTURE_BLIND) {
            suppose(input, l, now, stream);
        } else {
            stream->n = arrivals.n < PLANNER_VEHICLES_MAX ? arrivals.n : PLANNER_VEHICLES_MAX;
            memcpy(stream->arrives_sec, arrivals.sec, stream->n * sizeof *arrivals.sec);
        }
        stream->ready_sec = (float)ready_sec(input, l, table->phases[task->phase], now);
        task->n_streams += stream->n > 0;
    }
}

PolicyChoice policy_planner(PolicyMemory *memory, const PolicyInput *input, Mono now) {
    const PlannerTable *table = &memory->table;
    PlannerTask *task = &memory->scratch->task;
    unsigned shown = policy_phase_shown(input);
    if (!policy_phase_is_green(input, shown))
        return (PolicyChoice){.has_phase = true, .phase = shown}; /* on its way */
    read_lights(table, input, task, now);
    read_traffic(table, input, task, now);
    return (PolicyChoice){.has_phase = true, .phase = planner_plan(table, memory->scratch)};
}
