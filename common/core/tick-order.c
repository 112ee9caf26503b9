/* Three comparisons, written once because four services make them. */
#include "core/tick-order.h"

VOCABULARY_DEFINE(TICK_VERDICT, TICK_VERDICT_LIST, tick_verdict_words);

TickVerdict tick_order_judge(const TickOrder *order, int64_t number, uint64_t city_usec) {
    if (!order->has_begun)
        return TICK_NEXT;
    if (number < order->number)
        return TICK_LATE;
    if (number == order->number)
        return city_usec == order->city_usec ? TICK_REPEAT : TICK_BACKWARDS;
    if (number - 1 > order->number)
        return TICK_AHEAD;
    return city_usec >= order->city_usec ? TICK_NEXT : TICK_BACKWARDS;
}

void tick_order_take(TickOrder *order, int64_t number, uint64_t city_usec) {
    *order = (TickOrder){.has_begun = true, .number = number, .city_usec = city_usec};
}

void tick_order_end(TickOrder *order) {
    order->has_begun = false;
}
