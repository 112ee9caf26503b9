/* What the files that read the city share. Private to common/settings. */
#pragma once

#include "settings/city.h"
#include "settings/id-index.h"
#include "settings/json-place.h"
#include "settings/value-pool.h"

struct CityIndex {
    IdIndex *intersections;
    IdIndex *sensors[SENSOR_KIND_COUNT]; /* NULL for a kind that the file leaves out */
    ValuePool *models, *layouts;         /* of all intersections */
    ValuePool *drafts;      /* layouts before their detectors are known; only while the file is read */
    CityParts *two_streets; /* of all intersections without movements... */
    CityParts **parts;      /* ... and of each of the others, else NULL */
};

/* Each reads its part of the file into the city, in this order. 0; -EINVAL: refused, the problem is told;
 * -ENOMEM: it is not. What was read so far is the city's to free. */
int city_read_intersections(const Place *root, City *city);
int city_read_signals(const Place *root, const CityDefaults *defaults, City *city);
int city_read_sensors(const Place *root, City *city);

/* --- parts of intersections: approaches, movements, lanes, phases --- */

/* An intersection while it is read. */
typedef struct Junction {
    const City *city;
    SafetyTimes times; /* of this intersection */
    uint64_t green_usec;
    SignalModel model;
    Layout layout;
    CityParts *parts;
} Junction;

CityParts *city_parts_new(void); /* NULL when out of memory */
CityParts *city_parts_free(CityParts *parts);

/* What a lane is like that the file says nothing of. */
void city_usual_lane(LayoutLane *lane);

/* Approaches, movements, lanes and conflicts into model, layout and parts. */
int city_read_movements(const Place *object, Junction *junction);

/* Which lanes the movements of this intersection lead to, once all intersections have theirs. */
int city_link_movements(const Place *object, City *city, size_t intersection);

/* Parts of one kind that have an id, which is their first member. */
typedef struct PartNames {
    const char *kind; /* "movement" */
    const void *first;
    size_t stride;
    unsigned n;
} PartNames;

#define PART_NAMES(kind, array, n) (&(PartNames){kind, array, sizeof *(array), n})

const char *city_part_id(const PartNames *names, unsigned i);

/* Reads the "id" of a new part, behind those there are. `object` bears the name from then on, so `ret` lives as
 * long as it. */
int city_read_part_id(Place *object, const PartNames *before, CityPartId ret);

/* Reads the id of a part there is. */
int city_read_part(const Place *place, const PartNames *names, unsigned *ret);

/* An array of such ids, each at most once, as a set of bits. */
int city_read_part_set(const Place *array, const PartNames *names, uint32_t *ret);

/* A required array of 1 to `max` parts ("lanes") of an object. */
int city_read_list(const Place *object, const char *member, unsigned max, Place *ret, unsigned *ret_n);

/* Reads the id of an intersection of the city. */
int city_read_intersection_id(const Place *place, const City *city, size_t *ret);
