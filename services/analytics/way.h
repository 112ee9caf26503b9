/* From what an operator names, a row, a column or a list of intersections, to the way of a green wave: in the order of
 * travel, with the phase that each intersection has to show, the lanes it is reached by, and how far and how fast it is
 * from one to the next. Reads the city and decides nothing. */
#pragma once

#include "base/problem.h"
#include "core/route.h"
#include "settings/city.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One intersection on the way. */
typedef struct WayPoint {
    size_t intersection;
    Direction direction; /* of the street that leads there */
    unsigned phase;
    uint32_t lanes;   /* by which it is reached; 0: not known */
    double metres;    /* to its stop line, from the one before; at the first: the length of its lanes */
    double speed_mps; /* that these lanes allow */
} WayPoint;

typedef struct Way {
    size_t n_points;
    WayPoint points[ROUTE_STOPS_MAX];
} Way;

/* The intersections of a row (with `row`) or of a column (without) in the direction in which one leads to the next; where
 * both ways are open, as rows are read and columns fall: west to east, north to south. -ENOENT: the city has none;
 * -E2BIG; -ELOOP: it cannot be driven from end to end. */
int way_of_street(const City *city, const char *row, int column, Way *ret, Problem *problem);

/* `intersections` in the order given. -EINVAL: twice the same one; -E2BIG; -ELOOP: one does not lead to the next, or no
 * phase lets the route through. *ret is not to be used after a failure. */
int way_of_list(const City *city, const size_t *intersections, size_t n, Way *ret, Problem *problem);
