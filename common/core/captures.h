/* Readings that are followed on their way through a stream: when each was captured, by its position there. A ring
 * of samples; knows neither clocks nor what becomes of them. */
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAPTURES_SHARE = 16, /* one reading of so many is worth following */
    CAPTURES_MAX = 1024, /* under way at once; those that do not fit are not followed */
};

typedef struct Capture {
    uint64_t position;
    Wall captured;
} Capture;

typedef struct Captures {
    Capture ring[CAPTURES_MAX]; /* by position */
    size_t first, n;
} Captures;

/* The reading at `position`, greater than those before, was captured then. */
void captures_put(Captures *captures, uint64_t position, Wall captured);

/* Takes out the oldest one when it is at `reached` or before. */
bool captures_take(Captures *captures, uint64_t reached, Wall *ret);
