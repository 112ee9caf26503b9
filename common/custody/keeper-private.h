/* The inside of a Keeper, shared by keeper.c (when to commit, what follows from a failure) and
 * keeper-words.c (what operators and counters are told). */
#pragma once

#include "custody/keeper.h"

#include "shell/journal.h"
#include "store/commit-rest.h"
#include "store/commit-trouble.h"
#include "store/db-place.h"

#include <limits.h>

struct Keeper {
    Service *service;
    char name[32];
    char path[PATH_MAX];
    const char *readers[SPOOL_READERS_MAX + 1];
    uint64_t max_bytes, commit_usec;
    KeeperHandlers handlers;
    void *userdata;

    Spool *spool;
    DbPlace place;
    uint64_t promised;  /* everything up to here may have been acknowledged to who sent it */
    Mono commit_at;     /* what waits is committed then; never when nothing waits */
    Mono waits_since;   /* since when something does */
    Mono rested_at;     /* see store/commit-rest.h */
    bool is_in_a_hurry; /* somebody waits for the commit, also while there is more to read */
    Mono last_attempt;
    CommitTrouble trouble;
    bool is_to_reopen, is_full, has_alarm, can_take;
    int damage; /* -EUCLEAN once reading met it */

    Timer *commit_timer, *tick_timer;
    Metric *frames, *bytes, *used, *commits, *failures, *can_commit;
};

/* --- keeper-words.c --- */

void keeper_make_metrics(Keeper *keeper);
void keeper_count(Keeper *keeper);

/* The alarm's edges. */
void keeper_follow_alarm(Keeper *keeper);

void keeper_tell_trouble(const Keeper *keeper);
void keeper_tell_recovery(const Keeper *keeper, Mono now, int n_frames);
void keeper_tell_aside(const Keeper *keeper, const char *damage, const char *aside, uint64_t n_saved);
