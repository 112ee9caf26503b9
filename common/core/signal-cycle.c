/* Sums over the stages. Every time here is far below 2^40 us, as signal_model_check() sees to. */
#include "core/signal-cycle.h"

/* So little is not worth a cycle of longer greens, when shorter ones are not to be had. */
#define IN_STEP_USEC (1 * USEC_PER_SEC)

static uint64_t usec_min(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t usec_max(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t usec_less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static GroupSet stage_groups(const SignalModel *model, unsigned stage) {
    return model->phases[model->stages[stage].phase];
}

uint64_t signal_min_green_usec(const SignalModel *model, GroupSet groups) {
    uint64_t longest_usec = 0;
    for (unsigned g = 0; g < model->n_groups; g++)
        if (set_has(groups, g))
            longest_usec = usec_max(longest_usec, model->min_green_usec[g]);
    return longest_usec;
}

uint64_t signal_cycle_usec(const SignalModel *model) {
    uint64_t usec = model->n_stages * signal_intergreen_usec(model);
    for (unsigned i = 0; i < model->n_stages; i++)
        usec += model->stages[i].green_usec;
    return usec;
}

uint64_t signal_longest_red_usec(const SignalModel *model, unsigned group) {
    const unsigned n = model->n_stages;
    uint64_t longest_usec = 0;
    for (unsigned from = 0; from < n; from++) {
        if (!set_has(stage_groups(model, from), group))
            continue;
        /* From the end of this stage's green to its next one. */
        uint64_t red_usec = 0;
        for (unsigned i = 1; i <= n && !set_has(stage_groups(model, (from + i) % n), group); i++)
            red_usec += model->stages[(from + i) % n].green_usec + signal_intergreen_usec(model);
        bool is_followed = set_has(stage_groups(model, (from + 1) % n), group);
        if (!is_followed)
            longest_usec = usec_max(longest_usec, red_usec + signal_intergreen_usec(model));
    }
    return longest_usec;
}

/* --- places --- */

static uint64_t position_usec(const SignalModel *model, uint64_t since_zero_usec) {
    uint64_t cycle_usec = signal_cycle_usec(model);
    return (since_zero_usec % cycle_usec + cycle_usec - model->offset_usec % cycle_usec) % cycle_usec;
}

static uint64_t stage_start_usec(const SignalModel *model, unsigned stage) {
    uint64_t usec = 0;
    for (unsigned i = 0; i < stage; i++)
        usec += model->stages[i].green_usec + signal_intergreen_usec(model);
    return usec;
}

CyclePlace signal_cycle_place(const SignalModel *model, uint64_t since_zero_usec) {
    uint64_t position = position_usec(model, since_zero_usec);
    for (unsigned i = 0; i < model->n_stages; i++) {
        uint64_t end_usec = stage_start_usec(model, i) + model->stages[i].green_usec;
        if (position < end_usec)
            return (CyclePlace){.stage = i, .left_usec = end_usec - position};
    }
    uint64_t left_usec = signal_cycle_usec(model) - position + model->stages[0].green_usec;
    return (CyclePlace){.stage = 0, .left_usec = left_usec};
}

CyclePlace signal_cycle_entry(const SignalModel *model, uint64_t since_zero_usec) {
    CyclePlace place = signal_cycle_place(model, since_zero_usec);
    if (place.left_usec >= signal_min_green_usec(model, stage_groups(model, place.stage)))
        return place;
    unsigned next = (place.stage + 1) % model->n_stages;
    return (CyclePlace){.stage = next,
                        .left_usec =
                            place.left_usec + signal_intergreen_usec(model) + model->stages[next].green_usec};
}

/* --- getting back in step --- */

/* The least that the maximum red of any group leaves beside the plan's longest red of it, and beside the time
 * that the guard needs to give it a green. */
static uint64_t spare_red_usec(const SignalModel *model) {
    uint64_t spare_usec = UINT64_MAX;
    for (unsigned g = 0; g < model->n_groups; g++) {
        uint64_t red_usec = signal_longest_red_usec(model, g);
        uint64_t guard_usec =
            signal_min_green_usec(model, model->conflicts[g]) + signal_intergreen_usec(model);
        if (red_usec > 0)
            spare_usec = usec_min(spare_usec, usec_less(model->max_red_usec[g], red_usec + guard_usec));
    }
    return spare_usec;
}

/* How much shorter, and how much longer, each green may be. */
typedef struct Give {
    uint64_t shorter_usec[SIGNAL_STAGES_MAX], longer_usec[SIGNAL_STAGES_MAX];
    uint64_t all_shorter_usec, all_longer_usec;
} Give;

static Give give_of(const SignalModel *model) {
    Give give = {.all_shorter_usec = 0};
    uint64_t spare_usec = spare_red_usec(model) / model->n_stages;
    for (unsigned i = 0; i < model->n_stages; i++) {
        uint64_t green_usec = model->stages[i].green_usec;
        uint64_t least_usec = usec_max(green_usec / 2, signal_min_green_usec(model, stage_groups(model, i)));
        give.shorter_usec[i] = green_usec - least_usec;
        give.longer_usec[i] = usec_min(green_usec / 2, spare_usec);
        give.all_shorter_usec += give.shorter_usec[i];
        give.all_longer_usec += give.longer_usec[i];
    }
    return give;
}

/* Is a / b <= c / d? In milliseconds, so that the products fit. */
static bool is_sooner(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    return b > 0 &&
           (d == 0 || (a / USEC_PER_MSEC) * (d / USEC_PER_MSEC) <= (c / USEC_PER_MSEC) * (b / USEC_PER_MSEC));
}

uint64_t signal_cycle_green_usec(const SignalModel *model, unsigned stage, uint64_t since_zero_usec) {
    uint64_t green_usec = model->stages[stage].green_usec, cycle_usec = signal_cycle_usec(model);
    uint64_t start_usec = stage_start_usec(model, stage);
    uint64_t late_usec = (position_usec(model, since_zero_usec) + cycle_usec - start_usec) % cycle_usec;
    if (late_usec == 0)
        return green_usec;
    uint64_t early_usec = cycle_usec - late_usec;
    Give give = give_of(model);
    if (is_sooner(late_usec, give.all_shorter_usec, early_usec, give.all_longer_usec))
        return green_usec - usec_min(late_usec, give.shorter_usec[stage]);
    if (late_usec < IN_STEP_USEC)
        return green_usec;
    return green_usec + usec_min(early_usec, give.longer_usec[stage]);
}
