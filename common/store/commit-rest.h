/* A commit is paid for by the commit and not by the record, and who commits whenever something waits spends most
 * of a busy time on committing. So a file rests after a commit for as long as makes committing a fifth of the
 * time, on a fast disk and on a slow one; what comes meanwhile is committed together. What comes after a
 * rest waits for nothing. */
#pragma once

#include "base/time.h"

#define COMMIT_REST_TIMES    4
#define COMMIT_REST_MAX_USEC (5 * USEC_PER_MSEC)

/* When a file is rested that committed from `begun` to `ended`. */
static inline Mono commit_rest_until(Mono begun, Mono ended) {
    uint64_t took_usec = mono_between(begun, ended);
    uint64_t rest_usec = took_usec < COMMIT_REST_MAX_USEC / COMMIT_REST_TIMES ? took_usec * COMMIT_REST_TIMES
                                                                              : COMMIT_REST_MAX_USEC;
    return mono_after(ended, rest_usec);
}
