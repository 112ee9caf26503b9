/* Do both stores hold the same, and how far? Retention may delete from one store only what the other has
 * too, so each is told up to which of its own commits that is certain.
 *
 * Agreement is proven once, by marks that are equal while neither store has anything waiting; from then on
 * both are sent the same records, so what one of them had committed SETTLE_USEC ago the other has as well,
 * once it has nothing waiting. Whatever may have made them differ (a store died or lives anew, a record was
 * skipped) ends the agreement until equal marks prove it anew. What was safe stays safe, unless a store comes back
 * with fewer records than it had: then the other one's are the only copy.
 *
 * Knows neither stores nor records: marks are numbers. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

#define AGREEMENT_SETTLE_USEC (60 * USEC_PER_SEC)

/* What a store says of itself in one heartbeat. */
typedef struct StoreMark {
    uint64_t committed_until; /* a number that grows with its commits and that only it understands */
    uint64_t n_records;
    uint64_t event_set;
    uint64_t n_waiting; /* received but not committed */
    int64_t epoch; /* another one: the store was started again, and what was on its way to it may be lost */
} StoreMark;

typedef struct AgreementSide {
    bool is_heard;
    StoreMark mark;
    uint64_t candidate; /* committed_until at candidate_since; 0: none */
    Mono candidate_since;
    uint64_t safe_until; /* 0: nothing is known to be safe */
} AgreementSide;

typedef struct Agreement {
    bool is_proven;
    AgreementSide sides[STORE_ROLE_COUNT];
} Agreement;

void agreement_init(Agreement *agreement);

/* A heartbeat of `role` said `mark`. */
void agreement_hear(Agreement *agreement, StoreRole role, const StoreMark *mark, Mono now);

/* The stores may differ from now on. */
void agreement_end(Agreement *agreement);

/* The last marks of both are equal and nothing waits: they hold the same. */
bool agreement_is_equal(const Agreement *agreement);

/* The newest committed_until of `role` that the other store has reached too; 0 when nothing is known. */
static inline uint64_t agreement_safe_until(const Agreement *agreement, StoreRole role) {
    return agreement->sides[role].safe_until;
}
