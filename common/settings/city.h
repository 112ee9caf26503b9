/* The city: which intersections there are, how they lie, what their lights can show, where vehicles wait for
 * them, and which sensors watch. Read once from a JSON file, checked as a whole, never changed afterwards.
 * Services work with indices into `intersections`, and with the numbers of groups, phases and lanes; ids exist
 * for the wire and for people. traffic-city(5) describes the file:
 *
 *     { "name": "Ciudad Simulada",
 *       "grid": { "rows": ["A", "B", "C", "D"], "columns": [1, 2, 3, 4] },
 *       "intersections": [ { "id": "INT-A1", "row": "A", "column": 1, "x": 0, "y": 0, ... }, ... ],
 *       "sensors": {
 *         "cameras": [ { "sensor_id": "CAM-A1-NS", "interseccion": "INT-A1", "direction": "NS" }, ... ],
 *         "inductive_loops": [ ... ],
 *         "gps": [ ... ] } }
 *
 * Coordinates are metres. "intersections" may be left out: then every row and column has one,
 * INT-<row><column>, 200 m apart. An intersection without "movements" is that of two crossing streets: two
 * movements, two lanes, two phases, each called "NS" and "EW". A sensor without "direction" speaks for the whole
 * intersection. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"
#include "core/signal-model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CITY_NO_INDEX          ((size_t)-1)
#define CITY_ID_MAX_BYTES      31
#define CITY_ROW_MAX_BYTES     15
#define CITY_PART_ID_MAX_BYTES 63

typedef char CityPartId[CITY_PART_ID_MAX_BYTES + 1];

/* Where vehicles come from. */
typedef struct CityApproach {
    CityPartId id;
    Direction direction;
    size_t from; /* the next intersection upstream; CITY_NO_INDEX: none, or not known */
} CityApproach;

/* A signal group of the model, of the same number. */
typedef struct CityMovement {
    CityPartId id;
    unsigned approach;
    size_t to;         /* the next intersection downstream; CITY_NO_INDEX: none, or not known */
    uint32_t to_lanes; /* the lanes of that intersection that its vehicles come to; 0: not known */
} CityMovement;

typedef struct CityPhase {
    CityPartId id;
} CityPhase;

/* A lane of the layout, of the same number. */
typedef struct CityLane {
    CityPartId id;
    unsigned approach;
} CityLane;

/* What the numbers of model and layout are called, and where they lead to. */
typedef struct CityParts {
    unsigned n_approaches, n_movements, n_phases, n_lanes;
    CityApproach *approaches;
    CityMovement *movements;
    CityPhase *phases;
    CityLane *lanes;
} CityParts;

typedef struct CityIntersection {
    char id[CITY_ID_MAX_BYTES + 1];
    char row[CITY_ROW_MAX_BYTES + 1];
    int column;
    double x_metres, y_metres;
    char name[64];   /* what else it is called; "" */
    char policy[16]; /* who chooses its phases, a word of core/policy.h; "" when the file does not say */
    bool is_usual;   /* the file says nothing of its lights: two streets, with the times of the defaults */
    /* The same ones for intersections that are alike. */
    const SignalModel *signals;
    const Layout *layout;
    const CityParts *parts;
} CityIntersection;

typedef struct CitySensor {
    char id[64];
    size_t intersection; /* index */
    bool has_direction;  /* also where only the approach or the lane is named */
    Direction direction;
    bool has_approach; /* also where only the lane is named */
    unsigned approach;
    bool has_lane;
    unsigned lane;
    double view_metres; /* a camera of a lane sees so far back from the stop line */
    double loop_metres; /* a loop of a lane lies so far from the stop line; 0: at it, or not known */
} CitySensor;

typedef struct City {
    char name[64];
    CityIntersection *intersections;
    size_t n_intersections;
    CitySensor *sensors[SENSOR_KIND_COUNT];
    size_t n_sensors[SENSOR_KIND_COUNT];
    struct CityIndex *index; /* hash tables of ids and shared values, private */
} City;

/* Times of the lights where the file says none: section [signal] of the settings. */
typedef struct CityDefaults {
    SafetyTimes safety;
    uint64_t green_usec; /* of each phase in the plan */
} CityDefaults;

struct Settings;
CityDefaults city_defaults(const struct Settings *settings);

/* Reads and checks the file; NULL `defaults` are those of a machine without settings. -ENOENT, -EIO, -EINVAL
 * (with file, JSON pointer, intersection and movement, what was expected, what came, nearest known member
 * name), -ENOMEM. Refuses: unknown members, duplicate ids, sensors at unknown intersections, an empty city,
 * phases of movements that conflict, times below the floors of core/interlock.h. */
int city_load(const char *path, const CityDefaults *defaults, City **ret, Problem *problem);

/* The same from memory; `name` stands for the file in messages. */
int city_parse(const char *name, const char *text, size_t size, const CityDefaults *defaults, City **ret,
               Problem *problem);

City *city_free(City *city);
DEFINE_FREEP(City, city_free)

/* Index of an intersection, or CITY_NO_INDEX. Constant time. */
size_t city_find_intersection(const City *city, const char *id);

/* The sensor of this id of one kind, or NULL. Constant time. */
const CitySensor *city_find_sensor(const City *city, SensorKind kind, const char *id);

bool city_has_row(const City *city, const char *row);
bool city_has_column(const City *city, int column);
