/* One intersection as its sensors see it: what was read on each approach and when, whether traffic is
 * congested, and when more green has to be asked for. A step function: an event and the time go in, what
 * follows from it comes out.
 *
 * Refuses to know phases and clearances (signal-plan.h owns the lights, this only asks) and how old a
 * timestamp says a reading is: age counts from arrival, so that a recording replayed a year later is as fresh
 * as it was.
 *
 * The subtle thing is blindness. A slot without a fresh reading knows nothing: while another slot sees, that
 * one decides and the blind one is forgotten; when no slot sees, the state holds, but nothing is asked of the
 * lights, because a request must be able to name the reading it stands on. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"
#include "core/rules.h"

#include <stdbool.h>
#include <stdint.h>

/* Whose traffic a reading tells of: one direction's, or the whole intersection's. Each is judged by itself,
 * so that a jam on one street is not hidden by the free one that crosses it. */
typedef enum Approach { APPROACH_ANY, APPROACH_NS, APPROACH_EW, APPROACH_COUNT } Approach;

static inline Approach approach_of(Direction direction) {
    return direction == DIRECTION_NS ? APPROACH_NS : APPROACH_EW;
}

typedef struct Reading {
    double value;
    Mono arrived;
    Mono fresh_until; /* stale after, not at, this instant */
    bool is_known;
} Reading;

typedef struct ApproachState {
    Reading queue, speed, count;
    bool is_congested;
} ApproachState;

typedef struct Intersection {
    ApproachState approaches[APPROACH_COUNT];
    TrafficState state; /* as last told to the caller */
    bool was_congested; /* beneath a green wave, too */
    Mono wave_until;    /* 0: none */
    bool has_lights;    /* a report came */
    Colour lights[DIRECTION_COUNT];
    bool is_asked[DIRECTION_COUNT]; /* the present green of this direction was asked to be longer */
    bool is_asked_ahead
        [DIRECTION_COUNT]; /* its next one was, while it was red: the signal service remembers */
    bool is_next_asked;    /* whichever comes next was, while all were red */
} Intersection;

typedef enum IntersectionEventKind {
    INTERSECTION_READ,      /* a sensor spoke */
    INTERSECTION_LIGHTS,    /* the signal service told what the lights show */
    INTERSECTION_WAVE,      /* an operator's green wave begins, or is made longer */
    INTERSECTION_WAVE_OVER, /* it ended before its time */
    INTERSECTION_TIME,      /* nothing happened: what has time alone changed? */
} IntersectionEventKind;

typedef struct IntersectionEvent {
    IntersectionEventKind kind;
    /* READ: which of the three are present, and for how long they stay fresh */
    Approach approach;
    Readings readings;
    uint64_t fresh_usec;
    /* LIGHTS */
    Colour lights[DIRECTION_COUNT];
    /* WAVE */
    uint64_t wave_usec;
} IntersectionEvent;

/* What follows from an event. Edges only: while a state holds nothing comes out. */
typedef struct IntersectionActions {
    bool has_changed;
    TrafficState before, after;
    bool must_extend;   /* ask for a longer green, once for this green... */
    bool has_direction; /* ... of this direction; without one, of whichever is green */
    Direction direction;
    bool has_cause; /* CONGESTION: an approach sees it... */
    Approach cause; /* ... this one: the newly congested, else the one that is asked for, else any */
} IntersectionActions;

void intersection_init(Intersection *intersection);

/* `thresholds` may differ from call to call; times never run backwards. */
IntersectionActions intersection_step(Intersection *intersection, const RuleThresholds *thresholds,
                                      const IntersectionEvent *event, Mono now);

/* What is known now: the newest fresh Q, Vp and D of all approaches. */
Readings intersection_readings(const Intersection *intersection, Mono now);

/* What one approach sees now. */
Readings intersection_approach_readings(const Intersection *intersection, Approach approach, Mono now);

/* When each of these arrived; mono_never() for an absent one. */
typedef struct ReadingTimes {
    Mono queue, speed, count;
} ReadingTimes;
ReadingTimes intersection_reading_times(const Intersection *intersection, Mono now);
