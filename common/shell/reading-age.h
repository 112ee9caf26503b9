/* How old readings are when a stage of the way is done with them: traffic_reading_age_seconds, one histogram for
 * each stage. The capture is of the sensor's wall clock and the end of ours, so the measure is as good as those
 * agree; a reading from the future counts as 0. */
#pragma once

#include "core/captures.h"
#include "shell/metrics.h"
#include "shell/service.h"

typedef struct ReadingAge {
    Service *service;
    Metric *histogram;
    uint64_t n_offered;
    Captures captures;
} ReadingAge;

/* `stage` says what was done: "broker_committed". The struct is zero otherwise. */
void reading_age_init(ReadingAge *age, Service *service, const char *stage);

/* The stage is done with this reading. */
void reading_age_observe(ReadingAge *age, Wall captured);

/* The stage is not: it will be when it has come to `position`, greater than those before. One reading of
 * CAPTURES_SHARE is followed. */
void reading_age_follow(ReadingAge *age, uint64_t position, Wall captured);

/* It has. */
void reading_age_reach(ReadingAge *age, uint64_t position);
