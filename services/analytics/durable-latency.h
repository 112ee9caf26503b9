/* How long it takes from a reading's capture until both stores have it on disk: measured on a sample of the
 * event records, as quantiles over the last half minute to minute.
 *
 * The two times are of two machines' wall clocks, so the measure is as good as those agree; a reading from
 * the future counts as 0. Knows neither records nor links: positions and times only. Costs a few comparisons
 * per acknowledgement. */
#pragma once

#include "base/time.h"
#include "base/vocabulary.h"
#include "core/captures.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DURABLE_STEP_BITS = 4,                     /* a quantile is exact to a sixteenth */
    DURABLE_BUCKETS = 37 << DURABLE_STEP_BITS, /* up to 2^40 us, 12 days; longer ones count as that long */
};

typedef struct DurableHistogram {
    uint64_t n;
    uint32_t counts[DURABLE_BUCKETS];
} DurableHistogram;

typedef struct DurableLatency {
    Captures captures;
    uint64_t acknowledged[STORE_ROLE_COUNT];
    DurableHistogram now, before; /* two halves of the window */
} DurableLatency;

void durable_latency_init(DurableLatency *latency);

/* The record at `position`, greater than those before, is of a reading that was captured then. */
void durable_latency_put(DurableLatency *latency, uint64_t position, Wall captured);

/* A store has committed everything up to `position`. */
void durable_latency_acknowledge(DurableLatency *latency, StoreRole role, uint64_t position, Wall now);

/* The newer half of the window becomes the older one: to be called every half minute. */
void durable_latency_turn(DurableLatency *latency);

/* How many samples the window holds. */
uint64_t durable_latency_count(const DurableLatency *latency);

/* The time within which the share `quantile` (0..1) of the window's samples was on both disks, rounded up. 0
 * without any. Cost: one pass over the buckets. */
uint64_t durable_latency_quantile(const DurableLatency *latency, double quantile);
