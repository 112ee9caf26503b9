/* The machine is one table of small functions; what is not in the table (a stall of our own) restarts
 * deadlines before the table is asked. */
#include "core/failover.h"

#include <stddef.h>

VOCABULARY_DEFINE(STORE_STATE, STORE_STATE_LIST, store_state_words);

typedef StoreState (*Transition)(StoreWatch *store, const FailoverTimes *times, Mono now);

/* --- what each cell of the table does --- */

static StoreState stay(StoreWatch *store, const FailoverTimes *times, Mono now) {
    (void)times, (void)now;
    return store->state;
}

static StoreState hear(StoreWatch *store, const FailoverTimes *times, Mono now) {
    (void)times;
    store->last_good = now;
    return STORE_ALIVE;
}

static StoreState suspect(StoreWatch *store, const FailoverTimes *times, Mono now) {
    (void)store, (void)times, (void)now;
    return STORE_SUSPECT;
}

static StoreState die(StoreWatch *store, const FailoverTimes *times, Mono now) {
    (void)times, (void)now;
    store->good_beats = 0;
    return STORE_DEAD;
}

static StoreState return_slowly(StoreWatch *store, const FailoverTimes *times, Mono now) {
    store->last_good = now;
    store->good_beats++;
    bool has_dwelt = mono_between(store->changed, now) >= times->dwell_usec;
    return store->good_beats >= times->return_beats && has_dwelt ? STORE_ALIVE : STORE_DEAD;
}

static StoreState begin_again(StoreWatch *store, const FailoverTimes *times, Mono now) {
    (void)times, (void)now;
    store->good_beats = 0;
    return STORE_DEAD;
}

/* The whole machine. A living store that goes bad is left to its deadlines: a bad beat does not renew
 * them. */
/* clang-format off */
static const Transition transitions[STORE_STATE_COUNT][STORE_EVENT_COUNT] = {
    /*                 BEAT_GOOD      BEAT_BAD     SUSPECT_AFTER  DEAD_AFTER */
    [STORE_ALIVE]   = {hear,          stay,        suspect,       die},
    [STORE_SUSPECT] = {hear,          stay,        stay,          die},
    [STORE_DEAD]    = {return_slowly, begin_again, begin_again,   begin_again},
};
/* clang-format on */

/* --- the machine --- */

static FailoverChange apply(Failover *failover, StoreRole role, StoreEvent event, Mono now) {
    StoreWatch *store = &failover->stores[role];
    FailoverChange change = {
        .role = role,
        .before = store->state,
        .silence_usec = mono_between(store->last_good, now),
        .absence_usec = mono_between(store->changed, now),
    };
    change.after = transitions[store->state][event](store, &failover->times, now);
    change.has_changed = change.after != change.before;
    change.cannot_commit = change.after == STORE_DEAD && !store->can_commit &&
                           mono_between(store->last_heard, now) < failover->times.suspect_usec;
    if (change.has_changed) {
        store->state = change.after;
        store->changed = now;
    }
    return change;
}

void failover_init(Failover *failover, const FailoverTimes *times, Mono now) {
    *failover = (Failover){.times = *times, .last_tick = now};
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        failover->stores[role] = (StoreWatch){
            .state = STORE_ALIVE, .last_good = now, .last_heard = now, .changed = now, .can_commit = true};
}

FailoverChange failover_beat(Failover *failover, StoreRole role, bool can_commit, Mono now) {
    StoreWatch *store = &failover->stores[role];
    store->last_heard = now;
    store->can_commit = can_commit;
    return apply(failover, role, can_commit ? STORE_BEAT_GOOD : STORE_BEAT_BAD, now);
}

static FailoverChange judge_silence(Failover *failover, StoreRole role, Mono now) {
    uint64_t silence_usec = mono_between(failover->stores[role].last_good, now);
    if (silence_usec >= failover->times.dead_usec)
        return apply(failover, role, STORE_DEAD_AFTER, now);
    if (silence_usec >= failover->times.suspect_usec)
        return apply(failover, role, STORE_SUSPECT_AFTER, now);
    return (FailoverChange){.role = role};
}

/* A stall of our own of `stall_usec`, which ends now. */
static void forgive(StoreWatch *store, const FailoverTimes *times, uint64_t stall_usec, Mono now) {
    bool is_first = store->last_good.usec != store->forgiven.usec;
    store->last_good = is_first ? now : mono_after(store->last_good, stall_usec - 2 * times->beat_usec);
    store->forgiven = store->last_good;
}

static bool is_stalled(const Failover *failover, Mono now) {
    return mono_between(failover->last_tick, now) > 2 * failover->times.beat_usec;
}

FailoverChanges failover_tick(Failover *failover, Mono now) {
    uint64_t since_usec = mono_between(failover->last_tick, now);
    bool was_stalled = is_stalled(failover, now);
    FailoverChanges changes = {0};
    failover->last_tick = now;
    failover->n_own_stalls += was_stalled;
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        if (was_stalled)
            forgive(&failover->stores[role], &failover->times, since_usec, now);
        changes.of[role] = judge_silence(failover, (StoreRole)role, now);
    }
    return changes;
}

Mono failover_deadline(const Failover *failover) {
    Mono earliest = mono_never();
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        const StoreWatch *store = &failover->stores[role];
        if (store->state == STORE_DEAD)
            continue;
        uint64_t usec =
            store->state == STORE_ALIVE ? failover->times.suspect_usec : failover->times.dead_usec;
        earliest = mono_min(earliest, mono_after(store->last_good, usec));
    }
    return earliest;
}

FailoverChanges failover_judge(Failover *failover, Mono now) {
    FailoverChanges changes = {0};
    if (is_stalled(failover, now))
        return changes;
    for (int role = 0; role < STORE_ROLE_COUNT; role++)
        changes.of[role] = judge_silence(failover, (StoreRole)role, now);
    return changes;
}

bool failover_answering(const Failover *failover, StoreRole *ret_role) {
    bool is_found = false;
    for (int role = 0; role < STORE_ROLE_COUNT; role++) {
        const StoreWatch *store = &failover->stores[role];
        bool is_better =
            !is_found || (failover->stores[*ret_role].is_being_filled && !store->is_being_filled);
        if (store->state == STORE_DEAD || store->is_mute || !is_better)
            continue;
        *ret_role = (StoreRole)role;
        is_found = true;
    }
    return is_found;
}
