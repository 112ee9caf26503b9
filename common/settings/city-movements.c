/* Of the city file: from where to where one may drive at an intersection, on which lanes, and what may never be
 * green together. */
#include "settings/city-private.h"

#include "core/interlock.h"

#include <errno.h>
#include <stdlib.h>

#define SEC(usec) ((double)(usec) / (double)USEC_PER_SEC)

enum { LANE_METRES = 200, LANE_KMH = 50, LANE_MAX_METRES = 10000, LANE_MAX_KMH = 300 };
#define KMH_PER_MPS 3.6

/* --- approaches --- */

static int read_approach(Place *object, Junction *junction, unsigned i) {
    static const char *const members[] = {"id", "direction", "from", "lanes"};
    CityApproach *approach = &junction->parts->approaches[i];
    Place place;
    int word = 0;
    approach->from = CITY_NO_INDEX;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = city_read_part_id(object, PART_NAMES("approach", junction->parts->approaches, i), approach->id);
    if (r == 0)
        r = place_required(object, "direction", &place);
    if (r == 0)
        r = place_word(&place, direction_words, &word);
    if (r == 0 && place_member(object, "from", &place))
        r = city_read_intersection_id(&place, junction->city, &approach->from);
    approach->direction = (Direction)word;
    return r;
}

static int read_approaches(const Place *object, Junction *junction) {
    CityParts *parts = junction->parts;
    Place array;
    int r = city_read_list(object, "approaches", SIGNAL_GROUPS_MAX, &array, &parts->n_approaches);
    if (r < 0)
        return r;
    parts->approaches = calloc(parts->n_approaches, sizeof *parts->approaches);
    if (!parts->approaches)
        return -ENOMEM;
    for (unsigned i = 0; r == 0 && i < parts->n_approaches; i++) {
        Place place = place_element(&array, i);
        r = read_approach(&place, junction, i);
    }
    return r;
}

/* --- movements --- */

/* A time of the movement's own; left out, it is the intersection's. */
static int read_time(const Place *object, const char *member, uint64_t min_usec, uint64_t max_usec,
                     uint64_t *into_usec) {
    Place place;
    double seconds = 0;
    if (!place_member(object, member, &place))
        return 0;
    int r = place_number(&place, SEC(min_usec), SEC(max_usec), &seconds);
    if (r == 0)
        *into_usec = usec_from_sec(seconds);
    return r;
}

static int read_movement(Place *object, Junction *junction, unsigned i) {
    static const char *const members[] = {"id", "approach", "to", "to_lanes", "min_green_sec", "max_red_sec"};
    const CityParts *parts = junction->parts;
    SignalModel *model = &junction->model;
    CityMovement *movement = &parts->movements[i];
    Place place;
    movement->to = CITY_NO_INDEX;
    model->min_green_usec[i] = junction->times.min_green_usec;
    model->max_red_usec[i] = junction->times.max_red_usec;
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = city_read_part_id(object, PART_NAMES("movement", parts->movements, i), movement->id);
    if (r == 0)
        r = place_required(object, "approach", &place);
    if (r == 0)
        r = city_read_part(&place, PART_NAMES("approach", parts->approaches, parts->n_approaches),
                           &movement->approach);
    if (r == 0 && place_member(object, "to", &place))
        r = city_read_intersection_id(&place, junction->city, &movement->to);
    if (r == 0)
        r = read_time(object, "min_green_sec", INTERLOCK_MIN_GREEN_FLOOR_USEC, INTERLOCK_MAX_RED_CEILING_USEC,
                      &model->min_green_usec[i]);
    if (r == 0)
        r = read_time(object, "max_red_sec", INTERLOCK_MIN_GREEN_FLOOR_USEC, INTERLOCK_MAX_RED_CEILING_USEC,
                      &model->max_red_usec[i]);
    if (r == 0)
        model->direction_groups[parts->approaches[movement->approach].direction] |= 1U << i;
    return r;
}

static int read_all_movements(const Place *object, Junction *junction) {
    CityParts *parts = junction->parts;
    Place array;
    int r = city_read_list(object, "movements", SIGNAL_GROUPS_MAX, &array, &parts->n_movements);
    if (r < 0)
        return r;
    parts->movements = calloc(parts->n_movements, sizeof *parts->movements);
    if (!parts->movements)
        return -ENOMEM;
    junction->model.n_groups = parts->n_movements;
    for (unsigned i = 0; r == 0 && i < parts->n_movements; i++) {
        Place place = place_element(&array, i);
        r = read_movement(&place, junction, i);
    }
    return r;
}

/* --- lanes --- */

void city_usual_lane(LayoutLane *lane) {
    lane->length_metres = LANE_METRES;
    lane->speed_mps = LANE_KMH / KMH_PER_MPS;
}

static int read_lane_movements(const Place *object, Junction *junction, unsigned approach, GroupSet *ret) {
    const CityParts *parts = junction->parts;
    Place array;
    unsigned n;
    int r = city_read_list(object, "movements", SIGNAL_GROUPS_MAX, &array, &n);
    if (r == 0)
        r = city_read_part_set(&array, PART_NAMES("movement", parts->movements, parts->n_movements), ret);
    for (unsigned i = 0; r == 0 && i < parts->n_movements; i++)
        if (set_has(*ret, i) && parts->movements[i].approach != approach)
            r = place_refuse(&array, -EINVAL, "movement \"%s\" is one of approach \"%s\"",
                             parts->movements[i].id, parts->approaches[parts->movements[i].approach].id);
    return r;
}

static int read_lane(Place *object, Junction *junction, unsigned approach) {
    static const char *const members[] = {"id", "length_m", "speed_kmh", "movements"};
    CityParts *parts = junction->parts;
    CityLane *lane = &parts->lanes[parts->n_lanes];
    LayoutLane *layout = &junction->layout.lanes[parts->n_lanes];
    double speed_kmh = LANE_KMH;
    Place place;
    lane->approach = approach;
    city_usual_lane(layout);
    int r = place_check_members(object, members, ARRAY_LEN(members));
    if (r == 0)
        r = city_read_part_id(object, PART_NAMES("lane", parts->lanes, parts->n_lanes), lane->id);
    if (r == 0 && place_member(object, "length_m", &place))
        r = place_number(&place, 1, LANE_MAX_METRES, &layout->length_metres);
    if (r == 0 && place_member(object, "speed_kmh", &place))
        r = place_number(&place, 1, LANE_MAX_KMH, &speed_kmh);
    layout->speed_mps = speed_kmh / KMH_PER_MPS;
    return r < 0 ? r : read_lane_movements(object, junction, approach, &layout->groups);
}

static int read_approach_lanes(Place *object, Junction *junction, unsigned approach) {
    CityParts *parts = junction->parts;
    Place array;
    unsigned n;
    object->kind = "approach";
    object->id = parts->approaches[approach].id;
    int r = city_read_list(object, "lanes", LAYOUT_LANES_MAX, &array, &n);
    if (r == 0 && parts->n_lanes + n > LAYOUT_LANES_MAX)
        r = place_refuse(&array, -EINVAL,
                         "expected at most %d lanes of all approaches together, got %u more than %u",
                         LAYOUT_LANES_MAX, n, parts->n_lanes);
    for (unsigned i = 0; r == 0 && i < n; i++, parts->n_lanes++) {
        Place place = place_element(&array, i);
        r = read_lane(&place, junction, approach);
    }
    return r;
}

/* Nobody could ever leave by a movement without a lane. */
static int check_movements_have_lanes(const Place *object, const Junction *junction) {
    const CityParts *parts = junction->parts;
    GroupSet served = 0;
    for (unsigned i = 0; i < parts->n_lanes; i++)
        served |= junction->layout.lanes[i].groups;
    for (unsigned i = 0; i < parts->n_movements; i++)
        if (!set_has(served, i))
            return place_refuse(object, -EINVAL, "movement \"%s\": no lane of approach \"%s\" leads to it",
                                parts->movements[i].id, parts->approaches[parts->movements[i].approach].id);
    return 0;
}

static int read_lanes(const Place *object, Junction *junction) {
    CityParts *parts = junction->parts;
    Place array;
    unsigned n;
    parts->lanes = calloc(LAYOUT_LANES_MAX, sizeof *parts->lanes);
    if (!parts->lanes)
        return -ENOMEM;
    int r = city_read_list(object, "approaches", SIGNAL_GROUPS_MAX, &array, &n);
    for (unsigned i = 0; r == 0 && i < n; i++) {
        Place place = place_element(&array, i);
        r = read_approach_lanes(&place, junction, i);
    }
    if (r < 0)
        return r;
    junction->layout.n_lanes = parts->n_lanes;
    CityLane *fitting = reallocarray(parts->lanes, parts->n_lanes, sizeof *fitting);
    if (fitting)
        parts->lanes = fitting;
    return check_movements_have_lanes(object, junction);
}

/* --- conflicts --- */

static int read_conflict(const Place *pair, Junction *junction) {
    const CityParts *parts = junction->parts;
    const PartNames *names = PART_NAMES("movement", parts->movements, parts->n_movements);
    unsigned sides[2] = {0};
    size_t n = 0;
    int r = place_check_array(pair, &n);
    if (r == 0 && n != ARRAY_LEN(sides))
        r = place_refuse(pair, -EINVAL, "expected two movements, got %zu", n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        Place place = place_element(pair, i);
        r = city_read_part(&place, names, &sides[i]);
    }
    if (r == 0 && sides[0] == sides[1])
        r = place_refuse(pair, -EINVAL, "movement \"%s\" cannot conflict with itself",
                         parts->movements[sides[0]].id);
    if (r < 0)
        return r;
    junction->model.conflicts[sides[0]] |= 1U << sides[1];
    junction->model.conflicts[sides[1]] |= 1U << sides[0];
    return 0;
}

/* Required, for one that was forgotten is a collision; it may be empty. */
static int read_conflicts(const Place *object, Junction *junction) {
    Place array;
    size_t n = 0;
    int r = place_required(object, "conflicts", &array);
    if (r == 0)
        r = place_check_array(&array, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        Place pair = place_element(&array, i);
        r = read_conflict(&pair, junction);
    }
    return r;
}

int city_read_movements(const Place *object, Junction *junction) {
    int r = read_approaches(object, junction);
    if (r == 0)
        r = read_all_movements(object, junction);
    if (r == 0)
        r = read_lanes(object, junction);
    return r < 0 ? r : read_conflicts(object, junction);
}

/* --- links --- */

/* Left out, they are the lanes of the approaches that come from here. */
static uint32_t lanes_from(const CityParts *parts, size_t intersection) {
    uint32_t lanes = 0;
    for (unsigned i = 0; i < parts->n_lanes; i++)
        if (parts->approaches[parts->lanes[i].approach].from == intersection)
            lanes |= 1U << i;
    return lanes;
}

static int link_movement(Place *object, City *city, size_t intersection, CityMovement *movement) {
    Place place;
    bool is_given = place_member(object, "to_lanes", &place);
    object->kind = "movement";
    object->id = movement->id;
    if (movement->to == CITY_NO_INDEX)
        return is_given ? place_refuse(&place, -EINVAL, "expected \"to\" beside it") : 0;
    const CityParts *there = city->intersections[movement->to].parts;
    if (is_given)
        return city_read_part_set(&place, PART_NAMES("lane", there->lanes, there->n_lanes),
                                  &movement->to_lanes);
    movement->to_lanes = lanes_from(there, intersection);
    return 0;
}

int city_link_movements(const Place *object, City *city, size_t intersection) {
    const CityParts *parts = city->intersections[intersection].parts;
    Place array;
    if (!place_member(object, "movements", &array))
        return 0;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < parts->n_movements; i++) {
        Place place = place_element(&array, i);
        r = link_movement(&place, city, intersection, &parts->movements[i]);
    }
    return r;
}
