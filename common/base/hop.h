/* What a frame under custody says of itself on one hop, from a writer to the reader that will acknowledge it.
 *
 * It is no part of what the frame says: each hop has its own, put on by the writer (wire/hop-text.h) and taken off
 * by the reader. Who made an event is its identity, which stays the same on every hop. */
#pragma once

#include <stdint.h>

typedef struct Hop {
    uint64_t stream; /* the writer's spool: drawn at random when that was made, never 0 */
    int64_t epoch; /* in which life of the writer; a reader refuses an epoch below the highest it has heard */
    uint64_t position; /* of this frame in the stream, from 1 and without gaps */
    uint64_t
        oldest; /* the first position that the writer still has: nobody needs to wait for what is before */
} Hop;
