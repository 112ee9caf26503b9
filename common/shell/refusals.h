/* Counting refused frames of one link and saying so, but not for each: a peer may send a million. Private to
 * shell. */
#pragma once

#include "shell/journal.h"
#include "shell/link.h"

typedef struct Refusals {
    const char *link_name;
    Metric *counters[REFUSAL_COUNT];
    JournalLimit limit;
} Refusals;

/* `link_name` is borrowed for the life of the Refusals. */
void refusals_init(Refusals *refusals, Metrics *metrics, const char *link_name);

/* `frame` may be NULL. Used by one thread at a time. */
void refusals_report(Refusals *refusals, Mono now, const LinkFrame *frame, Refusal refusal,
                     const Problem *problem);
