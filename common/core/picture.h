/* What the sensors say about the lanes of one intersection, and when its vehicles will therefore be at the stop
 * line if nothing holds them up.
 *
 * Three kinds of sensor speak: a camera that sees every vehicle near the stop line, once a second (a view); a loop
 * further back that tells each passage; and the old ones, which tell how many vehicles stand. The prediction stands
 * on the best of these that is fresh, lane by lane: that is the ladder of PictureRung. A stale reading is no
 * reading.
 *
 * The subtle thing is that nothing is ever integrated while there are views. Each view starts the prediction anew,
 * and a passage counts only for as long as its vehicle cannot have come into view yet. So a missed passage costs
 * some seconds of foresight for one vehicle, and a missed view nothing that the next one does not give back. (In
 * minus out, summed up, forgets nothing: with one passage in twenty missed it is wrong for ever after.)
 *
 * Only the second rung has to: a loop does not see who has left, so that a lane's queue is reckoned from the lights
 * (picture_lights()), at the flow of a queue that dissolves. The first view, or an empty queue, ends what that errs.
 *
 * Who predicts does not say when a vehicle may go. Time is a parameter; nothing is allocated. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"
#include "core/signal-model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PICTURE_VEHICLES_MAX = 48, PICTURE_PASSAGES_MAX = 32, PICTURE_ARRIVALS_MAX = 80 };

/* What a prediction stands on, best first: what a camera sees now (and passages of what it cannot see yet), passages
 * alone, how many were last told to stand, nothing fresh. */
#define PICTURE_RUNG_LIST(X)                                                                                 \
    X(PICTURE_VIEW, "view")                                                                                  \
    X(PICTURE_LOOPS, "loops")                                                                                \
    X(PICTURE_QUEUE, "queue")                                                                                \
    X(PICTURE_BLIND, "blind")
VOCABULARY(PictureRung, PICTURE_RUNG, PICTURE_RUNG_LIST, picture_rung_words);

/* Where vehicles that are counted but not placed are taken to stand: bumper to bumper with the usual gap. */
#define PICTURE_SPACING_METRES 7.5

typedef struct SeenVehicle {
    double metres; /* to the stop line */
    double speed_mps;
} SeenVehicle;

typedef struct Passage {
    Mono when;
    double speed_mps; /* 0: not measured */
} Passage;

typedef struct LanePicture {
    bool has_view, has_queue, has_passage;
    Mono viewed, queue_told, passed; /* the last of each */
    unsigned n_seen;                 /* in view, nearest first */
    SeenVehicle seen[PICTURE_VEHICLES_MAX];
    double queue_vehicles;
    unsigned n_passages, next_passage; /* a ring: the newest is before `next_passage` */
    Passage passages[PICTURE_PASSAGES_MAX];
    double
        reckoned_vehicles; /* passed the loop, reached the queue, and have not left: as far as lights tell */
} LanePicture;

typedef struct Picture {
    const Layout *layout; /* borrowed for life */
    bool has_reckoned;
    Mono reckoned; /* up to when queues are */
    LanePicture
        lanes[LAYOUT_LANES_MAX]; /* there need be no more memory than for the layout's: picture_bytes() */
} Picture;

/* How long each kind of reading is one. A camera speaks every second: two views in a row may be lost. A loop is
 * silent where nobody drives, so that it is long believed to live. The old sensors speak every ten seconds. */
#define PICTURE_VIEW_FRESH_USEC  (3 * USEC_PER_SEC)
#define PICTURE_LOOP_FRESH_USEC  (180 * USEC_PER_SEC)
#define PICTURE_QUEUE_FRESH_USEC (25 * USEC_PER_SEC)

/* A large city has many small intersections. */
size_t picture_bytes(const Layout *layout);

/* `picture` has room for picture_bytes(). */
void picture_init(Picture *picture, const Layout *layout);

/* A camera saw `n_vehicles` on the lane, all that there are in its field of view. `placed` tells of the nearest
 * `n_placed` of them where they are, nearest first; the others are taken to stand behind these. Readings older than
 * the last one are not taken. */
void picture_view(Picture *picture, unsigned lane, unsigned n_vehicles, const SeenVehicle *placed,
                  unsigned n_placed, Mono now);

/* A vehicle passed the lane's upstream loop. `speed_mps`: 0 when the loop does not measure it. */
void picture_passage(Picture *picture, unsigned lane, double speed_mps, Mono when);

/* An old sensor told how many vehicles stand on the lane. */
void picture_queue(Picture *picture, unsigned lane, double vehicles, Mono now);

/* These groups are green now, and have been since the last call: to be told once a second, so that queues can be
 * reckoned while no camera sees them. */
void picture_lights(Picture *picture, GroupSet green, Mono now);

/* Seconds from now until each known vehicle would pass the stop line by itself, earliest first; 0 for one that is
 * there already. Returns how many (at most PICTURE_ARRIVALS_MAX) and what they stand on; none when blind. */
typedef struct Arrivals {
    PictureRung rung;
    unsigned n;
    float sec[PICTURE_ARRIVALS_MAX];
} Arrivals;
void picture_arrivals(const Picture *picture, unsigned lane, Mono now, Arrivals *ret);

/* What the lane's prediction would stand on, without making it. */
PictureRung picture_rung(const Picture *picture, unsigned lane, Mono now);

/* Vehicles that stand in the lane, as far as it is seen; negative when nothing fresh tells. */
double picture_standing(const Picture *picture, unsigned lane, Mono now);

/* The way to the stop line of a vehicle that may accelerate up to the lane's speed. */
double picture_travel_sec(double metres, double speed_mps, double lane_speed_mps);
