/* How many a second, over the last ten full seconds: a ring of one-second counts. */
#pragma once

#include "base/time.h"

#include <stdint.h>

enum { RATE_SECONDS = 10 };

typedef struct Rate {
    uint64_t second; /* that the newest count is of */
    uint64_t counts[RATE_SECONDS + 1];
} Rate;

void rate_count(Rate *rate, Mono now);
double rate_per_sec(const Rate *rate, Mono now);
