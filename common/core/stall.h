/* Whether a stalled flow is worth telling an operator. A fast source fills its link and is let on again many
 * times a second: that is back-pressure at work and only counted. A stall that lasts is told once, and its
 * end once. */
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define STALL_TOLD_AFTER_USEC (1 * USEC_PER_SEC)

typedef struct Stall {
    bool is_stalled;
    bool is_told;
    Mono since;
    uint64_t n_stalls; /* all of them, told or not */
} Stall;

/* The flow stopped. Nothing changes when it already had. */
void stall_begin(Stall *stall, Mono now);

/* The flow goes on. True when the operator was told of the stall and must now be told of its end;
 * *ret_lasted_usec is its length. */
bool stall_end(Stall *stall, Mono now, uint64_t *ret_lasted_usec);

/* To be asked from time to time: true, once per stall, when it has lasted long enough to be told. */
bool stall_must_be_told(Stall *stall, Mono now);
