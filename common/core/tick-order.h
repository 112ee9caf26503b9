/* The order of a simulator's ticks, as each of its followers judges it: numbers without gaps, time that
 * never goes back. Knows neither links nor clocks. */
#pragma once

#include "base/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

#define TICK_VERDICT_LIST(X)                                                                                 \
    X(TICK_NEXT, "next")                                                                                     \
    X(TICK_REPEAT, "repeated")                                                                               \
    X(TICK_LATE, "late")                                                                                     \
    X(TICK_AHEAD, "ahead")                                                                                   \
    X(TICK_BACKWARDS, "backwards")
VOCABULARY(TickVerdict, TICK_VERDICT, TICK_VERDICT_LIST, tick_verdict_words);

typedef struct TickOrder {
    bool has_begun; /* else any tick begins a run */
    int64_t number; /* of the newest */
    uint64_t city_usec;
} TickOrder;

/* REPEAT: the newest itself; LATE: a number before it; AHEAD: some are missing between; BACKWARDS: the
 * next number with an earlier time, or the newest's with another one. */
TickVerdict tick_order_judge(const TickOrder *order, int64_t number, uint64_t city_usec);

/* It is the newest from now on. */
void tick_order_take(TickOrder *order, int64_t number, uint64_t city_usec);

/* The next tick begins another run. */
void tick_order_end(TickOrder *order);
