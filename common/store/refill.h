/* Filling a store that lacks records, because its file is new or an older copy, from what the other one
 * holds: the records of a COPY_RECORDS (queries.h), taken in a transaction of their own.
 *
 * Taking is idempotent by identity, so whoever copies may begin again at any time: after a crash of either
 * store or of itself, and while the records of today come in. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "store/records.h"
#include "wire/messages.h"

#include <stdbool.h>

typedef struct RefillCounts {
    int n_taken;
    int n_repeated; /* were here already */
    int n_refused;  /* are no records, or not this city's */
} RefillCounts;

/* Whether a record may be taken; if not, `problem` says why. */
typedef bool (*RefillMayTakeFn)(const Message *record, void *userdata, Problem *problem);

typedef struct RefillSpec {
    JsonText records; /* an array */
    bool is_last;     /* with these the file has everything: it needs no refill from this commit on */
    Wall arrival;
    RefillMayTakeFn may_take;
    void *userdata;
} RefillSpec;

/* Takes and commits. There must be no open transaction, and `decoder` must not be the one that `records`
 * points into. 0; -EINVAL: `records` is no array; or db_error(), with everything rolled back. When some
 * were refused, `problem` says why the first was. */
int refill_take(RecordWriter *writer, Decoder *decoder, const RefillSpec *spec, RefillCounts *ret,
                Problem *problem);
