/* Three predictions, one for each rung, over the same two tools: how long the way to the stop line takes, and keeping
 * the result in order. */
#include "core/picture.h"

#include <math.h>
#include <string.h>

/* Of an ordinary car that wants to get on. */
#define ACCELERATION_MPS2 2.0
/* Slower than this is standing. */
#define STANDING_MPS 0.5
/* Of a queue that dissolves. */
#define QUEUE_VEHICLES_PER_SEC 0.5

VOCABULARY_DEFINE(PICTURE_RUNG, PICTURE_RUNG_LIST, picture_rung_words);

size_t picture_bytes(const Layout *layout) {
    return offsetof(Picture, lanes) + layout->n_lanes * sizeof(LanePicture);
}

void picture_init(Picture *picture, const Layout *layout) {
    memset((void *)picture, 0, picture_bytes(layout));
    picture->layout = layout;
}

double picture_travel_sec(double metres, double speed_mps, double lane_speed_mps) {
    if (metres <= 0)
        return 0;
    double speed = fmin(speed_mps, lane_speed_mps);
    double sec_to_full = (lane_speed_mps - speed) / ACCELERATION_MPS2;
    double metres_to_full = (lane_speed_mps * lane_speed_mps - speed * speed) / (2 * ACCELERATION_MPS2);
    if (metres_to_full >= metres)
        return (sqrt(speed * speed + 2 * ACCELERATION_MPS2 * metres) - speed) / ACCELERATION_MPS2;
    return sec_to_full + (metres - metres_to_full) / lane_speed_mps;
}

/* --- readings --- */

void picture_view(Picture *picture, unsigned lane, unsigned n_vehicles, const SeenVehicle *placed,
                  unsigned n_placed, Mono now) {
    LanePicture *seen = &picture->lanes[lane];
    if (seen->has_view && now.usec < seen->viewed.usec)
        return;
    seen->has_view = true;
    seen->viewed = now;
    seen->n_seen = n_vehicles < PICTURE_VEHICLES_MAX ? n_vehicles : PICTURE_VEHICLES_MAX;
    double metres = -PICTURE_SPACING_METRES;
    for (unsigned i = 0; i < seen->n_seen; i++) {
        metres = i < n_placed ? fmax(placed[i].metres, 0) : metres + PICTURE_SPACING_METRES;
        seen->seen[i] = (SeenVehicle){metres, i < n_placed ? fmax(placed[i].speed_mps, 0) : 0};
    }
}

void picture_passage(Picture *picture, unsigned lane, double speed_mps, Mono when) {
    LanePicture *seen = &picture->lanes[lane];
    if (!seen->has_passage || when.usec > seen->passed.usec)
        seen->passed = when;
    seen->has_passage = true;
    seen->passages[seen->next_passage] = (Passage){when, speed_mps};
    seen->next_passage = (seen->next_passage + 1) % PICTURE_PASSAGES_MAX;
    if (seen->n_passages < PICTURE_PASSAGES_MAX)
        seen->n_passages++;
}

void picture_queue(Picture *picture, unsigned lane, double vehicles, Mono now) {
    LanePicture *seen = &picture->lanes[lane];
    if (seen->has_queue && now.usec < seen->queue_told.usec)
        return;
    seen->has_queue = true;
    seen->queue_told = now;
    seen->queue_vehicles = fmax(vehicles, 0);
}

static bool is_fresh(bool has, Mono when, uint64_t fresh_usec, Mono now) {
    return has && now.usec <= mono_after(when, fresh_usec).usec;
}

PictureRung picture_rung(const Picture *picture, unsigned lane, Mono now) {
    const LanePicture *seen = &picture->lanes[lane];
    if (is_fresh(seen->has_view, seen->viewed, PICTURE_VIEW_FRESH_USEC, now))
        return PICTURE_VIEW;
    if (is_fresh(seen->has_passage, seen->passed, PICTURE_LOOP_FRESH_USEC, now))
        return PICTURE_LOOPS;
    if (is_fresh(seen->has_queue, seen->queue_told, PICTURE_QUEUE_FRESH_USEC, now))
        return PICTURE_QUEUE;
    return PICTURE_BLIND;
}

double picture_standing(const Picture *picture, unsigned lane, Mono now) {
    const LanePicture *seen = &picture->lanes[lane];
    if (is_fresh(seen->has_view, seen->viewed, PICTURE_VIEW_FRESH_USEC, now)) {
        double n = 0;
        for (unsigned i = 0; i < seen->n_seen; i++)
            n += seen->seen[i].speed_mps < STANDING_MPS;
        return n;
    }
    return is_fresh(seen->has_queue, seen->queue_told, PICTURE_QUEUE_FRESH_USEC, now) ? seen->queue_vehicles
                                                                                      : -1;
}

/* --- predictions --- */

static double sec_between(Mono earlier, Mono later) {
    return (double)mono_between(earlier, later) / (double)USEC_PER_SEC;
}

/* In order; those that find no place are the latest. */
static void put_arrival(Arrivals *arrivals, double sec) {
    float at = (float)fmax(sec, 0);
    unsigned i = arrivals->n;
    if (i == PICTURE_ARRIVALS_MAX) {
        if (at >= arrivals->sec[i - 1])
            return;
        i--;
    } else {
        arrivals->n++;
    }
    for (; i > 0 && arrivals->sec[i - 1] > at; i--)
        arrivals->sec[i] = arrivals->sec[i - 1];
    arrivals->sec[i] = at;
}

static double speed_of(const Passage *passage, const LayoutLane *lane) {
    return passage->speed_mps > STANDING_MPS ? passage->speed_mps : lane->speed_mps;
}

static Mono reaches_line(const Passage *passage, const LayoutLane *lane) {
    return mono_after(passage->when, usec_from_sec(picture_travel_sec(
                                         lane->loop_metres, speed_of(passage, lane), lane->speed_mps)));
}

/* `n` vehicles that stand in a queue. */
static void put_queue(double n, double lane_speed_mps, Arrivals *arrivals) {
    for (unsigned i = 0; i < n && i < PICTURE_ARRIVALS_MAX; i++)
        put_arrival(arrivals, picture_travel_sec(i * PICTURE_SPACING_METRES, 0, lane_speed_mps));
}

/* Everything in view, and who passed the loop too late to be. */
static void predict_from_view(const LanePicture *seen, const LayoutLane *lane, Mono now, Arrivals *arrivals) {
    double age_sec = sec_between(seen->viewed, now);
    for (unsigned i = 0; i < seen->n_seen; i++)
        put_arrival(arrivals,
                    picture_travel_sec(seen->seen[i].metres, seen->seen[i].speed_mps, lane->speed_mps) -
                        age_sec);

    double unseen_metres = lane->loop_metres - lane->view_metres;
    for (unsigned i = 0; unseen_metres > 0 && i < seen->n_passages; i++) {
        const Passage *passage = &seen->passages[i];
        uint64_t unseen_usec =
            usec_from_sec(picture_travel_sec(unseen_metres, speed_of(passage, lane), lane->speed_mps));
        if (mono_after(passage->when, unseen_usec).usec > seen->viewed.usec)
            put_arrival(arrivals, sec_between(now, reaches_line(passage, lane)));
    }
}

static void predict_from_loops(const LanePicture *seen, const LayoutLane *lane, Mono now,
                               Arrivals *arrivals) {
    put_queue(seen->reckoned_vehicles, lane->speed_mps, arrivals);
    for (unsigned i = 0; i < seen->n_passages; i++) {
        Mono at_line = reaches_line(&seen->passages[i], lane);
        if (at_line.usec > now.usec)
            put_arrival(arrivals, sec_between(now, at_line));
    }
}

void picture_arrivals(const Picture *picture, unsigned lane, Mono now, Arrivals *ret) {
    const LanePicture *seen = &picture->lanes[lane];
    const LayoutLane *layout = &picture->layout->lanes[lane];
    ret->rung = picture_rung(picture, lane, now);
    ret->n = 0;
    switch (ret->rung) {
    case PICTURE_VIEW:
        predict_from_view(seen, layout, now, ret);
        break;
    case PICTURE_LOOPS:
        predict_from_loops(seen, layout, now, ret);
        break;
    case PICTURE_QUEUE:
        put_queue(seen->queue_vehicles, layout->speed_mps, ret);
        break;
    case PICTURE_BLIND:
        break;
    }
}

void picture_lights(Picture *picture, GroupSet green, Mono now) {
    double step_sec = picture->has_reckoned ? sec_between(picture->reckoned, now) : 0;
    for (unsigned l = 0; l < picture->layout->n_lanes; l++) {
        LanePicture *seen = &picture->lanes[l];
        const LayoutLane *lane = &picture->layout->lanes[l];
        double standing = picture_standing(picture, l, now);
        if (standing >= 0) {
            seen->reckoned_vehicles = standing;
            continue;
        }
        for (unsigned i = 0; i < seen->n_passages; i++) {
            Mono at_line = reaches_line(&seen->passages[i], lane);
            seen->reckoned_vehicles += at_line.usec <= now.usec && at_line.usec > picture->reckoned.usec;
        }
        if (lane->groups & green)
            seen->reckoned_vehicles = fmax(seen->reckoned_vehicles - step_sec * QUEUE_VEHICLES_PER_SEC, 0);
    }
    picture->has_reckoned = true;
    picture->reckoned = now;
}
