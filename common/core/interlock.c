/* What each group may show next, decided by looking at the groups that conflict with it: no sets are built, no order
 * is kept. Differences of times are compared, never sums, so that no model and no clock can overflow them. */
#include "core/interlock.h"

VOCABULARY_DEFINE(INTERLOCK_STATE, INTERLOCK_STATE_LIST, interlock_state_words);

static bool conflict(const SignalModel *model, unsigned a, unsigned b) {
    return a != b && (set_has(model->conflicts[a], b) || set_has(model->conflicts[b], a));
}

static uint64_t less(uint64_t usec, uint64_t what) {
    return usec > what ? usec - what : 0;
}

/* How long the group has shown its colour. */
static uint64_t held_usec(const Interlock *interlock, unsigned group) {
    return mono_between(interlock->since[group], interlock->seen);
}

/* --- the guard --- */

/* A red of this length lets no conflicting green go on. */
static uint64_t due_usec(const SignalModel *model, unsigned group) {
    return less(less(model->max_red_usec[group], model->yellow_usec), model->all_red_usec);
}

/* A red longer than this lets no conflicting green begin. */
static uint64_t owed_usec(const SignalModel *model, unsigned group) {
    uint64_t longest = 0;
    for (unsigned other = 0; other < model->n_groups; other++)
        if (conflict(model, group, other) && model->min_green_usec[other] > longest)
            longest = model->min_green_usec[other];
    return less(due_usec(model, group), longest);
}

static bool is_owed(const Interlock *interlock, unsigned group) {
    return interlock->colour[group] == SIGNAL_RED &&
           held_usec(interlock, group) > owed_usec(interlock->model, group);
}

/* Which of two groups that are owed a green begins first. */
static bool goes_before(const Interlock *interlock, unsigned a, unsigned b) {
    if (interlock->since[a].usec != interlock->since[b].usec)
        return interlock->since[a].usec < interlock->since[b].usec;
    if (set_has(interlock->wanted, a) != set_has(interlock->wanted, b))
        return set_has(interlock->wanted, a);
    return a < b;
}

/* Must this red group wait for another that is owed a green? */
static bool is_passed_over(const Interlock *interlock, unsigned group) {
    const bool owed = is_owed(interlock, group);
    for (unsigned other = 0; other < interlock->model->n_groups; other++)
        if (conflict(interlock->model, group, other) && is_owed(interlock, other) &&
            !(owed && goes_before(interlock, group, other)))
            return true;
    return false;
}

/* Has a conflicting group been red so long that this green may not go on? */
static bool is_displaced(const Interlock *interlock, unsigned group) {
    for (unsigned other = 0; other < interlock->model->n_groups; other++)
        if (conflict(interlock->model, group, other) && interlock->colour[other] == SIGNAL_RED &&
            held_usec(interlock, other) >= due_usec(interlock->model, other))
            return true;
    return false;
}

/* --- the decisions --- */

static bool has_cleared(const Interlock *interlock, unsigned group) {
    return interlock->colour[group] == SIGNAL_RED &&
           held_usec(interlock, group) >= interlock->model->all_red_usec;
}

/* Is the way free: this group and every conflicting one red for the all-red time? */
static bool is_clear(const Interlock *interlock, unsigned group) {
    for (unsigned other = 0; other < interlock->model->n_groups; other++)
        if (conflict(interlock->model, group, other) && !has_cleared(interlock, other))
            return false;
    return has_cleared(interlock, group);
}

static bool may_begin(const Interlock *interlock, unsigned group) {
    return is_clear(interlock, group) && (set_has(interlock->wanted, group) || is_owed(interlock, group)) &&
           !is_passed_over(interlock, group);
}

static bool may_end(const Interlock *interlock, unsigned group) {
    return held_usec(interlock, group) >= interlock->model->min_green_usec[group] &&
           (!set_has(interlock->wanted, group) || is_displaced(interlock, group));
}

static SignalColour next_colour(const Interlock *interlock, unsigned group) {
    const SignalModel *model = interlock->model;
    switch (interlock->colour[group]) {
    case SIGNAL_GREEN:
        if (!may_end(interlock, group))
            return SIGNAL_GREEN;
        return model->yellow_usec > 0 ? SIGNAL_YELLOW : SIGNAL_RED;
    case SIGNAL_YELLOW:
        return held_usec(interlock, group) >= model->yellow_usec ? SIGNAL_RED : SIGNAL_YELLOW;
    default:
        return may_begin(interlock, group) ? SIGNAL_GREEN : SIGNAL_RED;
    }
}

/* --- public --- */

static void hear(Interlock *interlock, Mono now) {
    if (now.usec > interlock->seen.usec)
        interlock->seen = now;
}

static void start_up(Interlock *interlock) {
    interlock->state = INTERLOCK_START;
    interlock->wanted = 0;
    interlock->guarded = 0;
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++) {
        interlock->colour[g] = SIGNAL_RED;
        interlock->since[g] = interlock->seen;
    }
}

void interlock_init(Interlock *interlock, const SignalModel *model, Mono now) {
    interlock->model = model;
    interlock->seen = now;
    start_up(interlock);
}

bool interlock_step(Interlock *interlock, GroupSet wanted, Mono now) {
    hear(interlock, now);
    interlock->wanted = wanted;
    if (interlock->state == INTERLOCK_LATCHED)
        return false;
    bool has_changed = false, has_turned = false; /* `turned`: a green began or ended */
    GroupSet guarded = 0;
    for (unsigned g = 0; g < interlock->model->n_groups; g++) {
        const SignalColour was = interlock->colour[g], next = next_colour(interlock, g);
        if (next == was)
            continue;
        interlock->colour[g] = next;
        interlock->since[g] = interlock->seen;
        has_changed = true;
        if (was == SIGNAL_YELLOW)
            continue;
        has_turned = true;
        if (set_has(wanted, g) != (next == SIGNAL_GREEN))
            guarded |= (GroupSet)1 << g;
    }
    if (has_turned) {
        interlock->state = INTERLOCK_RUNNING;
        interlock->guarded = guarded;
    }
    return has_changed;
}

void interlock_latch(Interlock *interlock, Mono now) {
    hear(interlock, now);
    interlock->state = INTERLOCK_LATCHED;
    interlock->guarded = 0;
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++)
        if (interlock->colour[g] != SIGNAL_RED) {
            interlock->colour[g] = SIGNAL_RED;
            interlock->since[g] = interlock->seen;
        }
}

void interlock_release(Interlock *interlock, Mono now) {
    hear(interlock, now);
    if (interlock->state == INTERLOCK_LATCHED)
        start_up(interlock);
}

Lights interlock_lights(const Interlock *interlock) {
    Lights lights;
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++)
        lights.colour[g] = interlock->colour[g];
    return lights;
}

bool interlock_is_owed(const Interlock *interlock, unsigned group, Mono now) {
    return interlock->colour[group] == SIGNAL_RED &&
           mono_between(interlock->since[group], now) > owed_usec(interlock->model, group);
}

/* --- deadlines --- */

static Mono mono_max(Mono a, Mono b) {
    return a.usec > b.usec ? a : b;
}

/* The earlier of the two that is yet to come. */
static Mono sooner(const Interlock *interlock, Mono best, Mono t) {
    return t.usec > interlock->seen.usec ? mono_min(best, t) : best;
}

/* When this green ends, if nothing else changes before. */
static Mono green_end(const Interlock *interlock, unsigned group) {
    const SignalModel *model = interlock->model;
    const Mono allowed = mono_after(interlock->since[group], model->min_green_usec[group]);
    if (!set_has(interlock->wanted, group))
        return sooner(interlock, mono_never(), allowed);
    Mono best = mono_never();
    for (unsigned other = 0; other < model->n_groups; other++)
        if (conflict(model, group, other) && interlock->colour[other] == SIGNAL_RED) {
            Mono due = mono_after(interlock->since[other], due_usec(model, other));
            best = sooner(interlock, best, mono_max(allowed, due));
        }
    return best;
}

/* When the way is free; never, as long as a conflicting group is not red. */
static Mono clear_at(const Interlock *interlock, unsigned group) {
    const SignalModel *model = interlock->model;
    Mono latest = interlock->since[group];
    for (unsigned other = 0; other < model->n_groups; other++)
        if (conflict(model, group, other)) {
            if (interlock->colour[other] != SIGNAL_RED)
                return mono_never();
            latest = mono_max(latest, interlock->since[other]);
        }
    return mono_after(latest, model->all_red_usec);
}

/* When this red ends at the earliest, if nothing else changes before. */
static Mono red_end(const Interlock *interlock, unsigned group) {
    const Mono clear = clear_at(interlock, group);
    const Mono owed = mono_after(mono_after(interlock->since[group], owed_usec(interlock->model, group)), 1);
    const Mono best = sooner(interlock, mono_never(), mono_max(clear, owed));
    return set_has(interlock->wanted, group) ? sooner(interlock, best, clear) : best;
}

Mono interlock_deadline(const Interlock *interlock) {
    Mono best = mono_never();
    if (interlock->state == INTERLOCK_LATCHED)
        return best;
    for (unsigned g = 0; g < interlock->model->n_groups; g++) {
        Mono t;
        switch (interlock->colour[g]) {
        case SIGNAL_GREEN:
            t = green_end(interlock, g);
            break;
        case SIGNAL_YELLOW:
            t = sooner(interlock, best, mono_after(interlock->since[g], interlock->model->yellow_usec));
            break;
        default:
            t = red_end(interlock, g);
        }
        best = mono_min(best, t);
    }
    return best;
}
