/* Two sides that mirror each other: a beat of one settles the other's candidate. */
#include "core/agreement.h"

void agreement_init(Agreement *agreement) {
    *agreement = (Agreement){0};
}

static AgreementSide *other_side(Agreement *agreement, StoreRole role) {
    return &agreement->sides[role == STORE_ROLE_PRIMARY ? STORE_ROLE_REPLICA : STORE_ROLE_PRIMARY];
}

bool agreement_is_equal(const Agreement *agreement) {
    const AgreementSide *a = &agreement->sides[STORE_ROLE_PRIMARY],
                        *b = &agreement->sides[STORE_ROLE_REPLICA];
    return a->is_heard && b->is_heard && a->mark.n_waiting == 0 && b->mark.n_waiting == 0 &&
           a->mark.n_records == b->mark.n_records && a->mark.event_set == b->mark.event_set;
}

static void begin_candidate(AgreementSide *side, Mono now) {
    side->candidate = side->mark.committed_until;
    side->candidate_since = now;
}

void agreement_hear(Agreement *agreement, StoreRole role, const StoreMark *mark, Mono now) {
    AgreementSide *side = &agreement->sides[role], *other = other_side(agreement, role);
    if (side->mark.epoch != 0 && mark->epoch != side->mark.epoch) {
        agreement_end(agreement);
        if (mark->n_records < side->mark.n_records)
            other->safe_until = 0; /* it came back with less, perhaps with an empty file */
    }
    side->mark = *mark;
    side->is_heard = true;
    if (!agreement->is_proven) {
        agreement->is_proven = agreement_is_equal(agreement);
        if (agreement->is_proven) {
            begin_candidate(side, now);
            begin_candidate(other, now);
        }
        return;
    }
    /* All that had reached this store is committed: so the other one's candidate is here, too. */
    if (mark->n_waiting == 0 && mono_between(other->candidate_since, now) >= AGREEMENT_SETTLE_USEC) {
        other->safe_until = other->candidate;
        begin_candidate(other, now);
    }
}

void agreement_end(Agreement *agreement) {
    agreement->is_proven = false;
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        agreement->sides[role].is_heard = false; /* a mark from before proves nothing afterwards */
}
