/* One function per invariant of the header, each readable on its own. */
#include "core/interlock-check.h"

VOCABULARY_DEFINE(INTERLOCK_VIOLATION, INTERLOCK_VIOLATION_LIST, interlock_violation_words);

static unsigned count_green(Lights lights) {
    unsigned n = 0;
    for (unsigned d = 0; d < DIRECTION_COUNT; d++)
        n += lights.colour[d] == COLOUR_GREEN;
    return n;
}

static bool has_only_colours(Lights lights) {
    for (unsigned d = 0; d < DIRECTION_COUNT; d++)
        if (lights.colour[d] != COLOUR_GREEN && lights.colour[d] != COLOUR_RED)
            return false;
    return true;
}

static bool ends_a_young_green(const InterlockCheck *check, const InterlockTimes *times, Lights next,
                               Mono now) {
    for (unsigned d = 0; d < DIRECTION_COUNT; d++)
        if (check->shown.colour[d] == COLOUR_GREEN && next.colour[d] == COLOUR_RED &&
            now.usec < check->changed[d].usec + times->min_green_usec)
            return true;
    return false;
}

/* All others must have been red, unbroken, for the clearance when `d` turns green. */
static bool is_cleared_for(const InterlockCheck *check, const InterlockTimes *times, unsigned d, Mono now) {
    for (unsigned other = 0; other < DIRECTION_COUNT; other++)
        if (other != d && (check->shown.colour[other] != COLOUR_RED ||
                           now.usec < check->changed[other].usec + times->all_red_usec))
            return false;
    return true;
}

static bool starts_without_clearance(const InterlockCheck *check, const InterlockTimes *times, Lights next,
                                     Mono now) {
    for (unsigned d = 0; d < DIRECTION_COUNT; d++)
        if (check->shown.colour[d] == COLOUR_RED && next.colour[d] == COLOUR_GREEN &&
            !is_cleared_for(check, times, d, now))
            return true;
    return false;
}

static bool has_held(const InterlockCheck *check, Lights next, unsigned d, Colour colour, uint64_t usec,
                     Mono now) {
    return check->shown.colour[d] == colour && next.colour[d] == colour &&
           now.usec >= check->changed[d].usec + usec;
}

/* Some direction waits beyond the maximum, and the lights go on as if it did not. */
static bool lets_someone_starve(const InterlockCheck *check, const InterlockTimes *times, Lights next,
                                Mono now) {
    unsigned n_starving = 0, n_held_green = 0;
    for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
        n_starving += has_held(check, next, d, COLOUR_RED, times->max_red_usec, now);
        n_held_green += has_held(check, next, d, COLOUR_GREEN, times->min_green_usec, now);
    }
    return (n_starving > 0 && n_held_green > 0) || n_starving == DIRECTION_COUNT;
}

static InterlockViolation judge(const InterlockCheck *check, const InterlockTimes *times, Lights next,
                                Mono now) {
    if (!has_only_colours(next))
        return VIOLATION_NOT_A_COLOUR;
    if (count_green(next) > 1)
        return VIOLATION_BOTH_GREEN;
    if (!check->has_started)
        return count_green(next) == 0 ? VIOLATION_NONE : VIOLATION_NOT_A_START;
    if (ends_a_young_green(check, times, next, now))
        return VIOLATION_GREEN_TOO_SHORT;
    if (starts_without_clearance(check, times, next, now))
        return VIOLATION_NO_CLEARANCE;
    if (lets_someone_starve(check, times, next, now))
        return VIOLATION_RED_TOO_LONG;
    return VIOLATION_NONE;
}

InterlockViolation interlock_check(InterlockCheck *check, const InterlockTimes *times, Lights next,
                                   Mono now) {
    InterlockViolation violation = judge(check, times, next, now);
    if (violation != VIOLATION_NONE)
        return violation;
    for (unsigned d = 0; d < DIRECTION_COUNT; d++)
        if (!check->has_started || check->shown.colour[d] != next.colour[d])
            check->changed[d] = now;
    check->has_started = true;
    check->shown = next;
    return VIOLATION_NONE;
}
