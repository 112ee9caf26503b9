/* A durable queue of frames between two hops: what arrived waits here until every reader has committed it.
 *
 * One SQLite file (WAL, synchronous=FULL) with the frames by position, a cursor per reader, and the cursors
 * of the links that fill it (intake-table.h). Everything of a batch is one transaction: frames, cursors,
 * deletions. Between two commits nothing is open: what is not committed stands in memory, and a commit that
 * fails leaves it there to be tried again, so nothing that was appended is forgotten while the process lives.
 *
 * What is not committed cannot be read: a position that was sent on must never be given to another frame.
 *
 * When to commit, and what to say when that fails, is custody/keeper.h's. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "core/intake.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Spool Spool;

typedef struct SpoolLimits {
    uint64_t max_bytes;  /* of frames that wait for a reader; above it spool_append() says -ENOSPC */
    size_t memory_bytes; /* of the newest frames that are kept in memory besides */
} SpoolLimits;

enum { SPOOL_READERS_MAX = 4, SPOOL_LINKS_MAX = 8 };

/* Opens or makes the file. `readers` names who must commit each frame (NULL-terminated; a reader that is new
 * to the file begins with the oldest frame in it; one that is no longer named is forgotten and holds nothing
 * back). 0, or as db_open(): -EUCLEAN is damage, and spool_set_aside() the way on. */
int spool_open(const char *path, const char *const *readers, const SpoolLimits *limits, Spool **ret,
               Problem *problem);
Spool *spool_free(Spool *spool); /* what is not committed is gone */
DEFINE_FREEP(Spool, spool_free)

/* Moves a damaged file aside, makes a new one and takes over every frame that can still be read: they get new
 * positions of a new stream, readers begin with the first, links with nothing. *ret_n_saved frames;
 * *ret_aside is where the old file went. May be interrupted at any point: spool_open() says -EUCLEAN until it
 * was done. */
int spool_set_aside(const char *path, const char *const *readers, const SpoolLimits *limits, Wall now,
                    Spool **ret, char *ret_aside, size_t aside_size, uint64_t *ret_n_saved, Problem *problem);

/* Cursors of a link that fills this spool: restored into `intake` now, written with each commit. `intake`
 * outlives the spool. */
int spool_add_intake(Spool *spool, const char *link, Intake *intake, Problem *problem);

uint64_t spool_stream(const Spool *spool);
/* After OUTFLOW_FOREIGN: a new stream, from the next commit on; frames keep their positions. */
void spool_renew_stream(Spool *spool, uint64_t stream);

/* Puts a frame behind the others. 0: it has the position spool_last(). -ENOSPC: max_bytes wait; not taken.
 * -ENOMEM: not taken. */
int spool_append(Spool *spool, const void *frame, size_t size);

/* Reader number `reader` (the order of `readers`) has everything up to `position`; durable with the next
 * commit. A position before the last one means that the reader lost what it had: what is still here is held
 * for it again. Never beyond spool_committed(), nor before what was deleted. */
void spool_acknowledge(Spool *spool, unsigned reader, uint64_t position);
uint64_t spool_acknowledged(const Spool *spool, unsigned reader);

/* Whether a commit would change the file. Rows that every reader has passed go a bounded number with each
 * commit, so this can still be true after one. */
bool spool_is_dirty(const Spool *spool);
size_t spool_n_pending(const Spool *spool); /* appended but not committed */

/* Commits everything pending, intakes included (intake_committed() is called). Number of frames, or a
 * negative errno of db_error(): nothing was lost, try again; after -EIO close the connection and open it anew
 * with spool_reopen(). */
int spool_commit(Spool *spool, Problem *problem);

/* Closes and opens the file; what is pending stays, and so does spool_is_dirty(). Errors as spool_open(),
 * also -EUCLEAN when another file is in its place; then it is closed, and commits and readings are -EIO until
 * this succeeds. */
int spool_reopen(Spool *spool, Problem *problem);

/* The first position that a reader still needs; spool_last() + 1 when there is none. */
uint64_t spool_oldest(const Spool *spool);
uint64_t spool_committed(const Spool *spool); /* the newest that may be read */
uint64_t spool_last(const Spool *spool);      /* the newest, pending included */

/* Of the frames in the file and of those pending: falls with the commit that deletes. */
uint64_t spool_bytes(const Spool *spool);

/* The frame at `position`, borrowed until the next call of any function of this spool. 1; 0 when there is
 * none (not committed yet, or every reader has it); negative: db_error(). Reading on is cheap: from memory,
 * or a page of rows at a time. */
int spool_read(Spool *spool, uint64_t position, const char **ret, size_t *ret_size, Problem *problem);
