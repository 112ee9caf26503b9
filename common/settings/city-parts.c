/* Of the city file: parts that have names, and whoever names them. */
#include "settings/city-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 32
_Static_assert(PARTS_MAX >= (int)SIGNAL_GROUPS_MAX && PARTS_MAX >= (int)SIGNAL_PHASES_MAX &&
                   PARTS_MAX >= (int)LAYOUT_LANES_MAX,
               "there is room for the names of all parts of a kind");

CityParts *city_parts_new(void) {
    return calloc(1, sizeof(CityParts));
}

CityParts *city_parts_free(CityParts *parts) {
    if (parts) {
        free(parts->approaches);
        free(parts->movements);
        free(parts->phases);
        free(parts->lanes);
        free(parts);
    }
    return NULL;
}

const char *city_part_id(const PartNames *names, unsigned i) {
    return (const char *)names->first + i * names->stride;
}

static bool find(const PartNames *names, const char *id, unsigned *ret) {
    for (unsigned i = 0; i < names->n; i++)
        if (strcmp(city_part_id(names, i), id) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

int city_read_part_id(Place *object, const PartNames *before, CityPartId ret) {
    Place place;
    unsigned other;
    int r = place_required(object, "id", &place);
    if (r == 0)
        r = place_text(&place, ret, CITY_PART_ID_MAX_BYTES + 1, true);
    if (r == 0 && find(before, ret, &other))
        return place_refuse(&place, -EINVAL, "%s \"%s\" is there twice", before->kind, ret);
    object->kind = before->kind;
    object->id = ret;
    return r;
}

static int refuse_part(const Place *place, const PartNames *names, const char *id) {
    const char *ids[PARTS_MAX];
    for (unsigned i = 0; i < names->n; i++)
        ids[i] = city_part_id(names, i);
    const char *nearest = closest_word(id, ids, names->n);
    if (nearest)
        return place_refuse(place, -EINVAL, "unknown %s \"%s\"; did you mean \"%s\"?", names->kind, id,
                            nearest);
    return place_refuse(place, -EINVAL, "unknown %s \"%s\"; expected one of those there are, such as \"%s\"",
                        names->kind, id, ids[0]);
}

int city_read_part(const Place *place, const PartNames *names, unsigned *ret) {
    CityPartId id;
    int r = place_text(place, id, sizeof id, true);
    if (r < 0)
        return r;
    return find(names, id, ret) ? 0 : refuse_part(place, names, id);
}

int city_read_part_set(const Place *array, const PartNames *names, uint32_t *ret) {
    size_t n = 0;
    uint32_t set = 0;
    int r = place_check_array(array, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        Place place = place_element(array, i);
        unsigned part = 0;
        r = city_read_part(&place, names, &part);
        if (r == 0 && set_has(set, part))
            return place_refuse(&place, -EINVAL, "%s \"%s\" is there twice", names->kind,
                                city_part_id(names, part));
        set |= 1U << part;
    }
    if (r == 0)
        *ret = set;
    return r;
}

int city_read_list(const Place *object, const char *member, unsigned max, Place *ret, unsigned *ret_n) {
    size_t n = 0;
    int r = place_required(object, member, ret);
    if (r == 0)
        r = place_check_array(ret, &n);
    if (r == 0 && (n == 0 || n > max))
        r = place_refuse(ret, -EINVAL, "expected 1 to %u %s, got %zu", max, member, n);
    *ret_n = (unsigned)n;
    return r;
}

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

int city_read_intersection_id(const Place *place, const City *city, size_t *ret) {
    char id[CITY_ID_MAX_BYTES + 1];
    int r = place_text(place, id, sizeof id, false);
    if (r < 0)
        return r;
    size_t found = city_find_intersection(city, id);
    if (found == CITY_NO_INDEX)
        return refuse_intersection(place, city, id);
    *ret = found;
    return 0;
}
