/* A file that refuses to commit: since when, why, and when to try again. Time is a parameter; what is said
 * about it, and what waits meanwhile, is the owner's. */
#pragma once

#include "base/problem.h"
#include "base/time.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define COMMIT_RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define COMMIT_RETRY_LAST_USEC  (2 * USEC_PER_SEC)

/* All zero: no trouble. */
typedef struct CommitTrouble {
    int error; /* negative errno of the last attempt; 0: commits work */
    Mono since;
    Problem why; /* of the first attempt that failed: the later ones often only follow from it */
    uint64_t pause_usec;
    Mono retry_at;
} CommitTrouble;

/* An attempt failed with `error` (negative): the next one is due at retry_at, after a pause that doubles.
 * True when this is the first one. */
bool commit_trouble_failed(CommitTrouble *trouble, int error, const Problem *why, Mono now);

/* An attempt succeeded. True when that ends a trouble; `since` and `why` stay to be told. */
bool commit_trouble_ended(CommitTrouble *trouble);

/* After a failed write or fsync nothing that the connection believes about the file is to be trusted: it is
 * closed and opened anew before the next attempt. */
static inline bool commit_trouble_wants_reopening(int error) {
    return error == -EIO || error == -EROFS;
}
