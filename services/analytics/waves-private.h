/* Shared by the files of waves.h: the table, and what each does for the others. */
#pragma once

#include "waves.h"

struct Waves {
    Service *service;
    SignalClient *client;
    const WavesHandlers *handlers;
    void *userdata;
    Wave *waves[WAVES_MAX]; /* oldest first */
    size_t n_waves;
    uint64_t n_ordered;
    int64_t epoch; /* of the signal service; 0: never heard */
};

static inline const CityIntersection *waves_place(const Waves *waves, const WaveStop *stop) {
    return &service_city(waves->service)->intersections[stop->point.intersection];
}

static inline bool stop_is_open(const WaveStop *stop) {
    return stop->state == WAVE_STOP_AHEAD || stop->state == WAVE_STOP_ASKED;
}

/* --- waves-lights.c: what is asked of the lights --- */

/* The signal service is told when this stop is to be green and how long: at the time itself, and before, so that the wave
 * goes on when nobody commands. -EAGAIN: it is away. */
int waves_tell(Waves *waves, const Wave *wave, WaveStop *stop);

/* The stop's time has come, or is to be longer. -EAGAIN. */
int waves_begin(Waves *waves, const Wave *wave, WaveStop *stop);

/* Takes back what the signal service was told. When it is away the green ends by itself. */
void waves_take_back(Waves *waves, const Wave *wave, WaveStop *stop);

/* Gives an intersection back, perhaps before its time, unless another wave has it. */
void waves_give_back(Waves *waves, const Wave *wave, WaveStop *stop);

/* --- waves-cross.c --- */

/* What every stop of a new wave has to wait for, and who has to wait for it. In the order of travel, because who is put
 * off at one intersection is later at all that follow. */
void waves_settle(Waves *waves, Wave *wave);

/* --- waves.c --- */

/* Plans what is left of a progressive wave from now on. */
void waves_plan(Waves *waves, Wave *wave);
