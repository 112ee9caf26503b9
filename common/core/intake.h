/* The reader's side of custody on one hop: may this frame be taken, was it taken, is one missing before it?
 *
 * What is accepted becomes acknowledged when it is committed, never before: the owner calls
 * intake_committed() after the transaction that holds both the frames and these cursors. A table of fixed
 * size that the caller provides keeps one cursor per stream; the stream heard longest ago makes room. Knows
 * neither frames nor files. */
#pragma once

#include "base/hop.h"

#include <stdbool.h>
#include <stdint.h>

enum { INTAKE_STREAMS = 32 };

typedef struct IntakeCursor {
    uint64_t stream; /* 0: an empty place */
    int64_t epoch;   /* of the writer that was heard last */
    uint64_t accepted, committed;
    uint64_t heard;  /* of Intake.clock: only an order */
    bool has_asked;  /* for what follows `accepted`; once is enough until something comes */
    bool is_another; /* nothing of it is committed yet, and other streams were heard before it */
    bool is_to_tell; /* the reader owes the writer an acknowledgement */
} IntakeCursor;

typedef struct Intake {
    IntakeCursor cursors[INTAKE_STREAMS];
    int64_t writer_epoch; /* the highest heard on this hop, whatever the stream */
    uint64_t clock;
} Intake;

typedef enum IntakeVerdict {
    INTAKE_ACCEPT, /* the next one: take it */
    INTAKE_REPEAT, /* taken before: forget it, and acknowledge again */
    INTAKE_GAP,    /* one before it is missing: forget it; the writer sends again what it is asked for */
    INTAKE_FENCED, /* its writer has been replaced by one with a higher epoch: forget it */
} IntakeVerdict;

typedef struct IntakeAnswer {
    IntakeVerdict verdict;
    bool must_ask;       /* GAP, the first time: acknowledge now with `asks` */
    uint64_t n_given_up; /* ACCEPT: positions before it that its writer no longer has and that never came */
    bool is_another;     /* ACCEPT: of a stream that has come beside those known, or in the place of one */
} IntakeAnswer;

void intake_init(Intake *intake);

/* What was committed in an earlier life; in any order. Stream 0 is ignored. */
void intake_restore(Intake *intake, uint64_t stream, int64_t epoch, uint64_t committed);

/* Judges a frame; on ACCEPT its position is accepted. A stream that was never heard begins where its writer
 * says that it begins (hop->oldest).
 *
 * A hop that no writer can have said (hop_is_possible()) is a GAP that changes nothing, nobody is asked.
 * When the writer no longer has what follows `accepted` (the reader's disk is an older copy), the cursor
 * jumps, but only to the very first frame that there is, and only after the reader has asked: one frame that
 * lies does not move a cursor, and none lies about frames between `oldest` and itself. An epoch counts for
 * the whole hop: a new writer's first frame fences the old one on every stream. REPEAT and FENCED owe an
 * acknowledgement at once, there may be no commit to wait for. */
IntakeAnswer intake_judge(Intake *intake, const Hop *hop);

/* The transaction with everything accepted so far is on disk. */
void intake_committed(Intake *intake);

/* What was accepted but not committed is gone (rolled back and forgotten): it will be sent again. */
void intake_rolled_back(Intake *intake);

/* A cursor whose `accepted` is not committed yet, for the transaction: start with NULL; NULL at the end. */
const IntakeCursor *intake_next_dirty(const Intake *intake, const IntakeCursor *before);

/* A cursor whose writer is owed an acknowledgement; taken off the list by the call. NULL: none. */
const IntakeCursor *intake_take_owed(Intake *intake);

/* Every stream's writer is owed one: whoever is at the other end of a new connection hears where it stands,
 * also when it is a copy from before its stream was renewed. */
void intake_owe_all(Intake *intake);

/* The stream heard last, for an acknowledgement that only says "I am here"; before any was heard in this
 * life the restored one of the highest epoch; NULL when there is none. */
const IntakeCursor *intake_newest(const Intake *intake);
