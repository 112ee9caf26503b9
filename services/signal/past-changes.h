/* What the lights showed lately, report by report, for a listener who was away: it sees by their numbers that some
 * are missing, asks, and is told them again as they were. A ring: the oldest make room, and those of them that
 * nobody was ever told are counted. Knows no link. */
#pragma once

#include "base/macro.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PastChanges PastChanges;

/* Room for `capacity` reports, at least one. */
int past_changes_new(size_t capacity, PastChanges **ret);
PastChanges *past_changes_free(PastChanges *past);
DEFINE_FREEP(PastChanges, past_changes_free)

/* Keeps a copy; numbers rise from call to call. True when it took the place of one that nobody was told. */
bool past_changes_keep(PastChanges *past, const SignalReport *report, bool was_told);

/* The first one numbered higher than `sequence`, borrowed until the next call, and told now; NULL when there is none. */
const SignalReport *past_changes_after(PastChanges *past, int64_t sequence);
