/* Which stores live, and which of them answers: a state machine per store, fed with heartbeats and with time.
 *
 * Knows nothing of sockets: whoever hears a beat says so, and calls failover_tick() every beat period. A beat
 * of a store that cannot commit proves that its machine is there and nothing else: it renews no deadline, so
 * such a store is dead after the same time as a silent one, only for another reason.
 *
 * The subtle thing is the watcher's own health. A process that was stopped for a second finds every deadline
 * of its peers passed, while their beats wait unread in its sockets. So a late tick accuses nobody: it
 * restarts the deadlines and is counted. Once: of late ticks that follow without a good beat between them
 * each takes two periods of the deadline, or a process that stands still again and again would never find a
 * store dead. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_STATE_LIST(X) X(STORE_ALIVE, "ALIVE") X(STORE_SUSPECT, "SUSPECT") X(STORE_DEAD, "DEAD")
VOCABULARY(StoreState, STORE_STATE, STORE_STATE_LIST, store_state_words);

typedef enum StoreEvent {
    STORE_BEAT_GOOD,     /* a beat, and it can commit */
    STORE_BEAT_BAD,      /* a beat, but it cannot */
    STORE_SUSPECT_AFTER, /* suspect_usec without a good beat */
    STORE_DEAD_AFTER,    /* dead_usec without a good beat */
    STORE_EVENT_COUNT,
} StoreEvent;

typedef struct FailoverTimes {
    uint64_t beat_usec; /* between two beats, and between two ticks */
    uint64_t suspect_usec;
    uint64_t dead_usec;    /* > suspect_usec */
    unsigned return_beats; /* good beats in a row that bring a dead store back... */
    uint64_t dwell_usec; /* ... once it has been dead this long. Death is never put off: a store that does not
                            answer is of no use */
} FailoverTimes;

typedef struct StoreWatch {
    StoreState state;
    Mono last_good;      /* good beat, or start, or the last stall of our own */
    Mono forgiven;       /* equal to `last_good`: that is of a stall, and no good beat has come since */
    Mono last_heard;     /* beat of any kind */
    Mono changed;        /* when `state` was entered */
    unsigned good_beats; /* in a row, while dead */
    bool can_commit;     /* as of its last beat */
    /* Of no account for living and dying, but for answering; whoever hears the beats sets them. */
    bool is_mute;         /* it knows no queries */
    bool is_being_filled; /* it says that it lacks what the other one has */
} StoreWatch;

typedef struct Failover {
    FailoverTimes times;
    StoreWatch stores[STORE_ROLE_COUNT];
    Mono last_tick;
    uint64_t n_own_stalls;
} Failover;

/* A state entered by one store; `has_changed` false means that nothing did. */
typedef struct FailoverChange {
    bool has_changed;
    StoreRole role;
    StoreState before, after;
    /* To DEAD or SUSPECT: since its last good beat, which is how long detection took */
    uint64_t silence_usec;
    uint64_t absence_usec; /* to ALIVE from DEAD: how long it was dead */
    bool cannot_commit;    /* to DEAD: it beats, but cannot commit */
} FailoverChange;

/* Both stores begin ALIVE, with a whole dead_usec to be heard. */
void failover_init(Failover *failover, const FailoverTimes *times, Mono now);

FailoverChange failover_beat(Failover *failover, StoreRole role, bool can_commit, Mono now);

typedef struct FailoverChanges {
    FailoverChange of[STORE_ROLE_COUNT];
} FailoverChanges;

/* To be called every beat_usec. Later than two periods after the last call it is a stall of our own:
 * deadlines restart, or shrink by two periods where they were restarted already and nothing was heard
 * since. */
FailoverChanges failover_tick(Failover *failover, Mono now);

/* When the next store becomes suspect or dead if nothing is heard of it; mono_never(): none will. Beats and
 * ticks move it. */
Mono failover_deadline(const Failover *failover);

/* Judges between two ticks, for who does not want to wait for the next one at failover_deadline(). No tick: it
 * neither proves that we are on time nor judges anybody when we are not. */
FailoverChanges failover_judge(Failover *failover, Mono now);

/* Who answers queries: of those that are neither dead nor mute the primary before the replica, but one that
 * is being filled only when there is no other. False when nobody is left. */
bool failover_answering(const Failover *failover, StoreRole *ret_role);

static inline bool failover_is_living(const Failover *failover, StoreRole role) {
    return failover->stores[role].state != STORE_DEAD;
}
