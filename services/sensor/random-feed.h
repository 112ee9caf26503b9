/* Made-up readings: every sensor of a kind reports once per interval, at a phase of its own, values within
 * the ranges of the first implementation (camera 0-20 vehicles and 5-50 km/h, loop 0-30 vehicles per 30 s,
 * GPS 5-55 km/h). The same seed gives the same readings, and a sensor's readings do not depend on how many
 * others there are. Knows no clock. */
#pragma once

#include "paced.h"

#include "settings/city.h"

#define RANDOM_QUEUE_MAX        20
#define RANDOM_CAMERA_MIN_KMH   5
#define RANDOM_CAMERA_MAX_KMH   50
#define RANDOM_LOOP_PER_SEC_MAX 1
#define RANDOM_GPS_MIN_KMH      5
#define RANDOM_GPS_MAX_KMH      55

/* The first `n_sensors` (at least 1) of `kind`. `city` is borrowed and outlives the feed. */
int random_feed_new(const City *city, SensorKind kind, size_t n_sensors, double interval_sec, uint64_t seed,
                    Feed **ret);
