/* Do both stores hold the same, and how far? Retention may delete from one store only what the other has too,
 * so each is told up to which of its own commits that is certain.
 *
 * It rests on custody. Both stores are fed from one outbox, so whatever a store has committed came from there
 * at or before the newest position that the outbox had when the store said so; once the other store has
 * acknowledged that position, it has committed all of it, too. This holds for what came from the outbox
 * alone, so stores that began different must first be seen to be equal: by marks that are equal while neither
 * has anything waiting. A store that comes back with fewer records than it had, or wants to be filled, ends
 * what was proven, and then the other one's are the only copy.
 *
 * Knows neither stores nor records: marks and positions are numbers. */
#pragma once

#include "base/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

/* What a store says of itself in one heartbeat, and how far the outbox is with it at that time. */
typedef struct StoreMark {
    uint64_t committed_until; /* a number that grows with its commits and that only it understands */
    uint64_t n_records;
    uint64_t event_set;
    uint64_t n_waiting;    /* received but not committed */
    int64_t epoch;         /* another one: the store was started again */
    bool needs_refill;     /* its file was made anew, and what the other store holds is not in it yet */
    uint64_t acknowledged; /* the position up to which it has committed what is in the outbox */
    uint64_t last;         /* the newest position in the outbox */
} StoreMark;

typedef struct AgreementSide {
    bool is_heard;
    StoreMark mark;
    uint64_t candidate;          /* a committed_until that is safe... */
    uint64_t candidate_position; /* ... once the other store has acknowledged this position */
    uint64_t safe_until;         /* 0: nothing is known to be safe */
} AgreementSide;

typedef struct Agreement {
    bool is_proven;
    AgreementSide sides[STORE_ROLE_COUNT];
} Agreement;

void agreement_init(Agreement *agreement);

/* A heartbeat of `role` said `mark`. */
void agreement_hear(Agreement *agreement, StoreRole role, const StoreMark *mark);

/* The stores may differ from now on, until equal marks prove that they do not. */
void agreement_end(Agreement *agreement);

/* The last marks of both are equal and nothing waits: they hold the same. */
bool agreement_is_equal(const Agreement *agreement);

/* The newest committed_until of `role` that the other store has reached too; 0 when nothing is known. */
static inline uint64_t agreement_safe_until(const Agreement *agreement, StoreRole role) {
    return agreement->sides[role].safe_until;
}
