/* Which of several green waves gets an intersection, and when: those that want the same phase share it, of others the
 * higher priority goes first, and among equals who ordered earlier. Who has to wait is served afterwards for as long as
 * it wanted (somebody stands at the red light by then), or not at all when that would be too late to be of use.
 *
 * The lights know none of this: the signal service ranks what it is asked by itself, by the same rule. Here it is said
 * before, so that the operator hears it. */
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLAIMS_MAX = 64 }; /* on one intersection at one time */

/* One wave's time at one intersection. */
typedef struct Claim {
    Mono from, until;
    unsigned phase;
    unsigned priority; /* a higher number goes first */
    bool
        keeps_length; /* who waits still needs all of it (somebody stands at the red light); else `until` stands */
} Claim;

typedef enum ClaimVerdict { CLAIM_FREE, CLAIM_DELAYED, CLAIM_REFUSED } ClaimVerdict;

typedef struct ClaimAnswer {
    ClaimVerdict verdict;
    Claim claim;        /* FREE, DELAYED: its time */
    size_t because;     /* DELAYED, REFUSED: who goes first, an index of `held` */
    uint64_t displaced; /* those of `held` that have to give way, as bits */
} ClaimAnswer;

/* `held`: the claims that were made before, at most CLAIMS_MAX. Who would have to wait longer than `patience_usec` is
 * refused. */
ClaimAnswer claim_judge(const Claim *wanted, const Claim *held, size_t n_held, uint64_t patience_usec);
