/* What each group may show next, decided by looking at the groups that conflict with it: no sets are built, no order
 * is kept. Differences of times are compared, never sums, so that no model and no clock can overflow them. */
#include "core/interlock.h"

VOCABULARY_DEFINE(INTERLOCK_STATE, INTERLOCK_STATE_LIST, interlock_state_words);

/*@ requires \valid_read(model) && a < SIGNAL_GROUPS_MAX && b < SIGNAL_GROUPS_MAX;
    assigns \nothing;
    ensures \result != 0 <==> in_conflict(model, a, b); */
static bool conflict(const SignalModel *model, unsigned a, unsigned b) {
    return a != b && (set_has(model->conflicts[a], b) || set_has(model->conflicts[b], a));
}

/*@ assigns \nothing;
    ensures \result == \max(usec - what, 0); */
static uint64_t less(uint64_t usec, uint64_t what) {
    return usec > what ? usec - what : 0;
}

/* How long the group has shown its colour. */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result == interlock->seen.usec - interlock->since[group].usec; */
static uint64_t held_usec(const Interlock *interlock, unsigned group) {
    return mono_between(interlock->since[group], interlock->seen);
}

/* --- the guard --- */

/* A red of this length lets no conflicting green go on. */
/*@ requires \valid_read(model) && model->n_groups <= SIGNAL_GROUPS_MAX && group < model->n_groups;
    assigns \nothing; */
static uint64_t due_usec(const SignalModel *model, unsigned group) {
    return less(less(model->max_red_usec[group], model->yellow_usec), model->all_red_usec);
}

/* A red longer than this lets no conflicting green begin. */
/*@ requires \valid_read(model) && model->n_groups <= SIGNAL_GROUPS_MAX && group < model->n_groups;
    assigns \nothing; */
static uint64_t owed_usec(const SignalModel *model, unsigned group) {
    uint64_t longest = 0;
    /*@ loop invariant 0 <= other <= model->n_groups;
        loop assigns other, longest;
        loop variant model->n_groups - other; */
    for (unsigned other = 0; other < model->n_groups; other++)
        if (conflict(model, group, other) && model->min_green_usec[other] > longest)
            longest = model->min_green_usec[other];
    return less(due_usec(model, group), longest);
}

/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing; */
static bool is_owed(const Interlock *interlock, unsigned group) {
    return interlock->colour[group] == SIGNAL_RED &&
           held_usec(interlock, group) > owed_usec(interlock->model, group);
}

/* Which of two groups that are owed a green begins first. */
/*@ requires is_interlock(interlock) && a < interlock->model->n_groups && b < interlock->model->n_groups;
    assigns \nothing; */
static bool goes_before(const Interlock *interlock, unsigned a, unsigned b) {
    if (interlock->since[a].usec != interlock->since[b].usec)
        return interlock->since[a].usec < interlock->since[b].usec;
    /* In two steps: gcc 12 at -O1 gets "if they differ, the first" wrong. */
    if (set_has(interlock->wanted, a) && !set_has(interlock->wanted, b))
        return true;
    if (set_has(interlock->wanted, b) && !set_has(interlock->wanted, a))
        return false;
    return a < b;
}

/* Must this red group wait for another that is owed a green? */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing; */
static bool is_passed_over(const Interlock *interlock, unsigned group) {
    const bool owed = is_owed(interlock, group);
    /*@ loop invariant 0 <= other <= interlock->model->n_groups;
        loop assigns other;
        loop variant interlock->model->n_groups - other; */
    for (unsigned other = 0; other < interlock->model->n_groups; other++)
        if (conflict(interlock->model, group, other) && is_owed(interlock, other) &&
            !(owed && goes_before(interlock, group, other)))
            return true;
    return false;
}

/* Has a conflicting group been red so long that this green may not go on? */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing; */
static bool is_displaced(const Interlock *interlock, unsigned group) {
    /*@ loop invariant 0 <= other <= interlock->model->n_groups;
        loop assigns other;
        loop variant interlock->model->n_groups - other; */
    for (unsigned other = 0; other < interlock->model->n_groups; other++)
        if (conflict(interlock->model, group, other) && interlock->colour[other] == SIGNAL_RED &&
            held_usec(interlock, other) >= due_usec(interlock->model, other))
            return true;
    return false;
}

/* --- the decisions --- */

/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result != 0 <==> has_been_red(interlock, group); */
static bool has_cleared(const Interlock *interlock, unsigned group) {
    return interlock->colour[group] == SIGNAL_RED &&
           held_usec(interlock, group) >= interlock->model->all_red_usec;
}

/* Is the way free: this group and every conflicting one red for the all-red time? */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result != 0 ==> has_been_red(interlock, group) &&
        \forall integer other; 0 <= other < interlock->model->n_groups &&
            in_conflict(interlock->model, group, other) ==> has_been_red(interlock, other); */
static bool is_clear(const Interlock *interlock, unsigned group) {
    /*@ loop invariant 0 <= other <= interlock->model->n_groups;
        loop invariant \forall integer o; 0 <= o < other && in_conflict(interlock->model, group, o) ==>
            has_been_red(interlock, o);
        loop assigns other;
        loop variant interlock->model->n_groups - other; */
    for (unsigned other = 0; other < interlock->model->n_groups; other++)
        if (conflict(interlock->model, group, other) && !has_cleared(interlock, other))
            return false;
    return has_cleared(interlock, group);
}

/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result != 0 ==> has_been_red(interlock, group) &&
        \forall integer other; 0 <= other < interlock->model->n_groups &&
            in_conflict(interlock->model, group, other) ==> has_been_red(interlock, other); */
static bool may_begin(const Interlock *interlock, unsigned group) {
    return is_clear(interlock, group) && (set_has(interlock->wanted, group) || is_owed(interlock, group)) &&
           !is_passed_over(interlock, group);
}

/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result != 0 ==>
        interlock->seen.usec - interlock->since[group].usec >= interlock->model->min_green_usec[group]; */
static bool may_end(const Interlock *interlock, unsigned group) {
    return held_usec(interlock, group) >= interlock->model->min_green_usec[group] &&
           (!set_has(interlock->wanted, group) || is_displaced(interlock, group));
}

/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    behavior green:
        assumes interlock->colour[group] == SIGNAL_GREEN;
        ensures \result == SIGNAL_GREEN ||
            (\result == (interlock->model->yellow_usec > 0 ? SIGNAL_YELLOW : SIGNAL_RED) &&
             interlock->seen.usec - interlock->since[group].usec >= interlock->model->min_green_usec[group]);
    behavior yellow:
        assumes interlock->colour[group] == SIGNAL_YELLOW;
        ensures \result == SIGNAL_YELLOW ||
            (\result == SIGNAL_RED &&
             interlock->seen.usec - interlock->since[group].usec >= interlock->model->yellow_usec);
    behavior red:
        assumes interlock->colour[group] != SIGNAL_GREEN && interlock->colour[group] != SIGNAL_YELLOW;
        ensures \result == SIGNAL_RED ||
            (\result == SIGNAL_GREEN && has_been_red(interlock, group) &&
             \forall integer other; 0 <= other < interlock->model->n_groups &&
                 in_conflict(interlock->model, group, other) ==> has_been_red(interlock, other));
    complete behaviors;
    disjoint behaviors; */
static SignalColour next_colour(const Interlock *interlock, unsigned group) {
    if (interlock->colour[group] == SIGNAL_GREEN) {
        if (!may_end(interlock, group))
            return SIGNAL_GREEN;
        return interlock->model->yellow_usec > 0 ? SIGNAL_YELLOW : SIGNAL_RED;
    }
    if (interlock->colour[group] == SIGNAL_YELLOW)
        return held_usec(interlock, group) < interlock->model->yellow_usec ? SIGNAL_YELLOW : SIGNAL_RED;
    return may_begin(interlock, group) ? SIGNAL_GREEN : SIGNAL_RED;
}

/* --- public --- */

/*@ requires \valid(interlock);
    assigns interlock->seen.usec;
    ensures interlock->seen.usec == \max(\old(interlock->seen.usec), now.usec); */
static void hear(Interlock *interlock, Mono now) {
    if (now.usec > interlock->seen.usec)
        interlock->seen.usec = now.usec;
}

/*@ requires \valid(interlock);
    assigns interlock->state, interlock->wanted, interlock->guarded, interlock->colour[0 .. SIGNAL_GROUPS_MAX - 1], interlock->since[0 .. SIGNAL_GROUPS_MAX - 1].usec;
    ensures interlock->state == INTERLOCK_START && is_all_red(interlock);
    ensures \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> interlock->since[g].usec == interlock->seen.usec; */
static void start_up(Interlock *interlock) {
    interlock->state = INTERLOCK_START;
    interlock->wanted = 0;
    interlock->guarded = 0;
    /*@ loop invariant 0 <= g <= SIGNAL_GROUPS_MAX;
        loop invariant \forall integer h; 0 <= h < g ==>
            interlock->colour[h] == SIGNAL_RED && interlock->since[h].usec == interlock->seen.usec;
        loop assigns g, interlock->colour[0 .. SIGNAL_GROUPS_MAX - 1], interlock->since[0 .. SIGNAL_GROUPS_MAX - 1].usec;
        loop variant SIGNAL_GROUPS_MAX - g; */
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++) {
        interlock->colour[g] = SIGNAL_RED;
        interlock->since[g].usec = interlock->seen.usec;
    }
}

void interlock_init(Interlock *interlock, const SignalModel *model, Mono now) {
    interlock->model = model;
    interlock->seen = now;
    start_up(interlock);
}

/* Gives a group its next colour: is it another one? */
/*@ requires is_interlock(interlock) && no_conflict_is_open(interlock) && group < interlock->model->n_groups;
    assigns interlock->colour[group], interlock->since[group].usec;
    ensures is_interlock(interlock);
    ensures no_conflict_is_open(interlock);
    ensures colours_last{Pre, Post}(interlock, group) && green_is_cleared{Pre, Post}(interlock, group);
    ensures same_model{Pre, Post}(interlock->model);
    ensures interlock->seen.usec == \old(interlock->seen.usec);
    ensures \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX && g != group ==> is_untouched{Pre, Post}(interlock, g);
    ensures \result != 0 <==> interlock->colour[group] != \old(interlock->colour[group]); */
static bool turn(Interlock *interlock, unsigned group) {
    const SignalColour next = next_colour(interlock, group);
    if (next == interlock->colour[group])
        return false;
    interlock->colour[group] = next;
    interlock->since[group].usec = interlock->seen.usec;
    /*@ assert same_conflicts{Pre, Here}(interlock->model); */
    /*@ assert same_times{Pre, Here}(interlock->model); */
    return true;
}

/* Gives every group its next colour: is one of them another? */
/*@ requires is_interlock(interlock) && no_conflict_is_open(interlock);
    assigns interlock->state, interlock->guarded, interlock->colour[0 .. SIGNAL_GROUPS_MAX - 1],
        interlock->since[0 .. SIGNAL_GROUPS_MAX - 1].usec;
    ensures is_interlock(interlock);
    ensures no_conflict_is_open(interlock);
    ensures same_model{Pre, Post}(interlock->model);
    ensures \forall integer g; 0 <= g < interlock->model->n_groups ==> colours_last{Pre, Post}(interlock, g);
    ensures interlock->state == \old(interlock->state) || interlock->state == INTERLOCK_RUNNING; */
static bool turn_all(Interlock *interlock) {
    bool has_changed = false, has_turned = false; /* `turned`: a green began or ended */
    GroupSet guarded = 0;
    /*@ loop invariant 0 <= g <= interlock->model->n_groups;
        loop invariant is_interlock(interlock);
        loop invariant no_conflict_is_open(interlock);
        loop invariant same_model{Pre, Here}(interlock->model);
        loop invariant \forall integer h; g <= h < SIGNAL_GROUPS_MAX ==> is_untouched{Pre, Here}(interlock, h);
        loop invariant \forall integer h; 0 <= h < g ==> colours_last{Pre, Here}(interlock, h);
        loop assigns g, has_changed, has_turned, guarded, interlock->colour[0 .. SIGNAL_GROUPS_MAX - 1],
            interlock->since[0 .. SIGNAL_GROUPS_MAX - 1].usec;
        loop variant interlock->model->n_groups - g; */
    for (unsigned g = 0; g < interlock->model->n_groups; g++) {
        const bool is_another = turn(interlock, g);
        /*@ assert colours_last{Pre, Here}(interlock, g); */
        /*@ assert \forall integer h; 0 <= h < g ==> colours_last{Pre, Here}(interlock, h); */
        /*@ assert \forall integer h; g < h < SIGNAL_GROUPS_MAX ==> is_untouched{Pre, Here}(interlock, h); */
        if (!is_another)
            continue;
        has_changed = true;
        const bool is_green = interlock->colour[g] == SIGNAL_GREEN;
        if (interlock->colour[g] == SIGNAL_RED && interlock->model->yellow_usec > 0)
            continue;
        has_turned = true;
        if (set_has(interlock->wanted, g) != is_green)
            guarded |= (GroupSet)1 << g;
    }
    if (has_turned) {
        interlock->state = INTERLOCK_RUNNING;
        interlock->guarded = guarded;
    }
    return has_changed;
}

bool interlock_step(Interlock *interlock, GroupSet wanted, Mono now) {
    hear(interlock, now);
    interlock->wanted = wanted;
    /*@ assert same_conflicts{Pre, Here}(interlock->model); */
    /*@ assert same_times{Pre, Here}(interlock->model); */
    /*@ assert \forall integer g; 0 <= g < SIGNAL_GROUPS_MAX ==> is_untouched{Pre, Here}(interlock, g); */
    if (interlock->state == INTERLOCK_LATCHED) {
        /*@ assert \forall integer g; 0 <= g < interlock->model->n_groups ==>
            colours_last{Pre, Here}(interlock, g); */
        return false;
    }
    const bool has_changed = turn_all(interlock);
    /*@ assert \forall integer g; 0 <= g < interlock->model->n_groups ==> colours_last{Pre, Here}(interlock, g); */
    return has_changed;
}

void interlock_latch(Interlock *interlock, Mono now) {
    hear(interlock, now);
    interlock->state = INTERLOCK_LATCHED;
    interlock->guarded = 0;
    /*@ loop invariant 0 <= g <= SIGNAL_GROUPS_MAX;
        loop invariant \forall integer h; 0 <= h < g ==>
            interlock->colour[h] == SIGNAL_RED && time_is_kept{Pre, Here}(interlock, h);
        loop invariant \forall integer h; g <= h < SIGNAL_GROUPS_MAX ==>
            interlock->colour[h] == \at(interlock->colour[h], Pre) &&
            interlock->since[h].usec == \at(interlock->since[h].usec, Pre);
        loop assigns g, interlock->colour[0 .. SIGNAL_GROUPS_MAX - 1], interlock->since[0 .. SIGNAL_GROUPS_MAX - 1].usec;
        loop variant SIGNAL_GROUPS_MAX - g; */
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++)
        if (interlock->colour[g] != SIGNAL_RED) {
            interlock->colour[g] = SIGNAL_RED;
            interlock->since[g].usec = interlock->seen.usec;
        }
}

void interlock_release(Interlock *interlock, Mono now) {
    hear(interlock, now);
    if (interlock->state == INTERLOCK_LATCHED)
        start_up(interlock);
}

Lights interlock_lights(const Interlock *interlock) {
    Lights lights;
    /*@ loop invariant 0 <= g <= SIGNAL_GROUPS_MAX;
        loop invariant \forall integer h; 0 <= h < g ==> lights.colour[h] == interlock->colour[h];
        loop assigns g, lights.colour[0 .. SIGNAL_GROUPS_MAX - 1];
        loop variant SIGNAL_GROUPS_MAX - g; */
    for (unsigned g = 0; g < SIGNAL_GROUPS_MAX; g++)
        lights.colour[g] = interlock->colour[g];
    return lights;
}

bool interlock_is_owed(const Interlock *interlock, unsigned group, Mono now) {
    return interlock->colour[group] == SIGNAL_RED &&
           mono_between(interlock->since[group], now) > owed_usec(interlock->model, group);
}

/* --- deadlines --- */

/* The earlier of the two that is yet to come. */
/*@ requires \valid_read(interlock);
    requires best.usec > interlock->seen.usec || best.usec == USEC_FOREVER;
    assigns \nothing;
    ensures \result.usec > interlock->seen.usec || \result.usec == USEC_FOREVER; */
static Mono sooner(const Interlock *interlock, Mono best, Mono t) {
    return t.usec > interlock->seen.usec ? mono_min(best, t) : best;
}

/* When this green ends, if nothing else changes before. */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result.usec > interlock->seen.usec || \result.usec == USEC_FOREVER; */
static Mono green_end(const Interlock *interlock, unsigned group) {
    const SignalModel *model = interlock->model;
    const Mono allowed = mono_after(interlock->since[group], model->min_green_usec[group]);
    if (!set_has(interlock->wanted, group))
        return sooner(interlock, mono_never(), allowed);
    Mono best = mono_never();
    /*@ loop invariant 0 <= other <= model->n_groups;
        loop invariant best.usec > interlock->seen.usec || best.usec == USEC_FOREVER;
        loop assigns other, best;
        loop variant model->n_groups - other; */
    for (unsigned other = 0; other < model->n_groups; other++)
        if (conflict(model, group, other) && interlock->colour[other] == SIGNAL_RED) {
            Mono due = mono_after(interlock->since[other], due_usec(model, other));
            best = sooner(interlock, best, mono_max(allowed, due));
        }
    return best;
}

/* When the way is free; never, as long as a conflicting group is not red. */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing; */
static Mono clear_at(const Interlock *interlock, unsigned group) {
    const SignalModel *model = interlock->model;
    Mono latest = interlock->since[group];
    /*@ loop invariant 0 <= other <= model->n_groups;
        loop assigns other, latest;
        loop variant model->n_groups - other; */
    for (unsigned other = 0; other < model->n_groups; other++)
        if (conflict(model, group, other)) {
            if (interlock->colour[other] != SIGNAL_RED)
                return mono_never();
            latest = mono_max(latest, interlock->since[other]);
        }
    return mono_after(latest, model->all_red_usec);
}

/* When this red ends at the earliest, if nothing else changes before. */
/*@ requires is_interlock(interlock) && group < interlock->model->n_groups;
    assigns \nothing;
    ensures \result.usec > interlock->seen.usec || \result.usec == USEC_FOREVER; */
static Mono red_end(const Interlock *interlock, unsigned group) {
    const Mono clear = clear_at(interlock, group);
    if (mono_is_never(clear))
        return clear;
    const Mono owed = mono_after(mono_after(interlock->since[group], owed_usec(interlock->model, group)), 1);
    const Mono best = sooner(interlock, mono_never(), mono_max(clear, owed));
    return set_has(interlock->wanted, group) ? sooner(interlock, best, clear) : best;
}

Mono interlock_deadline(const Interlock *interlock) {
    Mono best = mono_never();
    if (interlock->state == INTERLOCK_LATCHED)
        return best;
    /*@ loop invariant 0 <= g <= interlock->model->n_groups;
        loop invariant best.usec > interlock->seen.usec || best.usec == USEC_FOREVER;
        loop assigns g, best;
        loop variant interlock->model->n_groups - g; */
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
