/* When the events of a timeline are due: a timeline (of a recording, of a generator) runs at `speed` times
 * real time while it may run and stands still while it may not. Standing still moves what follows, it never
 * skips: after a pause the next event is as far away as it was when the pause began.
 *
 * Positions are microseconds from the start of the timeline. Speed 0 is as fast as possible: everything is
 * always due. */
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Pacing {
    double speed;
    bool is_running;
    Mono resumed_at;        /* while running */
    uint64_t position_usec; /* at resumed_at; while standing still: where it stands */
} Pacing;

/* Stands still at position 0. `speed` is finite and not negative. */
Pacing pacing_at_speed(double speed);

/* Both may be called in any state; the second call of a pair changes nothing. */
void pacing_run(Pacing *pacing, Mono now);
void pacing_hold(Pacing *pacing, Mono now);

/* Where the timeline is; at speed 0 it has no position of its own and stays where it was. */
uint64_t pacing_position(const Pacing *pacing, Mono now);

/* When the event at `position_usec` is due: never while standing still, the past when it is overdue. */
Mono pacing_due(const Pacing *pacing, uint64_t position_usec);
