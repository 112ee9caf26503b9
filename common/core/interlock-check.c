/* One function per invariant of the header, each readable on its own. */
#include "core/interlock-check.h"

VOCABULARY_DEFINE(INTERLOCK_VIOLATION, INTERLOCK_VIOLATION_LIST, interlock_violation_words);

/* One output to be judged. */
typedef struct Judged {
    const InterlockCheck *check;
    const SignalModel *model;
    const Lights *next;
    Mono now;
} Judged;

static const InterlockVerdict fine = {.violation = VIOLATION_NONE};

static InterlockVerdict wrong(InterlockViolation violation, unsigned group, unsigned other) {
    return (InterlockVerdict){.violation = violation, .group = group, .other = other};
}

static bool conflict(const Judged *judged, unsigned a, unsigned b) {
    return set_has(judged->model->conflicts[a], b);
}

static bool was(const Judged *judged, unsigned group, SignalColour colour) {
    return judged->check->shown.colour[group] == colour;
}

static bool will_be(const Judged *judged, unsigned group, SignalColour colour) {
    return judged->next->colour[group] == colour;
}

static bool stays(const Judged *judged, unsigned group, SignalColour colour) {
    return was(judged, group, colour) && will_be(judged, group, colour);
}

static bool turns_green(const Judged *judged, unsigned group) {
    return !was(judged, group, SIGNAL_GREEN) && will_be(judged, group, SIGNAL_GREEN);
}

/* Has it shown its colour for at least this long? */
static bool has_lasted(const Judged *judged, unsigned group, uint64_t usec) {
    return mono_between(judged->check->changed[group], judged->now) >= usec;
}

/* --- I5: colours and the start --- */

static InterlockVerdict check_colours(const Judged *judged) {
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++) {
        bool is_there = g < judged->model->n_groups;
        if (is_there ? (unsigned)judged->next->colour[g] >= SIGNAL_COLOUR_COUNT
                     : !will_be(judged, g, SIGNAL_RED))
            return wrong(VIOLATION_NOT_A_COLOUR, g, g);
    }
    return fine;
}

static InterlockVerdict check_start(const Judged *judged) {
    if (judged->check->has_started)
        return fine;
    for (unsigned g = 0; g < judged->model->n_groups; g++)
        if (!will_be(judged, g, SIGNAL_RED))
            return wrong(VIOLATION_NOT_A_START, g, g);
    return fine;
}

/* --- I1 --- */

static InterlockVerdict check_conflicts(const Judged *judged) {
    for (unsigned a = 0; a < judged->model->n_groups; a++)
        for (unsigned b = 0; b < judged->model->n_groups; b++)
            if (conflict(judged, a, b) && !will_be(judged, a, SIGNAL_RED) && !will_be(judged, b, SIGNAL_RED))
                return wrong(VIOLATION_CONFLICT, a, b);
    return fine;
}

/* --- I2 --- */

static InterlockVerdict check_minimum_green(const Judged *judged) {
    for (unsigned g = 0; g < judged->model->n_groups; g++)
        if (was(judged, g, SIGNAL_GREEN) && !will_be(judged, g, SIGNAL_GREEN) &&
            !has_lasted(judged, g, judged->model->min_green_usec[g]))
            return wrong(VIOLATION_GREEN_TOO_SHORT, g, g);
    return fine;
}

/* --- I3 --- */

static InterlockVerdict check_clearance_of(const Judged *judged, unsigned group) {
    const uint64_t all_red_usec = judged->model->all_red_usec;
    if (mono_between(judged->check->started, judged->now) < all_red_usec)
        return wrong(VIOLATION_NO_CLEARANCE, group, group);
    for (unsigned other = 0; other < judged->model->n_groups; other++)
        if (conflict(judged, group, other) &&
            (!was(judged, other, SIGNAL_RED) || !has_lasted(judged, other, all_red_usec)))
            return wrong(VIOLATION_NO_CLEARANCE, group, other);
    return fine;
}

static InterlockVerdict check_clearance(const Judged *judged) {
    for (unsigned g = 0; g < judged->model->n_groups; g++) {
        InterlockVerdict verdict = turns_green(judged, g) ? check_clearance_of(judged, g) : fine;
        if (verdict.violation != VIOLATION_NONE)
            return verdict;
    }
    return fine;
}

/* --- I5: yellow --- */

static bool has_wrong_yellow(const Judged *judged, unsigned group) {
    const uint64_t yellow_usec = judged->model->yellow_usec;
    bool is_over = has_lasted(judged, group, yellow_usec);
    switch (judged->check->shown.colour[group]) {
    case SIGNAL_RED:
        return will_be(judged, group, SIGNAL_YELLOW);
    case SIGNAL_YELLOW:
        return will_be(judged, group, SIGNAL_GREEN) || will_be(judged, group, SIGNAL_RED) != is_over;
    case SIGNAL_GREEN:
        return will_be(judged, group, yellow_usec > 0 ? SIGNAL_RED : SIGNAL_YELLOW);
    case SIGNAL_COLOUR_COUNT:
        break;
    }
    return true;
}

static InterlockVerdict check_yellow(const Judged *judged) {
    for (unsigned g = 0; g < judged->model->n_groups; g++)
        if (has_wrong_yellow(judged, g))
            return wrong(VIOLATION_WRONG_YELLOW, g, g);
    return fine;
}

/* --- I4 --- */

static bool is_passed_over_by(const Judged *judged, unsigned overdue, unsigned other) {
    const Mono *changed = judged->check->changed;
    if (stays(judged, other, SIGNAL_GREEN))
        return has_lasted(judged, other, judged->model->min_green_usec[other]);
    return turns_green(judged, other) && changed[overdue].usec < changed[other].usec;
}

/* All-red goes on although everybody has been cleared. */
static bool stands_still(const Judged *judged) {
    for (unsigned g = 0; g < judged->model->n_groups; g++)
        if (!stays(judged, g, SIGNAL_RED) || !has_lasted(judged, g, judged->model->all_red_usec))
            return false;
    return true;
}

static InterlockVerdict check_maximum_red(const Judged *judged) {
    for (unsigned g = 0; g < judged->model->n_groups; g++) {
        if (!stays(judged, g, SIGNAL_RED) || !has_lasted(judged, g, judged->model->max_red_usec[g]))
            continue;
        for (unsigned other = 0; other < judged->model->n_groups; other++)
            if (conflict(judged, g, other) && is_passed_over_by(judged, g, other))
                return wrong(VIOLATION_RED_TOO_LONG, g, other);
        if (stands_still(judged))
            return wrong(VIOLATION_RED_TOO_LONG, g, g);
    }
    return fine;
}

/* --- all of them --- */

typedef InterlockVerdict (*CheckFn)(const Judged *judged);

static InterlockVerdict judge(const Judged *judged) {
    static const CheckFn of_any_output[] = {check_colours, check_conflicts, check_start};
    static const CheckFn of_a_change[] = {check_minimum_green, check_clearance, check_yellow,
                                          check_maximum_red};
    InterlockVerdict verdict = fine;
    for (unsigned i = 0; i < sizeof of_any_output / sizeof *of_any_output; i++)
        if (verdict.violation == VIOLATION_NONE)
            verdict = of_any_output[i](judged);
    for (unsigned i = 0; judged->check->has_started && i < sizeof of_a_change / sizeof *of_a_change; i++)
        if (verdict.violation == VIOLATION_NONE)
            verdict = of_a_change[i](judged);
    return verdict;
}

InterlockVerdict interlock_check(InterlockCheck *check, const SignalModel *model, const Lights *next,
                                 Mono now) {
    if (now.usec < check->latest.usec)
        now = check->latest;
    Judged judged = {.check = check, .model = model, .next = next, .now = now};
    InterlockVerdict verdict = judge(&judged);
    if (verdict.violation != VIOLATION_NONE)
        return verdict;
    for (unsigned g = 0; g < model->n_groups; g++)
        if (!check->has_started || check->shown.colour[g] != next->colour[g])
            check->changed[g] = now;
    if (!check->has_started)
        check->started = now;
    check->has_started = true;
    check->latest = now;
    check->shown = *next;
    return verdict;
}
