/* Of the city file: the sensors, and what they watch. A lane's detectors become part of its intersection's
 * layout. */
#include "settings/city-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_METRES 100 /* of a camera that does not say how far it sees */

/* How the file calls a kind of sensor, and what may be said of one. */
typedef struct KindInFile {
    const char *name;
    const char *members[6];
    size_t n_members;
} KindInFile;

static const KindInFile kinds[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = {"cameras",
                       {"sensor_id", "interseccion", "direction", "approach", "lane", "view_m"},
                       6},
    [SENSOR_INDUCTIVE] = {"inductive_loops",
                          {"sensor_id", "interseccion", "direction", "approach", "lane", "distance_m"},
                          6},
    [SENSOR_GPS] = {"gps", {"sensor_id", "interseccion", "direction"}, 3},
};

/* --- what it watches --- */

static int read_lane(const Place *object, const CityParts *parts, CitySensor *sensor) {
    Place place;
    if (!place_member(object, "lane", &place))
        return 0;
    int r = city_read_part(&place, PART_NAMES("lane", parts->lanes, parts->n_lanes), &sensor->lane);
    if (r < 0)
        return r;
    sensor->has_lane = true;
    sensor->approach = parts->lanes[sensor->lane].approach;
    sensor->has_approach = true;
    return 0;
}

static int read_approach(const Place *object, const CityParts *parts, CitySensor *sensor) {
    Place place;
    unsigned approach = 0;
    if (!place_member(object, "approach", &place))
        return 0;
    int r = city_read_part(&place, PART_NAMES("approach", parts->approaches, parts->n_approaches), &approach);
    if (r == 0 && sensor->has_lane && approach != sensor->approach)
        r = place_refuse(&place, -EINVAL, "lane \"%s\" is one of approach \"%s\"",
                         parts->lanes[sensor->lane].id, parts->approaches[sensor->approach].id);
    sensor->approach = approach;
    sensor->has_approach = true;
    return r;
}

/* Whoever watches an approach watches its direction. */
static int read_direction(const Place *object, const CityParts *parts, CitySensor *sensor) {
    Place place;
    int word = 0;
    if (sensor->has_approach) {
        sensor->direction = parts->approaches[sensor->approach].direction;
        sensor->has_direction = true;
    }
    if (!place_member(object, "direction", &place))
        return 0;
    int r = place_word(&place, direction_words, &word);
    if (r == 0 && sensor->has_approach && (Direction)word != sensor->direction)
        r = place_refuse(&place, -EINVAL, "expected \"%s\" as approach \"%s\" has it, got \"%s\"",
                         direction_words[sensor->direction], parts->approaches[sensor->approach].id,
                         direction_words[word]);
    sensor->direction = (Direction)word;
    sensor->has_direction = true;
    return r;
}

/* How far from the stop line; needs a lane. */
static int read_distance(const Place *object, const char *member, double min_metres, const City *city,
                         const CitySensor *sensor, double *into_metres) {
    Place place;
    if (!place_member(object, member, &place))
        return 0;
    if (!sensor->has_lane)
        return place_refuse(&place, -EINVAL, "expected \"lane\" beside it");
    const Layout *layout = city->intersections[sensor->intersection].layout;
    return place_number(&place, min_metres, layout->lanes[sensor->lane].length_metres, into_metres);
}

/* A camera of a lane sees as far as they usually do, or to where the lane begins. */
static int read_view(const Place *object, const City *city, CitySensor *sensor) {
    if (!sensor->has_lane)
        return read_distance(object, "view_m", 1, city, sensor, &sensor->view_metres);
    const Layout *layout = city->intersections[sensor->intersection].layout;
    double length_metres = layout->lanes[sensor->lane].length_metres;
    sensor->view_metres = length_metres < VIEW_METRES ? length_metres : VIEW_METRES;
    return read_distance(object, "view_m", 1, city, sensor, &sensor->view_metres);
}

/* One camera and one upstream loop at most tell of a lane. */
static int claim_lane(const Place *object, SensorKind kind, const CitySensor *sensor, uint32_t *claimed) {
    bool tells = kind == SENSOR_CAMERA ? sensor->has_lane : sensor->loop_metres > 0;
    uint32_t *lanes = &claimed[sensor->intersection];
    if (!tells)
        return 0;
    if (set_has(*lanes, sensor->lane))
        return place_refuse(object, -EINVAL, "its lane has %s already",
                            kind == SENSOR_CAMERA ? "a camera" : "an upstream loop");
    *lanes |= 1U << sensor->lane;
    return 0;
}

static int read_watched(const Place *object, const City *city, SensorKind kind, CitySensor *sensor) {
    const CityParts *parts = city->intersections[sensor->intersection].parts;
    int r = read_lane(object, parts, sensor);
    if (r == 0)
        r = read_approach(object, parts, sensor);
    if (r == 0)
        r = read_direction(object, parts, sensor);
    if (r == 0 && kind == SENSOR_CAMERA)
        r = read_view(object, city, sensor);
    if (r == 0 && kind == SENSOR_INDUCTIVE)
        r = read_distance(object, "distance_m", 0, city, sensor, &sensor->loop_metres);
    return r;
}

/* --- sensors --- */

static int read_sensor(const Place *object, const City *city, SensorKind kind, CitySensor *sensor) {
    Place id, intersection;
    int r = place_check_members(object, kinds[kind].members, kinds[kind].n_members);
    if (r == 0)
        r = place_required(object, "sensor_id", &id);
    if (r == 0)
        r = place_text(&id, sensor->id, sizeof sensor->id, false);
    if (r == 0)
        r = place_required(object, "interseccion", &intersection);
    if (r == 0)
        r = city_read_intersection_id(&intersection, city, &sensor->intersection);
    return r < 0 ? r : read_watched(object, city, kind, sensor);
}

/* `claimed` has a set of lanes for each intersection. */
static int read_sensors_of_kind(const Place *array, City *city, SensorKind kind, uint32_t *claimed) {
    size_t n = 0;
    int r = place_check_array(array, &n);
    if (r < 0)
        return r;
    CitySensor *sensors = city->sensors[kind] = calloc(n + 1, sizeof *sensors);
    IdIndex *index = city->index->sensors[kind] = id_index_new(n);
    if (!sensors || !index)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        Place place = place_element(array, i);
        r = read_sensor(&place, city, kind, &sensors[i]);
        if (r == 0)
            r = claim_lane(&place, kind, &sensors[i], claimed);
        if (r < 0)
            return r;
        for (size_t other = 0; other <= kind; other++)
            if (id_index_find(city->index->sensors[other], sensors[i].id) != ID_INDEX_NONE)
                return place_refuse(&place, -EINVAL, "sensor_id \"%s\" is already that of /sensors/%s/%zu",
                                    sensors[i].id, kinds[other].name,
                                    id_index_find(city->index->sensors[other], sensors[i].id));
        (void)id_index_add(index, sensors[i].id, i);
    }
    city->n_sensors[kind] = n;
    return 0;
}

static int read_all_sensors(const Place *root, City *city) {
    const char *names[SENSOR_KIND_COUNT];
    Place place, array;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        names[kind] = kinds[kind].name;
    if (!place_member(root, "sensors", &place))
        return 0;
    int r = place_check_members(&place, names, ARRAY_LEN(names));
    for (size_t kind = 0; r == 0 && kind < SENSOR_KIND_COUNT; kind++) {
        uint32_t *claimed = calloc(city->n_intersections, sizeof *claimed);
        if (!claimed)
            return -ENOMEM;
        if (place_member(&place, kinds[kind].name, &array))
            r = read_sensors_of_kind(&array, city, (SensorKind)kind, claimed);
        free(claimed);
    }
    return r;
}

/* --- layouts --- */

/* The detectors of each intersection, as lists. */
typedef struct Detector {
    const CitySensor *sensor;
    struct Detector *next;
} Detector;

static void list_detectors(const City *city, Detector *detectors, Detector **of_intersection) {
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        for (size_t i = 0; i < city->n_sensors[kind]; i++) {
            const CitySensor *sensor = &city->sensors[kind][i];
            if (!sensor->has_lane)
                continue;
            *detectors = (Detector){sensor, of_intersection[sensor->intersection]};
            of_intersection[sensor->intersection] = detectors++;
        }
}

static int place_detectors(City *city, size_t i, const Detector *detectors) {
    Layout layout = *city->intersections[i].layout;
    for (const Detector *detector = detectors; detector; detector = detector->next) {
        LayoutLane *lane = &layout.lanes[detector->sensor->lane];
        if (detector->sensor->view_metres > 0)
            lane->view_metres = detector->sensor->view_metres;
        if (detector->sensor->loop_metres > 0)
            lane->loop_metres = detector->sensor->loop_metres;
    }
    city->intersections[i].layout = value_pool_put(city->index->layouts, &layout);
    return city->intersections[i].layout ? 0 : -ENOMEM;
}

static int place_all_detectors(City *city) {
    size_t n_sensors = 0;
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        n_sensors += city->n_sensors[kind];
    Detector *detectors = calloc(n_sensors + 1, sizeof *detectors);
    Detector **of_intersection = calloc(city->n_intersections, sizeof *of_intersection);
    int r = detectors && of_intersection ? 0 : -ENOMEM;
    if (r == 0)
        list_detectors(city, detectors, of_intersection);
    for (size_t i = 0; r == 0 && i < city->n_intersections; i++)
        r = place_detectors(city, i, of_intersection[i]);
    free(of_intersection);
    free(detectors);
    return r;
}

int city_read_sensors(const Place *root, City *city) {
    int r = read_all_sensors(root, city);
    return r < 0 ? r : place_all_detectors(city);
}
