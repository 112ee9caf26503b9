/* The kept frames lie one behind the other in one block of memory that is reused after each commit: in normal
 * running a record costs a copy of its bytes, and only after a failure is any of them decoded a second time.
 *
 * Two states. Committing: records are inserted as they come. In trouble: they are only kept; an attempt
 * inserts all of them again in a new transaction. Nothing of a failed transaction is ever built upon, so
 * that a failed write or fsync is answered by writing everything anew and not by trusting what a retry
 * would find. */
#include "store/group-commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct KeptFrame {
    Wall arrival;
    size_t size;
    /* then `size` bytes, and padding to the next KeptFrame */
} KeptFrame;

struct GroupCommit {
    GroupCommitLimits limits;
    Intake *intake;
    RecordWriter *writer;
    IntakeTable *cursors;
    Decoder *decoder;

    char *kept;
    size_t kept_bytes, kept_capacity;
    size_t rows_waiting;
    bool is_touched; /* a cursor waits */
    bool wants_refill;
    Mono oldest;    /* when the first of what waits came */
    bool is_behind; /* the open transaction, if any, lacks records that wait: all of them must be inserted
                        again */

    CommitTrouble trouble;
    Mono last_commit, last_attempt, rested_at;

    GroupCommitCounts counts;
    uint64_t n_dropped; /* of what the open transaction was to hold */
    Problem why_dropped;
};

int group_commit_new(const GroupCommitLimits *limits, Intake *intake, GroupCommit **ret) {
    scoped(group_commit_freep) GroupCommit *group = calloc(1, sizeof *group);
    if (!group)
        return -ENOMEM;
    group->limits = *limits;
    group->intake = intake;
    int r = decoder_new(&group->decoder);
    if (r < 0)
        return r;
    *ret = take(group);
    return 0;
}

GroupCommit *group_commit_free(GroupCommit *group) {
    if (!group)
        return NULL;
    decoder_free(group->decoder);
    free(group->kept);
    free(group);
    return NULL;
}

/* --- keeping --- */

static size_t stride(size_t size) {
    const size_t alignment = _Alignof(KeptFrame);
    return sizeof(KeptFrame) + (size + alignment - 1) / alignment * alignment;
}

int group_commit_make_room(GroupCommit *group, size_t size, Problem *problem) {
    size_t wanted = group->kept_bytes + stride(size);
    if (wanted > group->limits.max_kept_bytes)
        return problem_set(problem, -ENOBUFS, "%zu records (%zu bytes) wait for a commit, no room for more",
                           group->rows_waiting, group->kept_bytes);
    if (wanted <= group->kept_capacity)
        return 0;
    size_t capacity = group->kept_capacity * 2 > wanted ? group->kept_capacity * 2 : wanted;
    char *grown = realloc(group->kept, capacity);
    if (!grown)
        return problem_set(problem, -ENOMEM, "out of memory");
    group->kept = grown;
    group->kept_capacity = capacity;
    return 0;
}

static void begin_waiting(GroupCommit *group, Mono now) {
    if (!group_commit_is_pending(group))
        group->oldest = now;
}

static void keep(GroupCommit *group, const void *frame, size_t size, Wall arrival, Mono now) {
    begin_waiting(group, now);
    KeptFrame *kept = (KeptFrame *)(void *)(group->kept + group->kept_bytes);
    *kept = (KeptFrame){.arrival = arrival, .size = size};
    memcpy(kept + 1, frame, size);
    group->kept_bytes += stride(size);
    group->rows_waiting++;
}

void group_commit_touch(GroupCommit *group, Mono now) {
    begin_waiting(group, now);
    group->is_touched = true;
}

bool group_commit_want_refill(GroupCommit *group) {
    bool is_known =
        group->wants_refill || (group->writer && record_writer_totals(group->writer)->needs_refill);
    group->wants_refill = true;
    return !is_known;
}

static void forget_kept(GroupCommit *group) {
    group->kept_bytes = 0;
    group->rows_waiting = 0;
    group->is_touched = false;
    group->wants_refill = false;
    group->is_behind = false;
}

/* --- inserting and committing --- */

static void count_committed(GroupCommit *group) {
    const RecordCounts *committed = record_writer_counts(group->writer);
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++)
        group->counts.stored[i] += committed->stored[i];
    group->counts.repeats += committed->repeats;
    group->counts.dropped += group->n_dropped + committed->refused;
    if (committed->refused > 0)
        group->counts.why_dropped = committed->why_refused;
    else if (group->n_dropped > 0)
        group->counts.why_dropped = group->why_dropped;
    group->counts.commits++;
    group->n_dropped = 0;
}

/* Back to the last commit; what was inserted since is in memory. */
static int fail(GroupCommit *group, int error, const Problem *problem, Mono now) {
    if (group->writer)
        record_writer_rollback(group->writer);
    group->is_behind = true;
    group->n_dropped = 0;
    group->counts.failures++;
    (void)commit_trouble_failed(&group->trouble, error, problem, now);
    return error;
}

int group_commit_add(GroupCommit *group, const void *frame, size_t size, const Message *record, Wall arrival,
                     Mono now, Problem *problem) {
    Problem why = {0};
    int r = group_commit_make_room(group, size, problem);
    if (r < 0)
        return r;
    if (group->writer && !group->is_behind) {
        r = record_writer_add(group->writer, record, arrival, &why);
        if (r == -EINVAL)
            return problem_set(problem, r, "%s", why.text);
        if (r < 0)
            (void)fail(group, r, &why, now);
    }
    keep(group, frame, size, arrival, now);
    return 0;
}

/* Everything kept, from the first. What the tables refused the first time was not kept. */
static int insert_kept(GroupCommit *group, Problem *problem) {
    for (size_t at = 0; at < group->kept_bytes;) {
        const KeptFrame *kept = (const KeptFrame *)(const void *)(group->kept + at);
        Message record;
        Refusal refusal;
        Problem why = {0};
        int r = message_decode(group->decoder, MESSAGE_FAMILY_RECORD, kept + 1, kept->size, &record, &refusal,
                               &why);
        if (r >= 0)
            r = record_writer_add(group->writer, &record, kept->arrival, &why);
        else if (r != -ENOMEM)
            r = -EINVAL;
        if (r == -EINVAL) {
            group->n_dropped++;
            group->why_dropped = why;
        } else if (r < 0) {
            return problem_set(problem, r, "%s", why.text);
        }
        at += stride(kept->size);
    }
    return 0;
}

static int attempt(GroupCommit *group, Wall wall, Problem *problem) {
    if (!group->writer)
        return problem_set(problem, -EAGAIN, "the database is closed");
    int r = record_writer_begin(group->writer, problem);
    if (r >= 0 && group->is_behind)
        r = insert_kept(group, problem);
    if (r >= 0 && group->cursors)
        r = intake_table_save(group->cursors, problem);
    if (group->wants_refill)
        record_writer_set_needs_refill(group->writer, true);
    return r < 0 ? r : record_writer_commit(group->writer, wall, problem);
}

int group_commit_run(GroupCommit *group, Mono now, Wall wall, Problem *problem) {
    Problem why = {0};
    group->last_attempt = now;
    int r = attempt(group, wall, &why);
    if (r < 0) {
        (void)fail(group, r, &why, now);
        return problem_set(problem, r, "%s", why.text);
    }
    int n_rows = (int)group->rows_waiting;
    count_committed(group);
    forget_kept(group);
    if (group->intake)
        intake_committed(group->intake);
    (void)commit_trouble_ended(&group->trouble);
    group->last_commit = now;
    return n_rows;
}

void group_commit_set_writer(GroupCommit *group, RecordWriter *writer, IntakeTable *cursors) {
    group->writer = writer;
    group->cursors = cursors;
    group->is_behind = group->is_behind || group->rows_waiting > 0;
    group->n_dropped = 0;
}

void group_commit_rest(GroupCommit *group, Mono until) {
    group->rested_at = until;
}

/* --- asking --- */

Mono group_commit_deadline(const GroupCommit *group) {
    if (group->trouble.error != 0)
        return group->trouble.retry_at;
    if (!group_commit_is_pending(group))
        return mono_never();
    return mono_max(mono_after(group->oldest, group->limits.max_wait_usec), group->rested_at);
}

bool group_commit_is_due(const GroupCommit *group, Mono now, bool has_more) {
    bool is_well = group->trouble.error == 0;
    if (is_well && group->rows_waiting >= group->limits.max_rows)
        return true;
    return !(is_well && has_more) && mono_reached(now, group_commit_deadline(group));
}

bool group_commit_can_commit(const GroupCommit *group) {
    return group->trouble.error == 0;
}

const CommitTrouble *group_commit_trouble(const GroupCommit *group) {
    return &group->trouble;
}

size_t group_commit_rows_waiting(const GroupCommit *group) {
    return group->rows_waiting;
}

bool group_commit_is_pending(const GroupCommit *group) {
    return group->rows_waiting > 0 || group->is_touched;
}

Mono group_commit_last_commit(const GroupCommit *group) {
    return group->last_commit;
}

Mono group_commit_last_attempt(const GroupCommit *group) {
    return group->last_attempt;
}

const GroupCommitCounts *group_commit_counts(const GroupCommit *group) {
    return &group->counts;
}
