/* A cursor is two numbers: what was accepted and, behind it, what of that is on disk. Only the second one
 * ever leaves in an acknowledgement; a rollback puts the first one back to it.
 *
 * Streams are never closed, they are only heard no more: a new spool, a new life of a sensor. So the table
 * would fill by itself, and the stream that was silent longest makes room. Forgetting one is safe: when it
 * is heard again it begins at the oldest frame that its writer has, and what was taken before is known by
 * its identity further on. */
#include "core/intake.h"

#include <stddef.h>
#include <string.h>

void intake_init(Intake *intake) {
    memset(intake, 0, sizeof *intake);
}

/* --- the table --- */

static IntakeCursor *cursor_find(Intake *intake, uint64_t stream) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        if (intake->cursors[i].stream == stream)
            return &intake->cursors[i];
    return NULL;
}

/* What was only restored comes before what was heard in this life; its order is that of the epochs, for
 * nothing else tells. */
static bool was_heard_before(const IntakeCursor *a, const IntakeCursor *b) {
    return a->heard != b->heard ? a->heard < b->heard : a->epoch < b->epoch;
}

static bool makes_room_before(const IntakeCursor *a, const IntakeCursor *b) {
    bool is_a_empty = a->stream == 0, is_b_empty = b->stream == 0;
    return is_a_empty != is_b_empty ? is_a_empty : was_heard_before(a, b);
}

/* A place for a stream that has none, with everything up to `committed` behind it. */
static IntakeCursor *cursor_make(Intake *intake, uint64_t stream, int64_t epoch, uint64_t committed) {
    IntakeCursor *place = &intake->cursors[0];
    for (size_t i = 1; i < INTAKE_STREAMS; i++)
        if (makes_room_before(&intake->cursors[i], place))
            place = &intake->cursors[i];
    *place = (IntakeCursor){.stream = stream, .epoch = epoch, .accepted = committed, .committed = committed};
    return place;
}

void intake_restore(Intake *intake, uint64_t stream, int64_t epoch, uint64_t committed) {
    IntakeCursor *cursor = stream != 0 ? cursor_find(intake, stream) : NULL;
    if (stream == 0 || (cursor && cursor->committed >= committed))
        return;
    if (!cursor)
        cursor = cursor_make(intake, stream, epoch, committed);
    cursor->epoch = epoch > cursor->epoch ? epoch : cursor->epoch;
    cursor->accepted = cursor->committed = committed;
    if (epoch > intake->writer_epoch)
        intake->writer_epoch = epoch;
}

/* --- judging --- */

static IntakeAnswer accept(IntakeCursor *cursor, uint64_t position) {
    IntakeAnswer answer = {.verdict = INTAKE_ACCEPT,
                           .n_given_up = position - cursor->accepted - 1,
                           .is_another = cursor->is_another};
    cursor->accepted = position;
    cursor->has_asked = false;
    return answer;
}

static IntakeAnswer gap(IntakeCursor *cursor) {
    IntakeAnswer answer = {.verdict = INTAKE_GAP, .must_ask = !cursor->has_asked};
    cursor->has_asked = true;
    return answer;
}

static IntakeAnswer cursor_judge(IntakeCursor *cursor, const Hop *hop) {
    if (hop->position <= cursor->accepted) {
        cursor->is_to_tell = true;
        return (IntakeAnswer){.verdict = INTAKE_REPEAT};
    }
    bool is_next = hop->position == cursor->accepted + 1;
    bool is_first_there_is = hop->position == hop->oldest && cursor->has_asked;
    return is_next || is_first_there_is ? accept(cursor, hop->position) : gap(cursor);
}

IntakeAnswer intake_judge(Intake *intake, const Hop *hop) {
    if (!hop_is_possible(hop))
        return (IntakeAnswer){.verdict = INTAKE_GAP};
    IntakeCursor *cursor = cursor_find(intake, hop->stream);
    if (!cursor) {
        bool is_another = intake_newest(intake) != NULL;
        cursor = cursor_make(intake, hop->stream, hop->epoch, hop->oldest - 1);
        cursor->is_another = is_another;
    }
    if (hop->epoch < intake->writer_epoch) {
        cursor->is_to_tell = true; /* it learns of its successor from the epoch in the acknowledgement */
        return (IntakeAnswer){.verdict = INTAKE_FENCED};
    }
    if (hop->epoch > cursor->epoch)
        cursor->has_asked = false; /* nobody is left who was asked */
    cursor->epoch = intake->writer_epoch = hop->epoch;
    cursor->heard = ++intake->clock;
    return cursor_judge(cursor, hop);
}

/* --- transactions --- */

void intake_committed(Intake *intake) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++) {
        IntakeCursor *cursor = &intake->cursors[i];
        if (cursor->accepted == cursor->committed)
            continue;
        cursor->committed = cursor->accepted;
        cursor->is_another = false;
        cursor->is_to_tell = true;
    }
}

void intake_rolled_back(Intake *intake) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++) {
        IntakeCursor *cursor = &intake->cursors[i];
        if (cursor->accepted == cursor->committed)
            continue;
        cursor->accepted = cursor->committed;
        cursor->has_asked = false; /* what follows the committed ones is wanted again */
    }
}

const IntakeCursor *intake_next_dirty(const Intake *intake, const IntakeCursor *before) {
    const IntakeCursor *cursor = before ? before + 1 : intake->cursors;
    for (; cursor < intake->cursors + INTAKE_STREAMS; cursor++)
        if (cursor->accepted != cursor->committed)
            return cursor;
    return NULL;
}

/* --- acknowledgements --- */

const IntakeCursor *intake_take_owed(Intake *intake) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        if (intake->cursors[i].is_to_tell) {
            intake->cursors[i].is_to_tell = false;
            return &intake->cursors[i];
        }
    return NULL;
}

void intake_owe_all(Intake *intake) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        intake->cursors[i].is_to_tell = intake->cursors[i].stream != 0;
}

const IntakeCursor *intake_newest(const Intake *intake) {
    const IntakeCursor *newest = NULL;
    for (size_t i = 0; i < INTAKE_STREAMS; i++) {
        const IntakeCursor *cursor = &intake->cursors[i];
        if (cursor->stream != 0 && (!newest || was_heard_before(newest, cursor)))
            newest = cursor;
    }
    return newest;
}
