/* The table of sources. */
#include "lane-feed.h"
#include "merged-feed.h"
#include "random-feed.h"
#include "replay-feed.h"

#include "source.h"

static int random_open(Sensor *sensor, Source **ret, Problem *problem) {
    (void)problem;
    Service *service = sensor_service_of(sensor);
    const Settings *settings = service_settings(service);
    const double intervals_sec[SENSOR_KIND_COUNT] = {
        [SENSOR_CAMERA] = settings->camera_interval_sec,
        [SENSOR_INDUCTIVE] = settings->inductive_interval_sec,
        [SENSOR_GPS] = settings->gps_interval_sec,
    };
    SensorKind kind = sensor_kind(sensor);
    const City *city = service_city(service);
    uint64_t seed = (uint64_t)settings->sensor_seed;
    Feed *feed, *of_lanes = NULL;
    int r = random_feed_new(city, kind, sensor_count(sensor), intervals_sec[kind], seed, &feed);
    if (r < 0)
        return r;
    r = lane_feed_new(city, kind, sensor_count(sensor), seed, &of_lanes);
    if (r < 0) {
        feed->type->free(feed);
        return r;
    }
    r = merged_feed_new(feed, of_lanes, &feed);
    return r < 0 ? r : paced_new(sensor, &source_random, feed, ret);
}

static int replay_open(Sensor *sensor, Source **ret, Problem *problem) {
    Feed *feed;
    int r = replay_feed_new(sensor, &feed, problem);
    return r < 0 ? r : paced_new(sensor, &source_replay, feed, ret);
}

const SourceType source_random = {
    .open = random_open,
    .free = paced_free,
    .run = paced_run,
    .hold = paced_hold,
    .describe = paced_describe,
};

const SourceType source_replay = {
    .open = replay_open,
    .free = paced_free,
    .run = paced_run,
    .hold = paced_hold,
    .describe = paced_describe,
};
