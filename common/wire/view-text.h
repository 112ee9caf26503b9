/* The vehicles that a camera has placed, as they stand in a `vista` event: [[metres to the stop line, km/h], ...],
 * nearest first. */
#pragma once

#include "base/problem.h"
#include "wire/messages.h"

#include <stddef.h>

/* More are never written: who is further away is among the number of all. */
enum { VIEW_PLACED_MAX = 64 };
#define VIEW_METRES_MAX 10000
#define VIEW_KMH_MAX    300

typedef struct PlacedVehicle {
    double metres, speed_kmh;
} PlacedVehicle;

typedef struct ViewText {
    size_t size;
    char text[VIEW_PLACED_MAX * 24 + 3];
} ViewText;

/* One decimal of each; at most VIEW_PLACED_MAX of them. */
ViewText view_text_format(const PlacedVehicle *vehicles, size_t n);

/* Reads what a view has placed: as many as there is room for, the nearest. None when it has placed none. 0, or
 * -EBADMSG: what was expected and what came is in the problem. */
int view_text_parse(const ViewEvent *view, PlacedVehicle *ret, size_t capacity, size_t *ret_n,
                    Problem *problem);
