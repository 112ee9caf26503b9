/* One commit for many records, and no record forgotten while the database refuses to commit.
 *
 * What is not committed yet is kept in memory as the frames it came in. When a commit fails everything since
 * the last one is rolled back and written again from there, after a growing pause. Time is a parameter; who
 * stops the incoming flow while group_commit_can_commit() is false is the caller. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
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

#define GROUP_COMMIT_RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define GROUP_COMMIT_RETRY_LAST_USEC  (2 * USEC_PER_SEC)

typedef struct GroupCommitCounts {
    uint64_t stored[RECORD_TABLE_COUNT]; /* committed, in the order of record_tables[] */
    uint64_t repeats;
    uint64_t commits;
    uint64_t failures;
    uint64_t dropped; /* records that the tables themselves refuse; none are known */
} GroupCommitCounts;

int group_commit_new(const GroupCommitLimits *limits, GroupCommit **ret);
GroupCommit *group_commit_free(GroupCommit *group); /* what waits is lost: commit first */
DEFINE_FREEP(GroupCommit, group_commit_free)

/* Where records go; NULL while the database is closed: then they are only kept. The writer must outlive its
 * stay here and nobody else begins transactions on it while records wait. What an earlier writer did not
 * commit is written to the new one. */
void group_commit_set_writer(GroupCommit *group, RecordWriter *writer);

/* Takes one record, `frame` being the bytes it was decoded from. 0: it is in the open transaction, or kept
 * until one succeeds. -EINVAL: the tables refuse this record (not kept). -ENOBUFS: more than max_kept_bytes
 * wait; not taken. -ENOMEM: not taken. */
int group_commit_add(GroupCommit *group, const void *frame, size_t size, const Message *record, Wall arrival,
                     Mono now, Problem *problem);

/* When group_commit_run() has something to do; mono_never() when nothing waits. */
Mono group_commit_deadline(const GroupCommit *group);
bool group_commit_is_due(const GroupCommit *group, Mono now);

/* Commits what waits, now (also when nothing waits: that proves the file takes commits). Number of records,
 * or a negative errno of db_error(), or -EAGAIN without a writer: nothing is lost, the next attempt is at
 * group_commit_deadline(). */
int group_commit_run(GroupCommit *group, Mono now, Wall wall, Problem *problem);

/* False from a failure to the next successful commit. */
bool group_commit_can_commit(const GroupCommit *group);
int group_commit_error(const GroupCommit *group);           /* of the last failure, 0 when it can commit */
const char *group_commit_trouble(const GroupCommit *group); /* its sentence, "" when it can commit */
size_t group_commit_rows_waiting(const GroupCommit *group);
Mono group_commit_last_commit(const GroupCommit *group); /* Mono 0 before the first */
Mono group_commit_last_attempt(const GroupCommit *group);
const GroupCommitCounts *group_commit_counts(const GroupCommit *group);
