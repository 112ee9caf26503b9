/* The interlock's state table and its three decisions: may this green end, may this all-red end, and for
 * whom. */
#include "core/interlock.h"

#include <errno.h>

VOCABULARY_DEFINE(INTERLOCK_STATE, INTERLOCK_STATE_LIST, interlock_state_words);

int interlock_times_check(const InterlockTimes *times, Problem *problem) {
    if (times->min_green_usec < INTERLOCK_MIN_GREEN_FLOOR_USEC)
        return problem_set(problem, -ERANGE, "minimum green: expected at least %llu s, got %.3f s",
                           (unsigned long long)(INTERLOCK_MIN_GREEN_FLOOR_USEC / USEC_PER_SEC),
                           (double)times->min_green_usec / (double)USEC_PER_SEC);
    if (times->all_red_usec < INTERLOCK_ALL_RED_FLOOR_USEC)
        return problem_set(problem, -ERANGE, "all-red: expected at least %llu s, got %.3f s",
                           (unsigned long long)(INTERLOCK_ALL_RED_FLOOR_USEC / USEC_PER_SEC),
                           (double)times->all_red_usec / (double)USEC_PER_SEC);
    if (times->max_red_usec > INTERLOCK_MAX_RED_CEILING_USEC)
        return problem_set(problem, -ERANGE, "maximum red: expected at most %llu s, got %.3f s",
                           (unsigned long long)(INTERLOCK_MAX_RED_CEILING_USEC / USEC_PER_SEC),
                           (double)times->max_red_usec / (double)USEC_PER_SEC);
    /* Written without sums of what was given, which may be as large as it likes. */
    if (times->all_red_usec > times->max_red_usec / 2 ||
        times->min_green_usec > times->max_red_usec - 2 * times->all_red_usec)
        return problem_set(problem, -ERANGE,
                           "maximum red: expected at least the minimum green and two all-reds, got %.3f s",
                           (double)times->max_red_usec / (double)USEC_PER_SEC);
    return 0;
}

void interlock_init(Interlock *interlock, const InterlockTimes *times, Mono now) {
    *interlock = (Interlock){.times = times,
                             .state = INTERLOCK_ALL_RED,
                             .green = DIRECTION_EW,
                             .wanted = DIRECTION_EW,
                             .since = now,
                             .red_since = {now, now}};
}

/* When the guard ends a green so that the cross street, red since `red_since`, is green again within the
 * maximum. */
static Mono guard_deadline(const Interlock *interlock) {
    const InterlockTimes *times = interlock->times;
    Mono cross_red_since = interlock->red_since[direction_across(interlock->green)];
    Mono owed = mono_after(cross_red_since, times->max_red_usec - times->all_red_usec);
    Mono allowed = mono_after(interlock->since, times->min_green_usec);
    return owed.usec > allowed.usec ? owed : allowed;
}

Direction interlock_next_green(const Interlock *interlock, Mono now) {
    const InterlockTimes *times = interlock->times;
    Direction wanted = interlock->wanted, other = direction_across(wanted);
    /* Granting the request costs the other direction this much more red at the least. */
    uint64_t other_red_usec = mono_between(interlock->red_since[other], now);
    bool is_owed = other_red_usec > times->max_red_usec - times->min_green_usec - times->all_red_usec;
    /* After a long stall both may be owed: the longer red goes first. */
    bool waits_longer = interlock->red_since[other].usec < interlock->red_since[wanted].usec;
    return is_owed && waits_longer ? other : wanted;
}

static bool leave_all_red(Interlock *interlock, Mono now) {
    if (!mono_reached(now, mono_after(interlock->since, interlock->times->all_red_usec)))
        return false;
    interlock->green = interlock_next_green(interlock, now);
    interlock->guard_acts = interlock->green != interlock->wanted;
    interlock->state = INTERLOCK_GREEN;
    interlock->since = now;
    return true;
}

static bool leave_green(Interlock *interlock, Mono now) {
    bool is_unwanted = interlock->wanted != interlock->green;
    bool is_past_minimum = mono_reached(now, mono_after(interlock->since, interlock->times->min_green_usec));
    bool is_guarded = mono_reached(now, guard_deadline(interlock));
    if (!(is_past_minimum && is_unwanted) && !is_guarded)
        return false;
    interlock->guard_acts = !is_unwanted;
    interlock->state = INTERLOCK_ALL_RED;
    interlock->since = now;
    interlock->red_since[interlock->green] = now;
    return true;
}

static bool latch(Interlock *interlock, Mono now) {
    bool was_green = interlock->state == INTERLOCK_GREEN;
    if (was_green)
        interlock->red_since[interlock->green] = now;
    interlock->state = INTERLOCK_LATCHED;
    interlock->since = now;
    return was_green;
}

static bool stay_latched(Interlock *interlock, Mono now) {
    (void)interlock, (void)now;
    return false;
}

typedef bool (*InterlockCell)(Interlock *interlock, Mono now);

static const InterlockCell cells[INTERLOCK_STATE_COUNT][INTERLOCK_EVENT_COUNT] = {
    /*                       TICK           REQUEST        VIOLATION    */
    [INTERLOCK_ALL_RED] = {leave_all_red, leave_all_red, latch},
    [INTERLOCK_GREEN] = {leave_green, leave_green, latch},
    [INTERLOCK_LATCHED] = {stay_latched, stay_latched, stay_latched},
};

bool interlock_step(Interlock *interlock, InterlockEvent event, Direction direction, Mono now) {
    if (event == INTERLOCK_REQUEST)
        interlock->wanted = direction;
    return cells[interlock->state][event](interlock, now);
}

Lights interlock_lights(const Interlock *interlock) {
    Lights lights = {{COLOUR_RED, COLOUR_RED}};
    if (interlock->state == INTERLOCK_GREEN)
        lights.colour[interlock->green] = COLOUR_GREEN;
    return lights;
}

Mono interlock_deadline(const Interlock *interlock) {
    switch (interlock->state) {
    case INTERLOCK_ALL_RED:
        return mono_after(interlock->since, interlock->times->all_red_usec);
    case INTERLOCK_GREEN:
        if (interlock->wanted != interlock->green)
            return mono_after(interlock->since, interlock->times->min_green_usec);
        return guard_deadline(interlock);
    case INTERLOCK_LATCHED:
        break;
    }
    return mono_never();
}
