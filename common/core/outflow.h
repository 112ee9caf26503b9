/* The writer's side of custody on one hop: which frame to send next, what has been acknowledged, when to
 * send again. Frames are numbered without gaps; the reader acknowledges cumulatively; whatever goes wrong,
 * sending begins again after the last acknowledged one.
 *
 * Knows neither frames nor sockets: positions and times only. */
#pragma once

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct OutflowLimits {
    uint64_t window;      /* positions that may be under way without an acknowledgement */
    uint64_t resend_usec; /* nothing acknowledged for this long: send again; doubles with each attempt... */
    uint64_t resend_max_usec; /* ... up to this */
    bool is_best_effort;      /* the reader never acknowledges: what is sent counts as acknowledged */
} OutflowLimits;

typedef struct Outflow {
    OutflowLimits limits;
    uint64_t acknowledged; /* everything up to here is the reader's */
    uint64_t sent;         /* the newest position handed over since sending last began again */
    uint64_t last;         /* the newest position there is */
    uint64_t furthest;     /* the newest position handed over in this life */
    uint64_t inherited;    /* the newest position that an earlier life may have handed over */
    bool is_reader_there;  /* it may be sent to: subscribed, connected, not known to be dead */
    bool is_reader_heard;  /* it has acknowledged something, or there is no past that it could know of */
    Mono waiting_since;    /* the last progress, or the last attempt; never when nothing is under way */
    uint64_t patience_usec;
    uint64_t n_resent; /* positions that were sent more than once */
} Outflow;

/* `acknowledged` and `last` as an earlier life left them: nothing behind `last` can have been handed over
 * yet. At first the reader is taken to be there. */
void outflow_init(Outflow *flow, const OutflowLimits *limits, uint64_t acknowledged, uint64_t last);

/* Everything up to `last` may be sent now (it is durable where that matters). */
void outflow_add(Outflow *flow, uint64_t last);

/* The reader came (back) or went. When it comes, sending begins again after what is acknowledged. */
void outflow_reader_is_there(Outflow *flow, bool is_there);

/* The stream has a new number (OUTFLOW_FOREIGN), and sending begins again after the last acknowledged
 * position. Every reader of a spool that several have hears of it, for each would take the old number's
 * positions for what it knows. */
void outflow_stream_is_new(Outflow *flow);

/* The position to send next; false: there is none, the window is full, or nobody is there. */
bool outflow_next(const Outflow *flow, uint64_t *ret_position);

/* The frame of outflow_next() was handed to the link. */
void outflow_sent(Outflow *flow, Mono now);

typedef enum OutflowVerdict {
    OUTFLOW_SAME,    /* nothing new: an acknowledgement that came late, or said what was known */
    OUTFLOW_FURTHER, /* more is acknowledged than before */
    OUTFLOW_AGAIN,   /* the reader asks for what follows its position: sending begins there again */
    OUTFLOW_FOREIGN, /* beyond everything that was ever handed over */
} OutflowVerdict;

/* The reader has everything up to `position`. With `asks` it misses what follows; then `position` may lie
 * before what it acknowledged once, because its disk was replaced, and sending begins at the oldest position
 * that is still there: `oldest`. An ask that comes twice, or late, costs frames that the reader knows, and
 * nothing else. After AGAIN `acknowledged` may have gone forth or back; whoever keeps it on disk keeps that
 * too, or what the reader lacks may be deleted.
 *
 * FOREIGN: this spool is older than what the reader knows of it, a restored copy. Its positions must not be
 * used again; it needs a new stream, and outflow_stream_is_new(). So that this can be told, a writer with a
 * past hands over what it inherited and one frame more, and the others when it has heard its reader. That
 * cannot tell every copy: put one back while the reader runs and has read to the end, and not one that lacks
 * a single frame. */
OutflowVerdict outflow_acknowledge(Outflow *flow, uint64_t position, bool asks, uint64_t oldest, Mono now);

/* When outflow_tick() has something to do; mono_never() while nothing is under way. */
Mono outflow_deadline(const Outflow *flow);

/* Begins again when the reader was silent for too long. True when it does. */
bool outflow_tick(Outflow *flow, Mono now);

/* How much the reader still lacks. */
static inline uint64_t outflow_backlog(const Outflow *flow) {
    return flow->last - flow->acknowledged;
}
