/* When the sensors of a machine send, if they have more than a reading now and then: at the same moments of its clock. What several of
 * them send together wakes the broker once and stands in one commit, and nobody had to agree on anything. */
#pragma once

#include "base/time.h"

/* The longer, the fewer commits at every hop; a reading waits half of it. */
#define ROUND_USEC (4 * USEC_PER_MSEC)

/* The first round at `when` or behind it; never stays never. */
static inline Mono round_from(Mono when) {
    if (when.usec > UINT64_MAX - ROUND_USEC)
        return when;
    return (Mono){(when.usec + ROUND_USEC - 1) / ROUND_USEC * ROUND_USEC};
}
