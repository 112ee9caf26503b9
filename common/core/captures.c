#include "core/captures.h"

void captures_put(Captures *captures, uint64_t position, Wall captured) {
    if (captures->n < CAPTURES_MAX)
        captures->ring[(captures->first + captures->n++) % CAPTURES_MAX] = (Capture){position, captured};
}

bool captures_take(Captures *captures, uint64_t reached, Wall *ret) {
    const Capture *oldest = &captures->ring[captures->first];
    if (captures->n == 0 || oldest->position > reached)
        return false;
    *ret = oldest->captured;
    captures->first = (captures->first + 1) % CAPTURES_MAX;
    captures->n--;
    return true;
}
