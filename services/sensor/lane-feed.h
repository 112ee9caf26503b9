/* What sensors of lanes see of made-up traffic: views of cameras, once a second each, and passages of upstream loops.
 * Knows no clock. */
#pragma once

#include "paced.h"

#include "settings/city.h"

/* Of the first `n_sensors` of `kind`; *ret is NULL when none of them watches a lane. `city` outlives the feed. */
int lane_feed_new(const City *city, SensorKind kind, size_t n_sensors, uint64_t seed, Feed **ret);
