/* A binary heap of item numbers, with each item's place kept beside it so that its deadline can be moved. */
#include "core/deadlines.h"

void deadlines_init(Deadlines *deadlines, DeadlineNode *nodes, uint32_t n_items) {
    *deadlines = (Deadlines){.nodes = nodes, .n_items = n_items};
    for (uint32_t i = 0; i < n_items; i++)
        nodes[i] = (DeadlineNode){.at = mono_never(), .place = i, .item = i};
}

/* Equal deadlines are served in the order of their items: what happens at one time happens in one order. */
static bool is_before(const Deadlines *deadlines, uint32_t place, uint32_t other_place) {
    const DeadlineNode *nodes = deadlines->nodes;
    uint32_t item = nodes[place].item, other = nodes[other_place].item;
    if (nodes[item].at.usec != nodes[other].at.usec)
        return nodes[item].at.usec < nodes[other].at.usec;
    return item < other;
}

static void swap_places(Deadlines *deadlines, uint32_t a, uint32_t b) {
    DeadlineNode *nodes = deadlines->nodes;
    uint32_t item_a = nodes[a].item, item_b = nodes[b].item;
    nodes[a].item = item_b;
    nodes[b].item = item_a;
    nodes[item_a].place = b;
    nodes[item_b].place = a;
}

static uint32_t sift_up(Deadlines *deadlines, uint32_t place) {
    while (place > 0 && is_before(deadlines, place, (place - 1) / 2)) {
        swap_places(deadlines, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
    return place;
}

static void sift_down(Deadlines *deadlines, uint32_t place) {
    for (;;) {
        uint32_t smallest = place;
        for (uint32_t child = 2 * place + 1; child <= 2 * place + 2 && child < deadlines->n_items; child++)
            if (is_before(deadlines, child, smallest))
                smallest = child;
        if (smallest == place)
            return;
        swap_places(deadlines, place, smallest);
        place = smallest;
    }
}

void deadlines_set(Deadlines *deadlines, uint32_t item, Mono at) {
    deadlines->nodes[item].at = at;
    sift_down(deadlines, sift_up(deadlines, deadlines->nodes[item].place));
}

Mono deadlines_first(const Deadlines *deadlines, uint32_t *ret_item) {
    if (deadlines->n_items == 0)
        return mono_never();
    uint32_t item = deadlines->nodes[0].item;
    if (ret_item)
        *ret_item = item;
    return deadlines->nodes[item].at;
}
