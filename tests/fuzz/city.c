/* Any bytes as a city file. Promises: a refusal is a sentence without control characters and hands out
 * nothing; a city that is taken has intersections, finds each of them and of its sensors by id, every sensor
 * watches one of them, and what their lights can show is what core would take. */
#include "fuzz.h"

#include "base/text.h"
#include "settings/city.h"

#include <errno.h>
#include <string.h>

static void check_refusal(int r, const Problem *problem, const City *city) {
    size_t size = strnlen(problem->text, sizeof problem->text);
    promise(r == -EINVAL && !city);
    promise(strncmp(problem->text, "city:", strlen("city:")) == 0);
    promise(utf8_valid_size(problem->text, size) == size);
    promise(!text_has_control(problem->text, size));
}

static void check_parts(const City *city, const CityIntersection *intersection) {
    const CityParts *parts = intersection->parts;
    const Layout *layout = intersection->layout;
    promise(signal_model_check(intersection->signals, NULL, NULL) == 0);
    promise(parts->n_movements == intersection->signals->n_groups);
    promise(parts->n_phases == intersection->signals->n_phases);
    promise(parts->n_lanes == layout->n_lanes);
    for (unsigned i = 0; i < layout->n_lanes; i++) {
        promise(parts->lanes[i].approach < parts->n_approaches);
        promise(layout->lanes[i].groups != 0 && layout->lanes[i].length_metres > 0 &&
                layout->lanes[i].speed_mps > 0);
        promise(layout->lanes[i].view_metres <= layout->lanes[i].length_metres);
    }
    for (unsigned i = 0; i < parts->n_movements; i++) {
        const CityMovement *movement = &parts->movements[i];
        promise(movement->approach < parts->n_approaches);
        promise(movement->to == CITY_NO_INDEX || movement->to < city->n_intersections);
    }
}

static void check_city(const City *city) {
    promise(city->n_intersections > 0);
    for (size_t i = 0; i < city->n_intersections; i++) {
        const CityIntersection *intersection = &city->intersections[i];
        promise(city_find_intersection(city, intersection->id) == i);
        if (i < 100) {
            check_parts(city, intersection);
            promise(city_has_row(city, intersection->row));
            promise(city_has_column(city, intersection->column));
        }
    }
    for (SensorKind kind = 0; (int)kind < (int)SENSOR_KIND_COUNT; kind++)
        for (size_t i = 0; i < city->n_sensors[kind]; i++) {
            const CitySensor *sensor = &city->sensors[kind][i];
            promise(city_find_sensor(city, kind, sensor->id) == sensor);
            promise(sensor->intersection < city->n_intersections);
            promise(!sensor->has_lane ||
                    sensor->lane < city->intersections[sensor->intersection].layout->n_lanes);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    City *city = NULL;
    Problem problem = {""};
    int r = city_parse("city", (const char *)data, size, NULL, &city, &problem);
    if (r < 0)
        check_refusal(r, &problem, city);
    else
        check_city(city);
    city_free(city);
    return 0;
}
