/* The whole way of an event on a virtual clock: a sensor that holds it in memory, the broker with its spool,
 * analytics with its outbox, two stores; on three machines, with links as custody-line.h makes them. The
 * cores decide, as in the services (outflow, intake, failover); this plays their disks, sockets and loops,
 * and everything that may befall these: processes and machines that die, stand still, commit slowly or not
 * at all, links that are cut, disks that are replaced or put back from an older copy.
 *
 * The model knows the truth: what was acknowledged to the sensor's client, and what each disk holds. The
 * same seed gives the same hours. */
#pragma once

#include "core/random.h"

#include <stdbool.h>
#include <stdint.h>

/* A rule that is broken on purpose: a check that cannot fail is worth nothing. */
typedef enum CustodyBreak {
    BREAK_NOTHING,
    BREAK_ACKNOWLEDGE_BEFORE_COMMIT,
    BREAK_SEND_BEFORE_COMMIT,
    BREAK_CURSOR_APART, /* not in the transaction of what it guards, but in the next one */
    BREAK_KEEP_STREAM,  /* no new stream for a spool that was put back */
    BREAK_KEEP_CURSOR,  /* the outbox's cursor of a store with a new disk does not go back before a refill */
    BREAK_DELETE_AFTER_ONE,    /* the outbox deletes what one store has */
    BREAK_BELIEVE_DEAD_STORES, /* queries go to the primary, whatever its heartbeat says */
} CustodyBreak;

typedef struct CustodyScenario {
    uint64_t hours_ms; /* of faults, then everything heals */
    double events_per_sec;
    bool with_silences;       /* no events for most of each minute */
    uint64_t mean_fault_ms;   /* between two faults; 0: none */
    bool with_replaced_disks; /* of stores: empty ones */
    bool with_older_copies;   /* of spools */
    CustodyBreak broken;
} CustodyScenario;

typedef struct CustodyVerdict {
    uint64_t n_events, n_acknowledged;
    /* Of what was acknowledged, the copies that died with a disk excepted. */
    uint64_t n_lost, n_excused;
    uint64_t n_duplicate; /* taken by a hop although it had it */
    uint64_t n_reused;    /* a position of a stream that said one thing and later another */
    uint64_t n_backlog;   /* held somewhere at the end */
    uint64_t n_false_deaths, n_wrong_answers, n_no_answers; /* of failover */
    /* That something happened at all. */
    uint64_t n_crashes, n_cuts, n_stalls, n_disks, n_resent, n_repeats, n_gaps, n_fenced, n_given_up,
        n_new_streams, n_deaths, n_filled;
    uint64_t healed_in_ms; /* from the end of the faults to an empty backlog */
} CustodyVerdict;

/* Never fails; prints nothing. Not reentrant: one world. */
CustodyVerdict custody_run(const CustodyScenario *scenario, uint64_t seed);
