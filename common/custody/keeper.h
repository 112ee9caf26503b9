/* A spool in a running service: opened at start (a damaged one is moved aside), committed in groups,
 * watched, tried again while the disk refuses, opened anew when it had an error. Decides when; how is
 * store/spool.h. Broker and analytics have one each.
 *
 * A service whose spool cannot commit stays alive: it takes nothing more, acknowledges nothing, says so
 * and tries again. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "shell/service.h"
#include "store/spool.h"

#include <stdbool.h>

typedef struct Keeper Keeper;

typedef struct KeeperHandlers {
    /* Something was committed: acknowledge what arrived, send what may be sent (up to spool_committed()). */
    void (*on_committed)(void *userdata);
    /* Nothing more can be taken (the spool is full, or the disk refuses), or it can again: the flow stops
     * or goes on. */
    void (*on_flow)(bool can_take, void *userdata);
} KeeperHandlers;

/* commit_usec where a simulator owns city time: somebody waits for a commit at each tick, which hurries it, and
 * nobody does between two. */
#define KEEPER_STEP_COMMIT_USEC (100 * USEC_PER_MSEC)

typedef struct KeeperSpec {
    const char *name;           /* for people, files and metrics: "spool", "outbox": STATE_DIR/NAME.db */
    const char *const *readers; /* see spool_open() */
    uint64_t max_bytes;
    uint64_t commit_usec; /* what arrived is committed after this long */
    KeeperHandlers handlers;
    void *userdata;
} KeeperSpec;

/* -EINVAL without a state directory. */
int keeper_new(Service *service, const KeeperSpec *spec, Keeper **ret, Problem *problem);
Keeper *keeper_free(Keeper *keeper); /* commits what is pending */
DEFINE_FREEP(Keeper, keeper_free)

Spool *keeper_spool(Keeper *keeper);

/* spool_append() and the commit that will follow. 0, -ENOSPC or -ENOMEM: not taken. After
 * keeper_can_take() there is room for whatever one frame leads to (1 MiB), even while the disk refuses: so
 * ask that before a frame's place in its stream is judged, never after, for a place that is taken and not
 * filled is lost. */
int keeper_append(Keeper *keeper, const void *frame, size_t size);

/* An intake accepted something, or a reader acknowledged: the next commit has something to write. */
void keeper_touch(Keeper *keeper);

/* Something waits for what was taken so far: the end of this batch commits it. */
void keeper_hurry(Keeper *keeper);

/* The end of a batch of messages: commits what is due. 0, or a negative errno that ends the process. */
int keeper_end_batch(Keeper *keeper);

bool keeper_can_take(const Keeper *keeper);
bool keeper_can_commit(const Keeper *keeper);
const char *keeper_trouble(const Keeper *keeper); /* "" when it can */

/* How much of the limit is used; above 1 there is only what belongs to frames that were taken before. */
double keeper_used(const Keeper *keeper);

/* The spool as a SenderSource, its five functions in order; `userdata` is a KeeperReader. */
typedef struct KeeperReader {
    Keeper *keeper;
    unsigned reader;
} KeeperReader;
int keeper_read(void *reader, uint64_t position, const char **ret, size_t *ret_size);
uint64_t keeper_oldest(void *reader);
void keeper_acknowledge(void *reader, uint64_t position);
uint64_t keeper_renew_stream(void *reader);
uint64_t keeper_stream(void *reader);
