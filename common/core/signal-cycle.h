/* The fixed-time plan of a model that has passed its check, as arithmetic: where in its cycle it is at a time, and how long a green must be so that the
 * plan gets back in step.
 *
 * All plans of a city have one zero in common, and each begins its cycle its offset after it: so neighbours are
 * in step with each other. Whatever has kept a plan from its times (a wave, a forced green, a policy), it is
 * late or early afterwards by part of a cycle. It catches up by shorter greens or falls back by longer ones,
 * whichever takes fewer cycles: never below the minimum green nor half of the green planned, never above one and
 * a half times of it nor what the maximum red of the others leaves. */
#pragma once

#include "core/signal-model.h"

/* All stages with their intergreens. */
uint64_t signal_cycle_usec(const SignalModel *model);

/* Between the end of one stage and the green of the next. */
static inline uint64_t signal_intergreen_usec(const SignalModel *model) {
    return model->yellow_usec + model->all_red_usec;
}

/* The longest minimum green of a set of groups; 0 for none. */
uint64_t signal_min_green_usec(const SignalModel *model, GroupSet groups);

/* How long a group is red in the plan at the longest; 0 when no stage has it. */
uint64_t signal_longest_red_usec(const SignalModel *model, unsigned group);

/* Where the plan is. */
typedef struct CyclePlace {
    unsigned stage;     /* whose green it is, or comes next */
    uint64_t left_usec; /* until the end of that green */
} CyclePlace;

/* `since_zero_usec` after the common zero. */
CyclePlace signal_cycle_place(const SignalModel *model, uint64_t since_zero_usec);

/* The same, but the next stage when what is left of this one is below its minimum: where to begin. */
CyclePlace signal_cycle_entry(const SignalModel *model, uint64_t since_zero_usec);

/* How long the green of `stage` should be that begins then: as planned when the plan is in step. */
uint64_t signal_cycle_green_usec(const SignalModel *model, unsigned stage, uint64_t since_zero_usec);
