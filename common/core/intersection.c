/* Every step judges all approaches, whatever the event: a reading that grew stale changes the state without
 * one. */
#include "core/intersection.h"

#include <stddef.h>
#include <string.h>

void intersection_init(Intersection *intersection) {
    memset(intersection, 0, sizeof *intersection);
}

/* --- readings --- */

static bool is_fresh(const Reading *reading, Mono now) {
    return reading->is_known && now.usec <= reading->fresh_until.usec;
}

static void take_reading(Reading *reading, bool is_present, double value, uint64_t fresh_usec, Mono now) {
    if (is_present)
        *reading = (Reading){
            .value = value, .arrived = now, .fresh_until = mono_after(now, fresh_usec), .is_known = true};
}

static void take_readings(Intersection *intersection, const IntersectionEvent *event, Mono now) {
    ApproachState *approach = &intersection->approaches[event->approach];
    const Readings *readings = &event->readings;
    take_reading(&approach->queue, readings->has_queue, readings->queue_vehicles, event->fresh_usec, now);
    take_reading(&approach->speed, readings->has_speed, readings->speed_kmh, event->fresh_usec, now);
    take_reading(&approach->count, readings->has_count, readings->count_per_30sec, event->fresh_usec, now);
}

static Readings approach_readings(const ApproachState *approach, Mono now) {
    return (Readings){
        .has_queue = is_fresh(&approach->queue, now),
        .has_speed = is_fresh(&approach->speed, now),
        .has_count = is_fresh(&approach->count, now),
        .queue_vehicles = approach->queue.value,
        .speed_kmh = approach->speed.value,
        .count_per_30sec = approach->count.value,
    };
}

Readings intersection_approach_readings(const Intersection *intersection, Approach approach, Mono now) {
    return approach_readings(&intersection->approaches[approach], now);
}

static bool has_any(const Readings *readings) {
    return readings->has_queue || readings->has_speed || readings->has_count;
}

/* The newest fresh reading of one quantity over all approaches, or NULL. `offset` is the quantity's place in
 * ApproachState. */
static const Reading *newest(const Intersection *intersection, size_t offset, Mono now) {
    const Reading *best = NULL;
    for (int i = 0; i < APPROACH_COUNT; i++) {
        const Reading *reading = (const Reading *)((const char *)&intersection->approaches[i] + offset);
        if (is_fresh(reading, now) && (!best || reading->arrived.usec > best->arrived.usec))
            best = reading;
    }
    return best;
}

Readings intersection_readings(const Intersection *intersection, Mono now) {
    const Reading *queue = newest(intersection, offsetof(ApproachState, queue), now);
    const Reading *speed = newest(intersection, offsetof(ApproachState, speed), now);
    const Reading *count = newest(intersection, offsetof(ApproachState, count), now);
    return (Readings){
        .has_queue = queue,
        .has_speed = speed,
        .has_count = count,
        .queue_vehicles = queue ? queue->value : 0,
        .speed_kmh = speed ? speed->value : 0,
        .count_per_30sec = count ? count->value : 0,
    };
}

ReadingTimes intersection_reading_times(const Intersection *intersection, Mono now) {
    const Reading *queue = newest(intersection, offsetof(ApproachState, queue), now);
    const Reading *speed = newest(intersection, offsetof(ApproachState, speed), now);
    const Reading *count = newest(intersection, offsetof(ApproachState, count), now);
    return (ReadingTimes){
        .queue = queue ? queue->arrived : mono_never(),
        .speed = speed ? speed->arrived : mono_never(),
        .count = count ? count->arrived : mono_never(),
    };
}

/* --- congestion --- */

/* Approaches that see and are congested, and those that became so by this judgement. */
typedef struct Judgement {
    bool sees;
    bool is_congested[APPROACH_COUNT];
    bool became_congested[APPROACH_COUNT];
} Judgement;

static Judgement judge_approaches(Intersection *intersection, const RuleThresholds *thresholds, Mono now) {
    Judgement judgement = {0};
    bool is_blind[APPROACH_COUNT];
    for (int i = 0; i < APPROACH_COUNT; i++) {
        ApproachState *approach = &intersection->approaches[i];
        Readings readings = approach_readings(approach, now);
        RuleVerdict verdict = rules_judge(thresholds, &readings);
        bool was_congested = approach->is_congested;
        is_blind[i] = !has_any(&readings);
        judgement.sees |= !is_blind[i];
        if (verdict != VERDICT_UNDECIDED)
            approach->is_congested = verdict == VERDICT_CONGESTED;
        judgement.is_congested[i] = !is_blind[i] && approach->is_congested;
        judgement.became_congested[i] = judgement.is_congested[i] && !was_congested;
    }
    for (int i = 0; judgement.sees && i < APPROACH_COUNT; i++)
        if (is_blind[i])
            intersection->approaches[i].is_congested = false;
    return judgement;
}

static TrafficState state_now(Intersection *intersection, const Judgement *judgement, Mono now) {
    if (judgement->sees)
        intersection->was_congested = judgement->is_congested[APPROACH_ANY] ||
                                      judgement->is_congested[APPROACH_NS] ||
                                      judgement->is_congested[APPROACH_EW];
    if (now.usec < intersection->wave_until.usec)
        return TRAFFIC_GREEN_WAVE;
    return intersection->was_congested ? TRAFFIC_CONGESTION : TRAFFIC_NORMAL;
}

/* Which approach congestion is told of: one that has just become congested rather than one that still is. */
static void name_cause(const Judgement *judgement, IntersectionActions *actions) {
    bool is_new = false;
    for (int i = 0; i < APPROACH_COUNT; i++) {
        if (!judgement->is_congested[i] ||
            (actions->has_cause && (is_new || !judgement->became_congested[i])))
            continue;
        actions->has_cause = true;
        actions->cause = (Approach)i;
        is_new = judgement->became_congested[i];
    }
}

/* --- asking for green --- */

static bool is_green(const Intersection *intersection, int direction) {
    return intersection->has_lights && intersection->lights[direction] == COLOUR_GREEN;
}

/* The mark of the green that a request made now is for; NULL when nobody told what the lights show. */
static bool *mark_of_green(Intersection *intersection, Approach approach) {
    if (!intersection->has_lights)
        return NULL;
    for (int d = 0; d < DIRECTION_COUNT; d++) {
        if (approach != APPROACH_ANY && approach != approach_of((Direction)d))
            continue;
        if (is_green(intersection, d))
            return &intersection->is_asked[d];
        if (approach != APPROACH_ANY)
            return &intersection->is_asked_ahead[d];
    }
    return &intersection->is_next_asked;
}

/* Once for each green. */
static void ask(Intersection *intersection, IntersectionActions *actions, Approach approach) {
    bool *mark = mark_of_green(intersection, approach);
    if (mark && *mark)
        return;
    if (mark)
        *mark = true;
    actions->must_extend = true;
    actions->has_direction = approach != APPROACH_ANY;
    actions->direction = approach == APPROACH_EW ? DIRECTION_EW : DIRECTION_NS;
}

/* On the edge to congestion the street is helped at once. An event touches one approach, so there is at most
 * one edge. */
static void ask_on_edge(Intersection *intersection, const Judgement *judgement,
                        IntersectionActions *actions) {
    for (int i = 0; i < APPROACH_COUNT; i++)
        if (judgement->became_congested[i])
            ask(intersection, actions, (Approach)i);
}

/* Takes the report over. The direction that has just become green is helped when it is congested, or when the
 * whole intersection is, unless that was asked for while it was red. */
static void take_lights(Intersection *intersection, const IntersectionEvent *event,
                        const Judgement *judgement, bool may_ask, IntersectionActions *actions) {
    bool is_new_green[DIRECTION_COUNT];
    for (int d = 0; d < DIRECTION_COUNT; d++) {
        is_new_green[d] = event->lights[d] == COLOUR_GREEN && !is_green(intersection, d);
        if (is_new_green[d]) {
            intersection->is_asked[d] = intersection->is_asked_ahead[d] || intersection->is_next_asked;
            intersection->is_asked_ahead[d] = intersection->is_next_asked = false;
        }
    }
    memcpy(intersection->lights, event->lights, sizeof intersection->lights);
    intersection->has_lights = true;

    for (int d = 0; d < DIRECTION_COUNT; d++) {
        Approach approach = approach_of((Direction)d);
        bool is_its_own = judgement->is_congested[approach];
        if (!may_ask || !is_new_green[d] || !(is_its_own || judgement->is_congested[APPROACH_ANY]))
            continue;
        actions->cause = is_its_own ? approach : APPROACH_ANY;
        ask(intersection, actions, approach);
    }
}

/* --- the step --- */

IntersectionActions intersection_step(Intersection *intersection, const RuleThresholds *thresholds,
                                      const IntersectionEvent *event, Mono now) {
    if (event->kind == INTERSECTION_READ)
        take_readings(intersection, event, now);
    if (event->kind == INTERSECTION_WAVE &&
        intersection->wave_until.usec < mono_after(now, event->wave_usec).usec)
        intersection->wave_until = mono_after(now, event->wave_usec);
    if (event->kind == INTERSECTION_WAVE_OVER)
        intersection->wave_until = mono_min(intersection->wave_until, now);

    Judgement judgement = judge_approaches(intersection, thresholds, now);
    TrafficState before = intersection->state;
    TrafficState after = state_now(intersection, &judgement, now);
    IntersectionActions actions = {.has_changed = before != after, .before = before, .after = after};
    intersection->state = after;

    bool may_ask = after == TRAFFIC_CONGESTION; /* a wave holds the lights already */
    name_cause(&judgement, &actions);
    if (event->kind == INTERSECTION_LIGHTS)
        take_lights(intersection, event, &judgement, may_ask, &actions);
    else if (may_ask)
        ask_on_edge(intersection, &judgement, &actions);
    return actions;
}
