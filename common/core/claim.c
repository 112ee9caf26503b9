/* Waiting for one may mean meeting another: so often as there are claims, at most. */
#include "core/claim.h"

static bool is_in_the_way(const Claim *claim, const Claim *other) {
    return claim->phase != other->phase && claim->from.usec < other->until.usec &&
           other->from.usec < claim->until.usec;
}

/* The first of those that go first, or n_held. */
static size_t find_first(const Claim *claim, const Claim *held, size_t n_held) {
    for (size_t i = 0; i < n_held; i++)
        if (held[i].priority >= claim->priority && is_in_the_way(claim, &held[i]))
            return i;
    return n_held;
}

ClaimAnswer claim_judge(const Claim *wanted, const Claim *held, size_t n_held, uint64_t patience_usec) {
    ClaimAnswer answer = {.verdict = CLAIM_FREE, .claim = *wanted};
    Claim *claim = &answer.claim;
    size_t i;
    while ((i = find_first(claim, held, n_held)) < n_held) {
        answer.verdict = CLAIM_DELAYED;
        answer.because = i;
        claim->until = mono_after(claim->until, mono_between(claim->from, held[i].until));
        claim->from = held[i].until;
        if (mono_between(wanted->from, claim->from) > patience_usec) {
            answer.verdict = CLAIM_REFUSED;
            return answer;
        }
    }
    for (i = 0; i < n_held; i++)
        if (held[i].priority < claim->priority && is_in_the_way(claim, &held[i]))
            answer.displaced |= UINT64_C(1) << i;
    return answer;
}
