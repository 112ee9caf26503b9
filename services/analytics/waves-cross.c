/* Where waves cross: from stops to the claims of core/claim.h and back. */
#include "shell/city-clock.h"
#include "shell/journal.h"
#include "waves-private.h"

/* Who would have to wait longer at a crossing is better off without the wave there. */
#define PATIENCE_USEC (120 * USEC_PER_SEC)

static Claim claim_of(const Wave *wave, const WaveStop *stop) {
    return (Claim){.from = stop->state == WAVE_STOP_ASKED ? stop->asked_at : stop->ask_at,
                   .until = stop->until,
                   .phase = stop->point.phase,
                   .priority = wave->priority};
}

/* Everybody else's claims on an intersection. */
typedef struct Others {
    size_t n;
    Claim claims[CLAIMS_MAX];
    Wave *waves[CLAIMS_MAX];
    WaveStop *stops[CLAIMS_MAX];
} Others;

static void find_others(const Waves *waves, const Wave *wave, size_t intersection, Others *ret) {
    ret->n = 0;
    for (size_t i = 0; i < waves->n_waves; i++)
        for (size_t k = 0; waves->waves[i] != wave && k < waves->waves[i]->n_stops; k++) {
            WaveStop *stop = &waves->waves[i]->stops[k];
            if (stop->point.intersection != intersection || !stop_is_open(stop))
                continue;
            ret->claims[ret->n] = claim_of(waves->waves[i], stop);
            ret->waves[ret->n] = waves->waves[i];
            ret->stops[ret->n++] = stop;
            break; /* a way passes an intersection once */
        }
}

/* Somebody goes first at this stop until `until`. */
static void put_off(WaveStop *stop, const Wave *because, Mono until) {
    stop->is_delayed = true;
    stop->because = because->number;
    stop->free_from = until;
}

/* A wave of lower rank gives way at one of its stops: it gets what is left of its time afterwards. */
static void displace(Waves *waves, const Wave *loser, WaveStop *stop, const Wave *winner, Mono until) {
    Mono from = claim_of(loser, stop).from, now = service_city_now(waves->service);
    uint64_t left_usec = mono_between(from.usec > now.usec ? from : now, stop->until);
    waves_take_back(waves, loser, stop);
    put_off(stop, winner, until);
    stop->state = WAVE_STOP_AHEAD;
    stop->ask_at = until;
    stop->until = mono_after(until, left_usec);
    journal_note(LOG_NOTICE, "[%s] %s gives way to %s, which goes first (priority %u over %u).",
                 waves_place(waves, stop)->id, loser->target, winner->target, winner->priority,
                 loser->priority);
}

/* Whether anything had to be put off. */
static bool settle_stop(Waves *waves, Wave *wave, WaveStop *stop) {
    Others others;
    Claim wanted = claim_of(wave, stop);
    find_others(waves, wave, stop->point.intersection, &others);
    ClaimAnswer answer = claim_judge(&wanted, others.claims, others.n, PATIENCE_USEC);
    for (size_t i = 0; i < others.n; i++)
        if (answer.displaced >> i & 1)
            displace(waves, others.waves[i], others.stops[i], wave, answer.claim.until);
    if (answer.verdict == CLAIM_FREE)
        return false;
    put_off(stop, others.waves[answer.because], answer.claim.from);
    if (answer.verdict == CLAIM_REFUSED)
        stop->state = WAVE_STOP_REFUSED;
    stop->ask_at = answer.claim.from;
    stop->until = answer.claim.until;
    return true;
}

void waves_settle(Waves *waves, Wave *wave) {
    for (size_t i = wave->next; i < wave->n_stops; i++)
        if (wave->stops[i].state == WAVE_STOP_AHEAD && settle_stop(waves, wave, &wave->stops[i]) &&
            wave->is_progressive)
            waves_plan(waves, wave);
}
