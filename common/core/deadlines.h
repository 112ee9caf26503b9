/* The earliest of many deadlines, so that one timer serves ten thousand intersections: an indexed binary heap
 * over the caller's storage. Knows items by number only. */
#pragma once

#include "base/time.h"

#include <stddef.h>
#include <stdint.h>

/* One per item; the fields are the heap's own. */
typedef struct DeadlineNode {
    Mono at;        /* of item i, at index i */
    uint32_t place; /* of item i in the heap, at index i */
    uint32_t item;  /* in heap order, at index of the place */
} DeadlineNode;

typedef struct Deadlines {
    DeadlineNode *nodes; /* borrowed: n_items of them, for as long as this lives */
    uint32_t n_items;
} Deadlines;

/* All items without a deadline. O(n). */
void deadlines_init(Deadlines *deadlines, DeadlineNode *nodes, uint32_t n_items);

/* Sets or moves the deadline of one item; mono_never() is none. O(log n). */
void deadlines_set(Deadlines *deadlines, uint32_t item, Mono at);

/* The earliest deadline, and whose it is in *ret_item (may be NULL; of several the lowest item);
 * mono_never() when nobody has one. O(1). / */
Mono deadlines_first(const Deadlines *deadlines, uint32_t *ret_item);
