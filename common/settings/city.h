/* The city: which intersections there are, how they lie, and which sensors watch them. Read once from a JSON
 * file, checked as a whole, never changed afterwards. Services work with indices into `intersections`; ids
 * exist for the wire and for people.
 *
 *     { "name": "Ciudad Simulada",
 *       "grid": { "rows": ["A", "B", "C", "D"], "columns": [1, 2, 3, 4] },
 *       "intersections": [ { "id": "INT-A1", "row": "A", "column": 1, "x": 0, "y": 0 }, ... ],
 *       "sensors": {
 *         "cameras": [ { "sensor_id": "CAM-A1-NS", "interseccion": "INT-A1", "direction": "NS" }, ... ],
 *         "inductive_loops": [ ... ],
 *         "gps": [ ... ] } }
 *
 * Coordinates are metres. "intersections" may be left out: then every row and column has one,
 * INT-<row><column>, 200 m apart. A sensor without "direction" speaks for the whole intersection. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>

#define CITY_NO_INDEX      ((size_t)-1)
#define CITY_ID_MAX_BYTES  31
#define CITY_ROW_MAX_BYTES 15

typedef struct CityIntersection {
    char id[CITY_ID_MAX_BYTES + 1];
    char row[CITY_ROW_MAX_BYTES + 1];
    int column;
    double x_metres, y_metres;
} CityIntersection;

typedef struct CitySensor {
    char id[64];
    size_t intersection; /* index */
    bool has_direction;
    Direction direction;
} CitySensor;

typedef struct City {
    char name[64];
    CityIntersection *intersections;
    size_t n_intersections;
    CitySensor *sensors[SENSOR_KIND_COUNT];
    size_t n_sensors[SENSOR_KIND_COUNT];
    struct CityIndex *index; /* hash tables of ids, private */
} City;

/* Reads and checks the file. -ENOENT, -EIO, -EINVAL (with file, JSON pointer, what was expected, what came,
 * nearest known member name), -ENOMEM. Refuses: unknown members, duplicate ids, sensors at unknown
 * intersections, an empty city. */
int city_load(const char *path, City **ret, Problem *problem);

/* The same from memory; `name` stands for the file in messages. */
int city_parse(const char *name, const char *text, size_t size, City **ret, Problem *problem);

City *city_free(City *city);
DEFINE_FREEP(City, city_free)

/* Index of an intersection, or CITY_NO_INDEX. Constant time. */
size_t city_find_intersection(const City *city, const char *id);

/* The sensor of this id of one kind, or NULL. Constant time. */
const CitySensor *city_find_sensor(const City *city, SensorKind kind, const char *id);

bool city_has_row(const City *city, const char *row);
bool city_has_column(const City *city, int column);
