/* Movements say where they lead. Where the city does not (two crossing streets and nothing more), neighbours are
 * believed to lead to each other, and the street is that of the line between them. */
#include "way.h"

#include "core/signal-model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where neither lanes nor coordinates tell. */
#define BLOCK_METRES 200
#define USUAL_MPS    (50 / 3.6)
#define LEAST_METRES 10
#define SLOWEST_MPS  1

static const CityIntersection *place(const City *city, size_t intersection) {
    return &city->intersections[intersection];
}

/* --- which leads where --- */

/* Whether the city tells where any movement of it leads, or comes from. */
static bool is_mapped(const City *city, size_t intersection) {
    const CityParts *parts = place(city, intersection)->parts;
    for (unsigned m = 0; m < parts->n_movements; m++)
        if (parts->movements[m].to != CITY_NO_INDEX)
            return true;
    for (unsigned a = 0; a < parts->n_approaches; a++)
        if (parts->approaches[a].from != CITY_NO_INDEX)
            return true;
    return false;
}

static bool leads(const City *city, size_t from, size_t to) {
    const CityParts *parts = place(city, from)->parts;
    for (unsigned m = 0; m < parts->n_movements; m++)
        if (parts->movements[m].to == to)
            return true;
    return !is_mapped(city, from);
}

static Direction direction_between(const City *city, size_t from, size_t to) {
    const CityIntersection *a = place(city, from), *b = place(city, to);
    return fabs(b->x_metres - a->x_metres) >= fabs(b->y_metres - a->y_metres) ? DIRECTION_EW : DIRECTION_NS;
}

/* --- one intersection --- */

/* Where the way comes from and goes to; CITY_NO_INDEX at its ends. */
typedef struct Bend {
    size_t before, here, after;
    Direction direction; /* of the street it comes along */
} Bend;

static bool is_onward(const CityParts *parts, unsigned movement, const Bend *bend) {
    size_t from = parts->approaches[parts->movements[movement].approach].from;
    size_t to = parts->movements[movement].to;
    bool may_come = bend->before == CITY_NO_INDEX || from == CITY_NO_INDEX || from == bend->before;
    return may_come && (bend->after == CITY_NO_INDEX || to == bend->after);
}

static bool is_of_street(const CityParts *parts, unsigned movement, Direction street) {
    return parts->approaches[parts->movements[movement].approach].direction == street;
}

/* Whether it comes from where the city says that it comes from: better than a movement of which nothing is said. */
static bool is_known_to_come(const CityParts *parts, unsigned movement, const Bend *bend) {
    return bend->before != CITY_NO_INDEX &&
           parts->approaches[parts->movements[movement].approach].from == bend->before;
}

/* The groups by which the way leaves: of those that may, the ones that are known to come from where it comes, or those
 * of its street, if there are any. */
static GroupSet onward_groups(const City *city, const Bend *bend) {
    const CityIntersection *here = place(city, bend->here);
    const CityParts *parts = here->parts;
    if (!is_mapped(city, bend->here))
        return here->signals->direction_groups[bend->direction];
    GroupSet all = 0, known = 0, street = 0;
    for (unsigned m = 0; m < parts->n_movements; m++) {
        if (!is_onward(parts, m, bend))
            continue;
        GroupSet group = UINT32_C(1) << m;
        all |= group;
        known |= is_known_to_come(parts, m, bend) ? group : 0;
        street |= is_of_street(parts, m, bend->direction) ? group : 0;
    }
    return known ? known : street ? street : all;
}

/* Lanes that feed `groups`, and of those the ones that `entered` names, if any. */
static uint32_t feeding_lanes(const Layout *layout, GroupSet groups, uint32_t entered) {
    uint32_t lanes = 0;
    for (unsigned lane = 0; lane < layout->n_lanes; lane++)
        if (layout->lanes[lane].groups & groups)
            lanes |= UINT32_C(1) << lane;
    return lanes & entered ? lanes & entered : lanes;
}

/* The lanes that the way comes to from the intersection before; 0: not known. */
static uint32_t entered_lanes(const City *city, const Bend *bend) {
    uint32_t lanes = 0;
    if (bend->before == CITY_NO_INDEX)
        return 0;
    const CityParts *parts = place(city, bend->before)->parts;
    for (unsigned m = 0; m < parts->n_movements; m++)
        if (parts->movements[m].to == bend->here)
            lanes |= parts->movements[m].to_lanes;
    return lanes;
}

static GroupSet groups_of_lanes(const Layout *layout, uint32_t lanes) {
    GroupSet groups = 0;
    for (unsigned lane = 0; lane < layout->n_lanes; lane++)
        if (set_has(lanes, lane))
            groups |= layout->lanes[lane].groups;
    return groups;
}

/* How far and how fast: by its lanes, the longest and the slowest. */
static void measure(const City *city, const Bend *bend, WayPoint *point) {
    const Layout *layout = place(city, bend->here)->layout;
    double longest = 0, slowest = INFINITY;
    for (unsigned lane = 0; lane < layout->n_lanes; lane++) {
        if (!set_has(point->lanes, lane))
            continue;
        longest = fmax(longest, layout->lanes[lane].length_metres);
        if (layout->lanes[lane].speed_mps > 0)
            slowest = fmin(slowest, layout->lanes[lane].speed_mps);
    }
    if (bend->before != CITY_NO_INDEX) {
        const CityIntersection *a = place(city, bend->before), *b = place(city, bend->here);
        longest = fmax(longest, hypot(b->x_metres - a->x_metres, b->y_metres - a->y_metres));
    }
    point->metres = longest > 0 ? fmax(longest, LEAST_METRES) : BLOCK_METRES;
    point->speed_mps = isfinite(slowest) ? fmax(slowest, SLOWEST_MPS) : USUAL_MPS;
}

static int pass(const City *city, const Bend *bend, WayPoint *ret, Problem *problem) {
    const CityIntersection *here = place(city, bend->here);
    if (bend->after != CITY_NO_INDEX && !leads(city, bend->here, bend->after))
        return problem_set(problem, -ELOOP, "%s does not lead to %s.", here->id,
                           place(city, bend->after)->id);
    GroupSet onward = onward_groups(city, bend);
    WayPoint point = {.intersection = bend->here, .direction = bend->direction};
    point.lanes = feeding_lanes(here->layout, onward, entered_lanes(city, bend));
    point.phase = route_phase(here->signals, onward, groups_of_lanes(here->layout, point.lanes));
    if (point.phase == SIGNAL_PHASES_MAX)
        return problem_set(problem, -ELOOP, "%s has no phase that leads from %s to %s.", here->id,
                           bend->before == CITY_NO_INDEX ? "its approaches" : place(city, bend->before)->id,
                           bend->after == CITY_NO_INDEX ? "its exits" : place(city, bend->after)->id);
    measure(city, bend, &point);
    *ret = point;
    return 0;
}

/* --- all of them --- */

static int check_list(const City *city, const size_t *intersections, size_t n, Problem *problem) {
    if (n == 0)
        return problem_set(problem, -EINVAL, "A route needs at least one intersection.");
    if (n > ROUTE_STOPS_MAX)
        return problem_set(problem, -E2BIG, "A route has at most %d intersections, this one %zu.",
                           ROUTE_STOPS_MAX, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (intersections[i] == intersections[k])
                return problem_set(problem, -EINVAL, "%s is on the route twice.",
                                   place(city, intersections[i])->id);
    return 0;
}

/* `only`: the direction of a way of one intersection. */
static int make_way(const City *city, const size_t *intersections, size_t n, Direction only, Way *ret,
                    Problem *problem) {
    int r = check_list(city, intersections, n, problem);
    if (r < 0)
        return r;
    ret->n_points = n;
    for (size_t i = 0; i < n; i++) {
        Bend bend = {.before = i > 0 ? intersections[i - 1] : CITY_NO_INDEX,
                     .here = intersections[i],
                     .after = i + 1 < n ? intersections[i + 1] : CITY_NO_INDEX,
                     .direction = only};
        if (n > 1)
            bend.direction = i > 0 ? direction_between(city, bend.before, bend.here)
                                   : direction_between(city, bend.here, bend.after);
        r = pass(city, &bend, &ret->points[i], problem);
        if (r < 0)
            return r;
    }
    return 0;
}

int way_of_list(const City *city, const size_t *intersections, size_t n, Way *ret, Problem *problem) {
    return make_way(city, intersections, n, DIRECTION_EW, ret, problem);
}

/* --- streets --- */

typedef struct OnStreet {
    size_t intersection;
    double along; /* from its beginning */
} OnStreet;

static int compare_along(const void *a, const void *b) {
    double x = ((const OnStreet *)a)->along, y = ((const OnStreet *)b)->along;
    return (x > y) - (x < y);
}

/* All of a street, from west to east or from north to south; at most one more than there is room for. */
static size_t list_street(const City *city, const char *row, int column, OnStreet *ret) {
    size_t n = 0;
    for (size_t i = 0; i < city->n_intersections && n <= ROUTE_STOPS_MAX; i++) {
        const CityIntersection *it = place(city, i);
        if (row ? strcmp(it->row, row) == 0 : it->column == column)
            ret[n++] = (OnStreet){i, row ? it->x_metres : -it->y_metres};
    }
    qsort(ret, n, sizeof *ret, compare_along);
    return n;
}

static bool is_open(const City *city, const size_t *intersections, size_t n) {
    for (size_t i = 0; i + 1 < n; i++)
        if (!leads(city, intersections[i], intersections[i + 1]))
            return false;
    return true;
}

int way_of_street(const City *city, const char *row, int column, Way *ret, Problem *problem) {
    OnStreet street[ROUTE_STOPS_MAX + 1];
    size_t there[ROUTE_STOPS_MAX + 1], back[ROUTE_STOPS_MAX + 1];
    size_t n = list_street(city, row, column, street);
    if (n == 0)
        return problem_set(problem, -ENOENT, "The city has no such street.");
    for (size_t i = 0; i < n; i++) {
        there[i] = street[i].intersection;
        back[n - 1 - i] = street[i].intersection;
    }
    bool is_reversed = n <= ROUTE_STOPS_MAX && !is_open(city, there, n) && is_open(city, back, n);
    return make_way(city, is_reversed ? back : there, n, row ? DIRECTION_EW : DIRECTION_NS, ret, problem);
}
