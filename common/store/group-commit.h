/* One commit for many records, and no record forgotten while the database refuses to commit.
 *
 * What is not committed yet is kept in memory as the frames it came in. When a commit fails everything
 * since the last one is rolled back and written again from there, after a growing pause. Under custody the
 * cursors of the intake are part of each transaction; they count as committed when it is. Time is a
 * parameter; who stops the incoming flow while group_commit_can_commit() is false is the caller. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "core/intake.h"
#include "store/commit-trouble.h"
#include "store/intake-table.h"
#include "store/records.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct GroupCommit GroupCommit;

typedef struct GroupCommitLimits {
    size_t max_rows;        /* commit when this many records wait... */
    uint64_t max_wait_usec; /* ... or the oldest has waited this long */
    size_t max_kept_bytes;  /* more than this is refused */
} GroupCommitLimits;

typedef struct GroupCommitCounts {
    uint64_t stored[RECORD_TABLE_COUNT]; /* committed, in the order of record_tables[] */
    uint64_t repeats;
    uint64_t commits;
    uint64_t failures;
    uint64_t dropped;    /* records that the tables themselves refuse; none are known */
    Problem why_dropped; /* the last of them */
} GroupCommitCounts;

/* `intake`, whose cursors are committed with the records, outlives this; NULL: there is no custody. */
int group_commit_new(const GroupCommitLimits *limits, Intake *intake, GroupCommit **ret);
GroupCommit *group_commit_free(GroupCommit *group); /* what waits is lost: commit first */
DEFINE_FREEP(GroupCommit, group_commit_free)

/* Where records go, and the intake's part of the same file (NULL without custody); both NULL while the
 * database is closed: then records are only kept. They must outlive their stay here and nobody else begins
 * transactions on the writer while something waits. What an earlier writer did not commit is written to the
 * new one. */
void group_commit_set_writer(GroupCommit *group, RecordWriter *writer, IntakeTable *cursors);

/* Whether a record of `size` bytes can be taken: 0, -ENOBUFS (max_kept_bytes wait) or -ENOMEM. After 0 the
 * next group_commit_add() of no more bytes does not fail for want of room: who judges a frame by its place
 * in a stream must know before that it can be kept. */
int group_commit_make_room(GroupCommit *group, size_t size, Problem *problem);

/* Takes one record, `frame` being the bytes it was decoded from. 0: it is in the open transaction, or kept
 * until one succeeds. -EINVAL: the tables refuse this record (not kept). -ENOBUFS: more than max_kept_bytes
 * wait; not taken. -ENOMEM: not taken. */
int group_commit_add(GroupCommit *group, const void *frame, size_t size, const Message *record, Wall arrival,
                     Mono now, Problem *problem);

/* The intake has accepted something: a record that was added, or one that was refused by content. The next
 * commit has at least the cursor to write. */
void group_commit_touch(GroupCommit *group, Mono now);

/* Something is missing before what was accepted last: the transaction that holds its cursor says that the
 * file needs a refill. True when that is news. */
bool group_commit_want_refill(GroupCommit *group);

/* Until then what comes waits, for all of it to be committed together (see commit-rest.h). */
void group_commit_rest(GroupCommit *group, Mono until);

/* When group_commit_run() has something to do; mono_never() when nothing waits. */
Mono group_commit_deadline(const GroupCommit *group);
/* `has_more`: records that can be added at once, so that a commit would be one of few. Then only the largest number
 * of them makes it due. */
bool group_commit_is_due(const GroupCommit *group, Mono now, bool has_more);

/* Commits what waits, now (also when nothing waits: that proves the file takes commits). Number of records,
 * or a negative errno of db_error(), or -EAGAIN without a writer: nothing is lost, the next attempt is at
 * group_commit_deadline(). */
int group_commit_run(GroupCommit *group, Mono now, Wall wall, Problem *problem);

/* False from a failure to the next successful commit. */
bool group_commit_can_commit(const GroupCommit *group);
const CommitTrouble *group_commit_trouble(const GroupCommit *group);
size_t group_commit_rows_waiting(const GroupCommit *group);
bool group_commit_is_pending(const GroupCommit *group);  /* records wait, or a cursor */
Mono group_commit_last_commit(const GroupCommit *group); /* Mono 0 before the first */
Mono group_commit_last_attempt(const GroupCommit *group);
const GroupCommitCounts *group_commit_counts(const GroupCommit *group);
