/* Of the city file: the sensors, and what they watch. */
#include "settings/city-private.h"

#include <errno.h>
#include <stdlib.h>

static const char *const sensor_members[SENSOR_KIND_COUNT] = {
    [SENSOR_CAMERA] = "cameras", [SENSOR_INDUCTIVE] = "inductive_loops", [SENSOR_GPS] = "gps"};

static int refuse_intersection(const Place *place, const City *city, const char *id) {
    const char **ids = calloc(city->n_intersections, sizeof *ids);
    if (!ids)
        return -ENOMEM;
    for (size_t i = 0; i < city->n_intersections; i++)
        ids[i] = city->intersections[i].id;
    const char *nearest = closest_word(id, ids, city->n_intersections);
    free(ids);
    if (nearest)
        return place_refuse(place, -EINVAL, "unknown intersection \"%s\"; did you mean \"%s\"?", id, nearest);
    return place_refuse(place, -EINVAL,
                        "unknown intersection \"%s\"; expected an id of this city, such as \"%s\"", id,
                        city->intersections[0].id);
}

static int read_sensor_intersection(const Place *object, const City *city, CitySensor *sensor) {
    char id[CITY_ID_MAX_BYTES + 1];
    Place place;
    int r = place_required(object, "interseccion", &place);
    if (r == 0)
        r = place_text(&place, id, sizeof id, false);
    if (r < 0)
        return r;
    sensor->intersection = city_find_intersection(city, id);
    return sensor->intersection == CITY_NO_INDEX ? refuse_intersection(&place, city, id) : 0;
}

static int read_sensor(const Place *object, const City *city, CitySensor *sensor) {
    static const char *const members[] = {"sensor_id", "interseccion", "direction"};
    Place id, direction;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = place_required(object, "sensor_id", &id);
    if (r == 0)
        r = place_text(&id, sensor->id, sizeof sensor->id, false);
    if (r == 0)
        r = read_sensor_intersection(object, city, sensor);
    if (r == 0 && place_member(object, "direction", &direction)) {
        int word = 0;
        r = place_word(&direction, direction_words, &word);
        sensor->direction = (Direction)word;
        sensor->has_direction = true;
    }
    return r;
}

static int read_sensors_of_kind(const Place *array, City *city, SensorKind kind) {
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
        r = read_sensor(&place, city, &sensors[i]);
        if (r < 0)
            return r;
        for (size_t other = 0; other <= kind; other++)
            if (id_index_find(city->index->sensors[other], sensors[i].id) != ID_INDEX_NONE)
                return place_refuse(&place, -EINVAL, "sensor_id \"%s\" is already that of /sensors/%s/%zu",
                                    sensors[i].id, sensor_members[other],
                                    id_index_find(city->index->sensors[other], sensors[i].id));
        (void)id_index_add(index, sensors[i].id, i);
    }
    city->n_sensors[kind] = n;
    return 0;
}

int city_read_sensors(const Place *root, City *city) {
    Place place, array;
    if (!place_member(root, "sensors", &place))
        return 0;
    int r = place_check_members(&place, sensor_members, ARRAY_LEN(sensor_members));
    for (size_t kind = 0; r == 0 && kind < SENSOR_KIND_COUNT; kind++)
        if (place_member(&place, sensor_members[kind], &array))
            r = read_sensors_of_kind(&array, city, (SensorKind)kind);
    return r;
}
