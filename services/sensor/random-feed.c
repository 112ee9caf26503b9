#include "random-feed.h"

#include "core/random.h"
#include "wire/event.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct RandomFeed {
    Feed feed;
    const City *city;
    SensorKind kind;
    size_t n_sensors;
    uint64_t interval_usec;
    uint64_t seed;
    Random *generators;    /* one per sensor */
    uint64_t *phases_usec; /* within the interval, increasing */
    uint64_t round;        /* how many intervals are complete */
    size_t next_sensor;
} RandomFeed;

/* One decimal is what such sensors report. */
static double random_speed(Random *random, int min_kmh, int max_kmh) {
    return (double)random_integer(random, min_kmh * 10, max_kmh * 10) / 10;
}

static void make_camera(Random *random, CameraEvent *event) {
    event->queue_vehicles = (double)random_integer(random, 0, RANDOM_QUEUE_MAX);
    event->speed_kmh = random_speed(random, RANDOM_CAMERA_MIN_KMH, RANDOM_CAMERA_MAX_KMH);
    message_mark(event, CameraEvent, queue_vehicles);
    message_mark(event, CameraEvent, speed_kmh);
}

static void make_loop(Random *random, uint64_t interval_usec, LoopEvent *event) {
    event->interval_sec = (double)interval_usec / USEC_PER_SEC;
    event->vehicles =
        (double)random_integer(random, 0, llround(event->interval_sec * RANDOM_LOOP_PER_SEC_MAX));
    message_mark(event, LoopEvent, vehicles);
    message_mark(event, LoopEvent, interval_sec);
}

static void make_gps(Random *random, GpsEvent *event) {
    event->speed_kmh = random_speed(random, RANDOM_GPS_MIN_KMH, RANDOM_GPS_MAX_KMH);
    message_set(event, GpsEvent, level, event_congestion_level(event->speed_kmh));
    message_mark(event, GpsEvent, speed_kmh);
}

static void make_event(const RandomFeed *feed, size_t i, Message *ret) {
    const CitySensor *sensor = &feed->city->sensors[feed->kind][i];
    const char *intersection = feed->city->intersections[sensor->intersection].id;
    Random *random = &feed->generators[i];
    memset(ret, 0, sizeof *ret);
    ret->tag = event_tag(feed->kind);
    switch (feed->kind) {
    case SENSOR_CAMERA:
        make_camera(random, &ret->CAMERA_EVENT);
        break;
    case SENSOR_INDUCTIVE:
        make_loop(random, feed->interval_usec, &ret->LOOP_EVENT);
        break;
    case SENSOR_GPS:
        make_gps(random, &ret->GPS_EVENT);
        break;
    }
    event_set_place(ret, sensor->id, intersection);
}

static FeedResult random_feed_next(Feed *base, Reading *ret) {
    RandomFeed *feed = (RandomFeed *)base;
    size_t i = feed->next_sensor;
    make_event(feed, i, &ret->event);
    ret->position_usec = feed->round * feed->interval_usec + feed->phases_usec[i];
    feed->next_sensor = (i + 1) % feed->n_sensors;
    feed->round += feed->next_sensor == 0;
    return FEED_READING;
}

static void random_feed_describe(const Feed *base, char *buffer, size_t size) {
    const RandomFeed *feed = (const RandomFeed *)base;
    (void)snprintf(buffer, size, "random readings (seed %llu) of %zu sensors every %g s",
                   (unsigned long long)feed->seed, feed->n_sensors,
                   (double)feed->interval_usec / USEC_PER_SEC);
}

static Feed *random_feed_free(Feed *base) {
    RandomFeed *feed = (RandomFeed *)base;
    if (feed) {
        free(feed->generators);
        free(feed->phases_usec);
        free(feed);
    }
    return NULL;
}

static const FeedType random_feed = {
    .next = random_feed_next, .describe = random_feed_describe, .free = random_feed_free};

/* Sensor i gets a place of its own in the i-th slice of the interval, so that readings do not come all at
 * once. */
static void spread_phases(RandomFeed *feed) {
    for (size_t i = 0; i < feed->n_sensors; i++) {
        feed->generators[i] = random_seeded(feed->seed, (uint64_t)i * SENSOR_KIND_COUNT + feed->kind);
        double place = ((double)i + random_unit(&feed->generators[i])) / (double)feed->n_sensors;
        feed->phases_usec[i] = (uint64_t)(place * (double)feed->interval_usec);
    }
}

int random_feed_new(const City *city, SensorKind kind, size_t n_sensors, double interval_sec, uint64_t seed,
                    Feed **ret) {
    RandomFeed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return -ENOMEM;
    *feed = (RandomFeed){
        .feed = {.type = &random_feed, .is_live = true},
        .city = city,
        .kind = kind,
        .n_sensors = n_sensors,
        .interval_usec = usec_from_sec(interval_sec),
        .seed = seed,
        .generators = calloc(n_sensors, sizeof *feed->generators),
        .phases_usec = calloc(n_sensors, sizeof *feed->phases_usec),
    };
    if (!feed->generators || !feed->phases_usec) {
        random_feed_free(&feed->feed);
        return -ENOMEM;
    }
    spread_phases(feed);
    *ret = &feed->feed;
    return 0;
}
