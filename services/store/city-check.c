/* By the intersection that the record names; a priority action names a street and is taken as it is. */
#include "city-check.h"

#include <errno.h>

static const char *intersection_of(const Message *record) {
    switch (record->tag) {
    case MESSAGE_SENSOR_EVENT_RECORD:
        return record->SENSOR_EVENT_RECORD.intersection;
    case MESSAGE_CONGESTION_RECORD:
        return record->CONGESTION_RECORD.intersection;
    case MESSAGE_SEMAPHORE_RECORD:
        return record->SEMAPHORE_RECORD.intersection;
    default:
        return NULL;
    }
}

bool is_of_this_city(const Message *record, void *city, Problem *problem) {
    const City *of = city;
    const char *id = intersection_of(record);
    if (!id || city_find_intersection(of, id) != CITY_NO_INDEX)
        return true;
    problem_set(problem, -EBADMSG, "interseccion: expected one of the %zu intersections of %s, got \"%s\"",
                of->n_intersections, of->name, id);
    return false;
}
