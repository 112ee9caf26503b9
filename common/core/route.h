/* The way of somebody who must not stop: which phase each intersection on it has to show, from when, and until when.
 * Green comes in travel order, early enough for those who wait in front to be gone when it arrives, and ends after it
 * has passed.
 *
 * Times are from now on; whoever follows it on its way plans again each second with what is left of the route. The
 * subtle thing are those in front: who leaves one intersection ahead of it is in front of it at the next one, too.
 *
 * Refuses to know cities and messages: the way is given stop by stop. */
#pragma once

#include "core/signal-model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_STOPS_MAX = 256 };

/* One intersection on the way. */
typedef struct RouteStop {
    const SignalModel *model;
    unsigned phase;        /* that it is to be asked for: route_phase() */
    double metres;         /* to its stop line: from the one before; of the first, from where it is now */
    double speed_mps;      /* of travel on these metres; above 0 */
    bool has_queue;        /* else a few vehicles are assumed */
    double queue_vehicles; /* that are to pass before it, as far as is known now */
    uint64_t held_usec;    /* somebody else goes first until then; 0: nobody */
    bool is_asked;         /* the lights have been asked... */
    uint64_t asked_usec;   /* ... so long ago */
} RouteStop;

/* When the lights of a stop are to be asked, how long after that they may take to be green, and when it is through. */
typedef struct RouteLeg {
    uint64_t ask_usec; /* 0 once they have been */
    uint64_t change_usec;
    uint64_t arrival_usec; /* without anybody in its way */
    uint64_t passes_usec;  /* the stop line, with those who are */
    uint64_t until_usec;   /* green is to last until then: it may be a little late, more so on a long way */
} RouteLeg;

/* The phase by which most of `onward` can go, unhindered rather than yielding, and, among those, most of `beside`: the
 * groups of those who stand on the same lanes. SIGNAL_PHASES_MAX when no phase lets any of `onward` go. */
unsigned route_phase(const SignalModel *model, GroupSet onward, GroupSet beside);

/* How long it takes at most until `phase` is green when it is asked for: what conflicts with it has its minimum green,
 * then the intergreen. */
uint64_t route_change_usec(const SignalModel *model, unsigned phase);

/* `ret` has room for n legs. Cost: linear. */
void route_plan(const RouteStop *stops, size_t n, RouteLeg *ret);
