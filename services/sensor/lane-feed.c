#include "lane-feed.h"

#include "lane-traffic.h"
#include "wire/event.h"
#include "wire/view-text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MPS_TO_KMH 3.6

typedef struct Watched {
    const CitySensor *sensor;
    LaneTraffic traffic;
} Watched;

/* A reading of the second that is under way. */
typedef struct Seen {
    const Watched *watched;
    size_t passage; /* of those of its lane */
    uint64_t after_usec;
} Seen;

typedef struct LaneFeed {
    Feed feed;
    const City *city;
    SensorKind kind;
    uint64_t seed;
    size_t n_watched;
    Watched *watched;
    uint64_t second; /* that is under way; the first one is empty */
    Seen *seen;      /* by time */
    size_t n_seen, next_seen;
    ViewText text; /* of the view that was handed out last */
} LaneFeed;

/* --- what is seen --- */

/* Views of a second do not come all at once. */
static void see_views(LaneFeed *feed) {
    for (size_t i = 0; i < feed->n_watched; i++)
        feed->seen[feed->n_seen++] = (Seen){&feed->watched[i], 0, USEC_PER_SEC * i / feed->n_watched};
}

static int by_time(const void *left, const void *right) {
    const Seen *a = left, *b = right;
    if (a->after_usec != b->after_usec)
        return a->after_usec < b->after_usec ? -1 : 1;
    return (a->watched > b->watched) - (a->watched < b->watched);
}

static void see_passages(LaneFeed *feed) {
    for (size_t i = 0; i < feed->n_watched; i++) {
        const LaneTraffic *traffic = &feed->watched[i].traffic;
        for (size_t p = 0; p < traffic->n_passages; p++)
            feed->seen[feed->n_seen++] = (Seen){
                &feed->watched[i], p, (uint64_t)(traffic->passages[p].after_sec * 1000) * USEC_PER_MSEC};
    }
    qsort(feed->seen, feed->n_seen, sizeof *feed->seen, by_time);
}

static void next_second(LaneFeed *feed) {
    for (size_t i = 0; i < feed->n_watched; i++)
        lane_traffic_step(&feed->watched[i].traffic);
    feed->second++;
    feed->n_seen = feed->next_seen = 0;
    if (feed->kind == SENSOR_CAMERA)
        see_views(feed);
    else
        see_passages(feed);
}

/* --- the events --- */

static double one_decimal(double value) {
    return round(value * 10) / 10;
}

static void make_view(LaneFeed *feed, const Watched *watched, ViewEvent *event) {
    PlacedVehicle placed[LANE_TRAFFIC_VEHICLES_MAX];
    size_t n = 0;
    for (; n < watched->traffic.n_vehicles; n++) {
        const LaneVehicle *vehicle = &watched->traffic.vehicles[n];
        if (vehicle->metres > watched->sensor->view_metres)
            break;
        placed[n] =
            (PlacedVehicle){one_decimal(vehicle->metres), one_decimal(vehicle->speed_mps * MPS_TO_KMH)};
    }
    feed->text = view_text_format(placed, n);
    message_set(event, ViewEvent, vehicles, (int64_t)n);
    message_set(event, ViewEvent, placed, (JsonText){feed->text.text, feed->text.size});
}

static FeedResult lane_feed_next(Feed *base, Reading *ret) {
    LaneFeed *feed = (LaneFeed *)base;
    while (feed->next_seen == feed->n_seen)
        next_second(feed);
    const Seen *seen = &feed->seen[feed->next_seen++];
    const CitySensor *sensor = seen->watched->sensor;
    memset(&ret->event, 0, sizeof ret->event);
    ret->event.tag = feed->kind == SENSOR_CAMERA ? MESSAGE_VIEW_EVENT : MESSAGE_PASSAGE_EVENT;
    ret->position_usec = feed->second * USEC_PER_SEC + seen->after_usec;
    if (feed->kind == SENSOR_CAMERA)
        make_view(feed, seen->watched, &ret->event.VIEW_EVENT);
    else
        message_set(&ret->event.PASSAGE_EVENT, PassageEvent, speed_kmh,
                    one_decimal(seen->watched->traffic.passages[seen->passage].speed_mps * MPS_TO_KMH));
    event_set_place(&ret->event, sensor->id, feed->city->intersections[sensor->intersection].id);
    return FEED_READING;
}

static void lane_feed_describe(const Feed *base, char *buffer, size_t size) {
    const LaneFeed *feed = (const LaneFeed *)base;
    (void)snprintf(buffer, size, "made-up traffic (seed %llu) on %zu lanes", (unsigned long long)feed->seed,
                   feed->n_watched);
}

static Feed *lane_feed_free(Feed *base) {
    LaneFeed *feed = (LaneFeed *)base;
    if (feed) {
        free(feed->watched);
        free(feed->seen);
        free(feed);
    }
    return NULL;
}

static const FeedType lane_feed = {
    .next = lane_feed_next, .describe = lane_feed_describe, .free = lane_feed_free};

static bool watches_lane(const CitySensor *sensor, SensorKind kind) {
    return sensor->has_lane &&
           (kind == SENSOR_CAMERA || (kind == SENSOR_INDUCTIVE && sensor->loop_metres > 0));
}

/* The lane itself tells the traffic of different lanes apart, not the sensor: its camera and its loop see the same. */
static void watch(LaneFeed *feed, const CitySensor *sensor) {
    const LayoutLane *lane = &feed->city->intersections[sensor->intersection].layout->lanes[sensor->lane];
    Watched *watched = &feed->watched[feed->n_watched++];
    watched->sensor = sensor;
    lane_traffic_init(&watched->traffic, lane->length_metres, lane->speed_mps, lane->loop_metres, feed->seed,
                      (uint64_t)sensor->intersection * LAYOUT_LANES_MAX + sensor->lane);
}

int lane_feed_new(const City *city, SensorKind kind, size_t n_sensors, uint64_t seed, Feed **ret) {
    size_t n = 0;
    for (size_t i = 0; i < n_sensors; i++)
        n += watches_lane(&city->sensors[kind][i], kind);
    *ret = NULL;
    if (n == 0)
        return 0;
    LaneFeed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return -ENOMEM;
    *feed = (LaneFeed){
        .feed = {.type = &lane_feed, .is_live = true},
        .city = city,
        .kind = kind,
        .seed = seed,
        .watched = calloc(n, sizeof *feed->watched),
        .seen = calloc(n * LANE_TRAFFIC_PASSAGES_MAX, sizeof *feed->seen),
    };
    if (!feed->watched || !feed->seen) {
        lane_feed_free(&feed->feed);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n_sensors; i++)
        if (watches_lane(&city->sensors[kind][i], kind))
            watch(feed, &city->sensors[kind][i]);
    *ret = &feed->feed;
    return 0;
}
