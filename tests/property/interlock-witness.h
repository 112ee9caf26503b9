/* A witness of what an intersection shows: it sees the colours and the time, knows the model, and shares no code with
 * the interlock or its checker. It says what is wrong in words, or NULL.
 *
 * Unlike the checker it takes a model that nobody checked (conflicts that one side alone knows count for both, one
 * with itself is none), and it also watches that nobody starves. */
#pragma once

#include "core/signal-model.h"

#include <stddef.h>

typedef struct Witness {
    const SignalModel *model;
    unsigned n;
    GroupSet conflicts[SIGNAL_GROUPS_MAX];
    SignalColour seen[SIGNAL_GROUPS_MAX];
    uint64_t turned_usec[SIGNAL_GROUPS_MAX]; /* when each group took its colour */
    GroupSet green, open;                    /* open: not red */
    uint64_t now_usec;                       /* the latest time heard */
    uint64_t overdue_usec;                   /* nobody is overdue before */
    uint64_t n_greens;
} Witness;

static inline Witness witness_begin(const SignalModel *model, uint64_t now_usec) {
    Witness witness = {.model = model, .n = model->n_groups, .now_usec = now_usec};
    for (unsigned a = 0; a < witness.n; a++) {
        witness.turned_usec[a] = now_usec;
        for (unsigned b = 0; b < witness.n; b++)
            if (b != a && (set_has(model->conflicts[a], b) || set_has(model->conflicts[b], a)))
                witness.conflicts[a] |= (GroupSet)1 << b;
    }
    return witness;
}

static inline uint64_t witness_held_usec(const Witness *witness, unsigned g) {
    return witness->now_usec - witness->turned_usec[g];
}

/* What is wrong with group `g` leaving a colour for another. */
static inline const char *witness_turn(const Witness *witness, unsigned g, SignalColour next) {
    const SignalModel *model = witness->model;
    const uint64_t held_usec = witness_held_usec(witness, g);
    switch (witness->seen[g]) {
    case SIGNAL_GREEN:
        if (held_usec < model->min_green_usec[g])
            return "a green below its minimum";
        return next == (model->yellow_usec > 0 ? SIGNAL_YELLOW : SIGNAL_RED) ? NULL
                                                                             : "a yellow left out or made up";
    case SIGNAL_YELLOW:
        if (held_usec < model->yellow_usec)
            return "a yellow cut short";
        return next == SIGNAL_RED ? NULL : "a yellow that turns green";
    default:
        if (next != SIGNAL_GREEN)
            return "a red that turns yellow";
        return held_usec < model->all_red_usec ? "a green too soon after its own red" : NULL;
    }
}

static inline bool witness_is_overdue(const Witness *witness, unsigned g) {
    return !set_has(witness->open, g) && witness_held_usec(witness, g) >= witness->model->max_red_usec[g];
}

/* What is wrong with the greens that begin (their own times are still those of their reds; all else is as shown). */
static inline const char *witness_greens(const Witness *witness, GroupSet begun) {
    for (unsigned g = 0; g < witness->n; g++) {
        if (!set_has(begun, g))
            continue;
        for (unsigned other = 0; other < witness->n; other++) {
            if (!set_has(witness->conflicts[g], other))
                continue;
            if (set_has(witness->open, other))
                return "conflicting groups open together";
            if (witness_held_usec(witness, other) < witness->model->all_red_usec)
                return "a green without clearance";
            if (witness_is_overdue(witness, other) && witness->turned_usec[other] < witness->turned_usec[g])
                return "a green before one that is overdue for longer";
        }
    }
    return NULL;
}

/* What is wrong with what goes on while somebody is overdue. */
static inline const char *witness_overdue(const Witness *witness) {
    bool are_all_cleared = witness->open == 0, is_someone_overdue = false;
    for (unsigned g = 0; g < witness->n; g++) {
        are_all_cleared &= witness_held_usec(witness, g) >= witness->model->all_red_usec;
        if (!witness_is_overdue(witness, g))
            continue;
        is_someone_overdue = true;
        for (unsigned other = 0; other < witness->n; other++)
            if (set_has(witness->conflicts[g], other) && set_has(witness->green, other) &&
                witness_held_usec(witness, other) >= witness->model->min_green_usec[other])
                return "a green that goes on before one that is overdue";
    }
    return is_someone_overdue && are_all_cleared ? "an all-red that goes on before one that is overdue"
                                                 : NULL;
}

static inline void witness_remember_overdue(Witness *witness) {
    witness->overdue_usec = UINT64_MAX;
    for (unsigned g = 0; g < witness->n; g++) {
        const uint64_t max_usec = witness->model->max_red_usec[g], turned_usec = witness->turned_usec[g];
        const uint64_t at_usec = max_usec > UINT64_MAX - turned_usec ? UINT64_MAX : turned_usec + max_usec;
        if (!set_has(witness->open, g) && at_usec < witness->overdue_usec)
            witness->overdue_usec = at_usec;
    }
}

/* Looks at what is shown after a step. */
static inline const char *witness_look(Witness *witness, const Lights *lights, uint64_t now_usec,
                                       bool *ret_changed) {
    if (now_usec > witness->now_usec)
        witness->now_usec = now_usec;
    GroupSet begun = 0, turned = 0;
    for (unsigned g = 0; g < witness->n; g++) {
        const SignalColour next = lights->colour[g];
        if (next == witness->seen[g]) {
            if (next == SIGNAL_YELLOW && witness_held_usec(witness, g) >= witness->model->yellow_usec)
                return "a yellow drawn out";
            continue;
        }
        if (next > SIGNAL_GREEN)
            return "no colour";
        const char *wrong = witness_turn(witness, g, next);
        if (wrong)
            return wrong;
        const GroupSet bit = (GroupSet)1 << g;
        turned |= bit;
        begun |= next == SIGNAL_GREEN ? bit : 0;
        witness->green = next == SIGNAL_GREEN ? witness->green | bit : witness->green & ~bit;
        witness->open = next == SIGNAL_RED ? witness->open & ~bit : witness->open | bit;
        witness->seen[g] = next;
        if (next != SIGNAL_GREEN)
            witness->turned_usec[g] = witness->now_usec;
    }
    const char *wrong = begun ? witness_greens(witness, begun) : NULL;
    for (unsigned g = 0; turned && g < witness->n; g++)
        if (set_has(begun, g)) {
            witness->turned_usec[g] = witness->now_usec;
            witness->n_greens++;
        }
    if (turned)
        witness_remember_overdue(witness);
    if (!wrong && witness->now_usec >= witness->overdue_usec)
        wrong = witness_overdue(witness);
    *ret_changed = turned != 0;
    return wrong;
}
