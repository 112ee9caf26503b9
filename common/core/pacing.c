#include "core/pacing.h"

#include <math.h>

Pacing pacing_at_speed(double speed) {
    return (Pacing){.speed = speed};
}

void pacing_run(Pacing *pacing, Mono now) {
    if (pacing->is_running)
        return;
    pacing->is_running = true;
    pacing->resumed_at = now;
}

void pacing_hold(Pacing *pacing, Mono now) {
    pacing->position_usec = pacing_position(pacing, now);
    pacing->is_running = false;
}

uint64_t pacing_position(const Pacing *pacing, Mono now) {
    if (!pacing->is_running)
        return pacing->position_usec;
    double advance = (double)mono_between(pacing->resumed_at, now) * pacing->speed;
    return pacing->position_usec + (uint64_t)advance;
}

Mono pacing_due(const Pacing *pacing, uint64_t position_usec) {
    if (!pacing->is_running)
        return mono_never();
    if (pacing->speed <= 0 || position_usec <= pacing->position_usec)
        return pacing->resumed_at;
    double wait = (double)(position_usec - pacing->position_usec) / pacing->speed;
    /* rounded up, so that an event is never early; beyond 2^63 microseconds it is never due */
    return wait >= 0x1.0p63 ? mono_never() : mono_after(pacing->resumed_at, (uint64_t)ceil(wait));
}
