/* Green waves that hold, or wait to hold, the lights of one intersection: a short table, and which of them is in
 * charge.
 *
 * Of several whose time has come the highest priority is, among equals the one that began earlier. The others
 * wait and are not forgotten; one that is put aside in its middle goes on with what is left of its time. A wave
 * counts from when its phase is green for it. */
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIGNAL_WAVES_MAX = 4, SIGNAL_PRIORITY_MAX = 9, SIGNAL_PRIORITY_USUAL = 5 };

/* A phase is to be green for a while, counted from when it is. */
typedef struct SignalHold {
    unsigned phase;
    uint64_t usec;
    bool has_begun;
    Mono began;
} SignalHold;

static inline Mono signal_hold_end(const SignalHold *hold) {
    return hold->has_begun ? mono_after(hold->began, hold->usec) : mono_never();
}

typedef struct SignalWave {
    SignalHold hold;
    unsigned priority; /* up to SIGNAL_PRIORITY_MAX */
    Mono starts;
    uint64_t number; /* of the order, from 1; 0: this place is free */
} SignalWave;

typedef struct SignalWaves {
    SignalWave waves[SIGNAL_WAVES_MAX];
    uint64_t n_asked;
} SignalWaves;

/* Where an order went. */
typedef struct WaveTaken {
    int place;        /* -ENOSPC: there is no place */
    bool is_repeated; /* it was there already and is the longer, and the more urgent, of the two */
    int rival;        /* of another phase, for the same time, or -1; who goes first is another question: */
    bool is_first;
} WaveTaken;

/* An order: `asked->number` and whether it has begun are not read. Asked again for the same phase, not later than
 * before, it is the same wave. */
WaveTaken signal_waves_take(SignalWaves *waves, const SignalWave *asked, Mono now);

/* Forgets those of a phase, begun or not; whether there were any. */
bool signal_waves_give_back(SignalWaves *waves, unsigned phase);

/* Forgets those whose time is over. */
void signal_waves_end(SignalWaves *waves, Mono now);

/* The place of the one in charge, or -1. */
int signal_waves_first(const SignalWaves *waves, Mono now);

/* When the next one starts; mono_never() when none is to come. */
Mono signal_waves_next(const SignalWaves *waves, Mono now);
