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
           !a->mark.needs_refill && !b->mark.needs_refill && a->mark.n_records == b->mark.n_records &&
           a->mark.event_set == b->mark.event_set;
}

/* What the store has committed by now came from the outbox up to `last`, however long ago its mark was
 * heard. */
static void begin_candidate(AgreementSide *side, uint64_t last) {
    side->candidate = side->mark.committed_until;
    side->candidate_position = last;
}

/* It came back with less, perhaps with an empty file. */
static bool has_lost(const StoreMark *before, const StoreMark *mark) {
    bool is_anew = before->epoch != 0 && mark->epoch != before->epoch;
    return mark->needs_refill || (is_anew && mark->n_records < before->n_records);
}

void agreement_hear(Agreement *agreement, StoreRole role, const StoreMark *mark) {
    AgreementSide *side = &agreement->sides[role], *other = other_side(agreement, role);
    if (has_lost(&side->mark, mark)) {
        agreement_end(agreement);
        other->safe_until = 0;
    }
    side->mark = *mark;
    side->is_heard = true;
    if (!agreement->is_proven) {
        agreement->is_proven = agreement_is_equal(agreement);
        if (agreement->is_proven) {
            begin_candidate(side, mark->last);
            begin_candidate(other, mark->last);
        }
        return;
    }
    if (mark->acknowledged >= other->candidate_position) {
        other->safe_until = other->candidate;
        begin_candidate(other, mark->last);
    }
}

void agreement_end(Agreement *agreement) {
    agreement->is_proven = false;
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        agreement->sides[role].is_heard = false; /* a mark from before proves nothing afterwards */
}
