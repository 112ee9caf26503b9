/* Commits soon what others wait for (frames, cursors of who sent them) and late what only makes room: that
 * a reader has committed is known again after a restart as soon as it speaks, so its acknowledgements ride
 * along with the next commit, or wait a second for one of their own. An idle keeper writes nothing.
 *
 * The limit of the spool itself lies a little above the one at which the flow is stopped: what belongs to
 * a frame that was accepted while there was room must find room, because its place in the stream is taken.
 *
 * A file that somebody deleted or replaced goes on taking commits, but the next start would not find them:
 * nothing is acknowledged any more, what was is delivered, and then the process ends to begin with a new
 * file. */
#include "custody/keeper-private.h"

#include "shell/fault-point.h"
#include "shell/random-id.h"
#include "store/db.h"
#include "wire/endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FRAMES_PER_COMMIT = 1000,
    MEMORY_BYTES = 16 << 20, /* of the newest frames: what readers follow closely never comes from the file */
    ROOM_BYTES = 16 * FRAME_MAX_BYTES, /* for what belongs to the last frame that was taken */
};
#define LAZY_COMMIT_USEC     USEC_PER_SEC
#define LEFT_OVER_USEC       (100 * USEC_PER_MSEC) /* between commits that only delete */
#define TICK_USEC            USEC_PER_SEC
#define ATTEMPT_OVERDUE_USEC (10 * USEC_PER_SEC)
#define ROOM_AGAIN_RATIO     0.95 /* of the limit: full is over below it */

/* --- the flow --- */

/* Tells the owner each edge. */
static void follow_flow(Keeper *keeper) {
    if (spool_bytes(keeper->spool) >= keeper->max_bytes)
        keeper->is_full = true;
    else if (keeper_used(keeper) < ROOM_AGAIN_RATIO)
        keeper->is_full = false;
    keeper_follow_alarm(keeper);

    bool can_take = keeper->trouble.error == 0 && !keeper->is_full;
    if (can_take == keeper->can_take)
        return;
    keeper->can_take = can_take;
    keeper->handlers.on_flow(can_take, keeper->userdata);
}

/* --- when --- */

static void arm(Keeper *keeper) {
    Mono deadline = keeper->trouble.error != 0 ? keeper->trouble.retry_at : keeper->commit_at;
    if (mono_is_never(deadline))
        timer_clear(keeper->commit_timer);
    else
        timer_set(keeper->commit_timer, deadline);
}

static void commit_within(Keeper *keeper, uint64_t usec) {
    Mono now = service_now(keeper->service), deadline = mono_after(now, usec);
    if (!keeper->is_in_a_hurry)
        deadline = mono_max(deadline, keeper->rested_at);
    if (mono_is_never(keeper->commit_at))
        keeper->waits_since = now;
    if (deadline.usec >= keeper->commit_at.usec)
        return;
    keeper->commit_at = deadline;
    arm(keeper);
}

void keeper_touch(Keeper *keeper) {
    commit_within(keeper, keeper->commit_usec);
}

void keeper_hurry(Keeper *keeper) {
    keeper->is_in_a_hurry = true;
    commit_within(keeper, 0);
}

static bool is_due(const Keeper *keeper) {
    Mono now = service_now(keeper->service);
    if (keeper->trouble.error != 0)
        return mono_reached(now, keeper->trouble.retry_at);
    if (spool_n_pending(keeper->spool) >= FRAMES_PER_COMMIT)
        return true;
    bool may_wait = !keeper->is_in_a_hurry && zhub_is_busy(service_hub(keeper->service));
    return !may_wait && mono_reached(now, keeper->commit_at);
}

/* --- committing --- */

static int attempt(Keeper *keeper, Problem *problem) {
    keeper->last_attempt = service_now(keeper->service);
    if (keeper->is_to_reopen) {
        int r = spool_reopen(keeper->spool, problem);
        if (r >= 0)
            r = db_place_note(keeper->path, &keeper->place, problem);
        if (r < 0)
            return r;
        keeper->is_to_reopen = false;
    }
    fault_point(FAULT_BEFORE_COMMIT);
    int r = spool_commit(keeper->spool, problem);
    if (r < 0)
        return r;
    if (!db_place_holds(keeper->path, &keeper->place, problem))
        return -ESTALE;
    fault_point(FAULT_AFTER_COMMIT);
    return r;
}

/* The process ends when this is negative. After damage the next start moves the file aside and saves what
 * it can. */
static int judge_failure(const Keeper *keeper, int error, const Problem *why) {
    if (error == -EUCLEAN) {
        db_mark_suspect(keeper->path);
        journal_note(LOG_ERR, "%s: %s is damaged: %s; the next start moves it aside", keeper->name,
                     keeper->path, why->text);
        return error;
    }
    if (error == -ESTALE && spool_oldest(keeper->spool) > keeper->promised) {
        journal_note(LOG_ERR, "%s: all that %s held is delivered; the next start makes a new one",
                     keeper->name, keeper->path);
        return error;
    }
    return 0;
}

static int follow_failure(Keeper *keeper, int error, const Problem *why) {
    metric_add(keeper->failures, 1);
    int r = judge_failure(keeper, error, why);
    if (r < 0)
        return r;
    if (commit_trouble_wants_reopening(error))
        keeper->is_to_reopen = true;
    if (commit_trouble_failed(&keeper->trouble, error, why, service_now(keeper->service)))
        keeper_tell_trouble(keeper);
    follow_flow(keeper);
    arm(keeper);
    return 0;
}

static void follow_success(Keeper *keeper, int n_frames) {
    metric_add(keeper->commits, 1);
    keeper->commit_at = mono_never();
    keeper->is_in_a_hurry = false;
    keeper->promised = spool_committed(keeper->spool);
    if (commit_trouble_ended(&keeper->trouble))
        keeper_tell_recovery(keeper, service_now(keeper->service), n_frames);
    arm(keeper);
    if (spool_is_dirty(keeper->spool))
        commit_within(keeper, LEFT_OVER_USEC);
    follow_flow(keeper);
    keeper->handlers.on_committed(keeper->userdata);
}

static int commit(Keeper *keeper) {
    Problem problem = {""};
    Mono begun = service_clock();
    int r = attempt(keeper, &problem);
    if (r < 0)
        return follow_failure(keeper, r, &problem);
    keeper->rested_at = commit_rest_until(begun, service_clock());
    follow_success(keeper, r);
    return 0;
}

int keeper_end_batch(Keeper *keeper) {
    if (keeper->damage < 0)
        return keeper->damage;
    return is_due(keeper) ? commit(keeper) : 0;
}

/* While there is more to read the end of a turn commits, and this only when no such end comes. */
static int on_commit_time(Timer *timer, Mono now, void *userdata) {
    Keeper *keeper = userdata;
    if (!mono_is_never(keeper->commit_at))
        timer_set(timer, mono_after(now, ZHUB_BUSY_USEC));
    return keeper_end_batch(keeper);
}

static int on_tick(Timer *timer, Mono now, void *userdata) {
    Keeper *keeper = userdata;
    keeper_count(keeper);
    follow_flow(keeper); /* the first time: it may have been full when it was opened */
    timer_set(timer, mono_after(now, TICK_USEC));
    return 0;
}

/* Something waits and nobody tries to commit it: the loop has lost its timer, and a restart is better than
 * waiting on. */
static bool is_attempting(void *userdata, Mono now, Problem *problem) {
    const Keeper *keeper = userdata;
    Mono begin =
        keeper->last_attempt.usec > keeper->waits_since.usec ? keeper->last_attempt : keeper->waits_since;
    bool holds = mono_is_never(keeper->commit_at) || mono_between(begin, now) < ATTEMPT_OVERDUE_USEC;
    if (!holds)
        problem_set(problem, -ETIME, "%s: %zu frames wait and the last attempt to commit is %.1f s old",
                    keeper->name, spool_n_pending(keeper->spool), (double)mono_between(begin, now) / 1e6);
    return holds;
}

/* --- what others do with the spool --- */

int keeper_append(Keeper *keeper, const void *frame, size_t size) {
    int r = spool_append(keeper->spool, frame, size);
    if (r < 0)
        return r;
    keeper_touch(keeper);
    follow_flow(keeper);
    return 0;
}

int keeper_read(void *userdata, uint64_t position, const char **ret, size_t *ret_size) {
    const KeeperReader *reader = userdata;
    Keeper *keeper = reader->keeper;
    Problem problem = {""};
    int r = spool_read(keeper->spool, position, ret, ret_size, &problem);
    if (r >= 0)
        return r;
    /* The next commit comes at once, and answers the error as it would its own. */
    if (r == -EUCLEAN)
        keeper->damage = follow_failure(keeper, r, &problem);
    else if (commit_trouble_wants_reopening(r))
        keeper->is_to_reopen = true;
    commit_within(keeper, 0);
    return r;
}

uint64_t keeper_oldest(void *userdata) {
    return spool_oldest(((const KeeperReader *)userdata)->keeper->spool);
}

uint64_t keeper_stream(void *userdata) {
    return spool_stream(((const KeeperReader *)userdata)->keeper->spool);
}

uint64_t keeper_renew_stream(void *userdata) {
    Keeper *keeper = ((const KeeperReader *)userdata)->keeper;
    spool_renew_stream(keeper->spool, random_id());
    keeper_touch(keeper);
    return spool_stream(keeper->spool);
}

void keeper_acknowledge(void *userdata, uint64_t position) {
    const KeeperReader *reader = userdata;
    spool_acknowledge(reader->keeper->spool, reader->reader, position);
    if (reader->keeper->is_full)
        keeper_touch(reader->keeper);
    else
        commit_within(reader->keeper, LAZY_COMMIT_USEC);
}

Spool *keeper_spool(Keeper *keeper) {
    return keeper->spool;
}

bool keeper_can_take(const Keeper *keeper) {
    return keeper->can_take;
}

bool keeper_can_commit(const Keeper *keeper) {
    return keeper->trouble.error == 0;
}

const char *keeper_trouble(const Keeper *keeper) {
    return keeper->trouble.error != 0 ? keeper->trouble.why.text : "";
}

/* --- making and ending --- */

/* A disk without room, or one that refuses, does so again when systemd starts the service again a tenth of a
 * second later, and each start costs more than waiting. */
static void pause_before_the_next_start(void) {
    const struct timespec pause = {.tv_sec = 2};
    (void)nanosleep(&pause, NULL);
}

static int open_at_start(Keeper *keeper, Problem *problem) {
    const SpoolLimits limits = {.max_bytes = keeper->max_bytes + ROOM_BYTES, .memory_bytes = MEMORY_BYTES};
    char aside[PATH_MAX];
    uint64_t n_saved;
    Problem damage = {""};
    service_will_read(keeper->path);
    int r = spool_open(keeper->path, keeper->readers, &limits, &keeper->spool, &damage);
    if (r < 0 && r != -EUCLEAN) {
        if (r != -EINVAL)
            pause_before_the_next_start();
        return problem_set(problem, r, "%s: %s", keeper->path, damage.text);
    }
    if (r >= 0)
        return 0;
    r = spool_set_aside(keeper->path, keeper->readers, &limits, service_wall(keeper->service), &keeper->spool,
                        aside, sizeof aside, &n_saved, problem);
    if (r >= 0)
        keeper_tell_aside(keeper, damage.text, aside, n_saved);
    return r;
}

static int set_path(Keeper *keeper, Problem *problem) {
    const char *directory = service_state_dir(keeper->service);
    if (directory[0] == '\0')
        return problem_set(problem, -EINVAL, "expected a directory for the %s: give --state-dir DIR",
                           keeper->name);
    int n = snprintf(keeper->path, sizeof keeper->path, "%s/%s.db", directory, keeper->name);
    return n < (int)sizeof keeper->path ? 0
                                        : problem_set(problem, -EINVAL, "--state-dir: the name is too long");
}

static int make_timers(Keeper *keeper) {
    int r = timer_new(keeper->service, on_commit_time, keeper, &keeper->commit_timer);
    if (r >= 0)
        r = timer_new(keeper->service, on_tick, keeper, &keeper->tick_timer);
    if (r >= 0)
        r = health_add(service_health(keeper->service), "commits", is_attempting, keeper);
    if (r >= 0)
        timer_set(keeper->tick_timer, service_now(keeper->service));
    return r;
}

int keeper_new(Service *service, const KeeperSpec *spec, Keeper **ret, Problem *problem) {
    scoped(keeper_freep) Keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return problem_set(problem, -ENOMEM, "%s: out of memory", spec->name);
    *keeper = (Keeper){.service = service,
                       .max_bytes = spec->max_bytes,
                       .commit_usec = spec->commit_usec,
                       .handlers = spec->handlers,
                       .userdata = spec->userdata,
                       .commit_at = mono_never(),
                       .can_take = true};
    (void)snprintf(keeper->name, sizeof keeper->name, "%s", spec->name);
    for (size_t i = 0; i < SPOOL_READERS_MAX && spec->readers[i]; i++)
        keeper->readers[i] = spec->readers[i];

    int r = set_path(keeper, problem);
    if (r >= 0)
        r = open_at_start(keeper, problem);
    if (r < 0)
        return r;
    r = db_place_note(keeper->path, &keeper->place, problem);
    if (r < 0)
        return r;
    keeper->promised = spool_committed(keeper->spool);
    keeper_make_metrics(keeper);
    r = make_timers(keeper);
    if (r < 0)
        return problem_set(problem, r, "%s: %s", keeper->name, strerror(-r));
    *ret = take(keeper);
    return 0;
}

/* The log of a file that is gone must not be taken for that of the next one. */
static void leave_place(const Keeper *keeper) {
    char aside[PATH_MAX];
    Problem problem = {""};
    int r = db_place_leave(keeper->path, &keeper->place, service_wall(keeper->service), aside, sizeof aside,
                           &problem);
    if (r < 0)
        journal_note(LOG_ERR, "%s: %s", keeper->name, problem.text);
    else if (aside[0])
        journal_note(LOG_NOTICE, "%s: what was left of %s is %s now", keeper->name, keeper->path, aside);
}

/* What is not on disk was not acknowledged either, so whoever sent it still has it. After a failure it stays
 * so: a cursor may be pending whose frame is not. */
Keeper *keeper_free(Keeper *keeper) {
    if (!keeper)
        return NULL;
    Problem problem = {""};
    if (keeper->spool && spool_is_dirty(keeper->spool) && keeper->damage == 0 &&
        !service_has_failed(keeper->service) && attempt(keeper, &problem) < 0)
        journal_note(LOG_WARNING,
                     "%s: ends with %zu frames that it could not commit and did not acknowledge: %s",
                     keeper->name, spool_n_pending(keeper->spool), problem.text);
    if (keeper->can_commit)
        keeper_count(keeper);
    timer_free(keeper->commit_timer);
    timer_free(keeper->tick_timer);
    spool_free(keeper->spool);
    if (keeper->trouble.error == -ESTALE)
        leave_place(keeper);
    free(keeper);
    return NULL;
}
