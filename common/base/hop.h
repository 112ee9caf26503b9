/* What a frame under custody says of itself on one hop, from a writer to the reader that acknowledges it.
 *
 * It is no part of what the frame says: each hop has its own, put on by the writer (wire/hop-text.h) and
 * taken off by the reader. Who made an event is its identity, which stays the same on every hop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Hop {
    uint64_t stream;   /* the writer's spool: drawn at random when that was made, never 0 */
    int64_t epoch;     /* in which life of the writer; a reader refuses one below the highest it has heard */
    uint64_t position; /* of this frame in the stream, from 1 and without gaps */
    uint64_t oldest;   /* the first that the writer still has: nobody needs to wait for what is before */
} Hop;

/* Whether a writer can have said this. Positions fit a signed column of a database and the number of an
 * acknowledgement, a frame is among those that its writer still has, and every epoch can be topped by
 * another one, or a fenced writer could never return. */
static inline bool hop_is_possible(const Hop *hop) {
    return hop->stream != 0 && hop->epoch >= 0 && hop->epoch < INT64_MAX && hop->oldest >= 1 &&
           hop->oldest <= hop->position && hop->position <= INT64_MAX;
}
