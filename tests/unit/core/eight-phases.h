/* An intersection of eight phases as engineers number them: two rings of four movements, and a barrier between the
 * two streets. A movement goes together with any of the other ring on its side of the barrier. Group i is movement
 * i + 1; the even movements go straight on, the odd ones turn left. */
#pragma once

#include "core/signal-model.h"

enum { EIGHT = 8, RING_SIZE = 4 };

static inline bool eight_go_together(unsigned a, unsigned b) {
    return a / RING_SIZE != b / RING_SIZE && a % RING_SIZE / 2 == b % RING_SIZE / 2;
}

/* Phases: 1+5, 1+6, 2+5, 2+6 of one street, then 3+7, 3+8, 4+7, 4+8 of the other. The plan: left turns, straight on,
 * left turns, straight on. */
static inline SignalModel eight_phases(void) {
    SignalModel model = {
        .n_groups = EIGHT,
        .yellow_usec = 3 * USEC_PER_SEC,
        .all_red_usec = 1 * USEC_PER_SEC,
        .direction_groups = {[DIRECTION_NS] = 0x33, [DIRECTION_EW] = 0xcc},
        .direction_phase = {[DIRECTION_NS] = 3, [DIRECTION_EW] = 7},
        .n_stages = 4,
        .stages = {
            {0, 6 * USEC_PER_SEC}, {3, 15 * USEC_PER_SEC}, {4, 6 * USEC_PER_SEC}, {7, 15 * USEC_PER_SEC}}};
    for (unsigned a = 0; a < EIGHT; a++) {
        model.min_green_usec[a] = (a % 2 ? 7 : 5) * USEC_PER_SEC;
        model.max_red_usec[a] = 90 * USEC_PER_SEC;
        for (unsigned b = 0; b < EIGHT; b++) {
            if (a != b && !eight_go_together(a, b))
                model.conflicts[a] |= (GroupSet)1 << b;
            if (a < b && eight_go_together(a, b))
                model.phases[model.n_phases++] = (GroupSet)1 << a | (GroupSet)1 << b;
        }
    }
    return model;
}
