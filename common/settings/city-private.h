/* What the files that read the city share. Private to common/settings. */
#pragma once

#include "settings/city.h"
#include "settings/id-index.h"
#include "settings/json-place.h"

struct CityIndex {
    IdIndex *intersections;
    IdIndex *sensors[SENSOR_KIND_COUNT]; /* NULL for a kind that the file leaves out */
};

/* Each reads its part of the file into the city. 0; -EINVAL: refused, the problem is told; -ENOMEM: it is not.
 * What was read so far is the city's to free. */
int city_read_intersections(const Place *root, City *city);
int city_read_sensors(const Place *root, City *city);
