/* A log-linear histogram: sixteen equal steps for each doubling. */
#include "durable-latency.h"

enum { FIRST_BITS = 4 }; /* values below 2^4 have a bucket each */

void durable_latency_init(DurableLatency *latency) {
    *latency = (DurableLatency){0};
}

/* --- buckets --- */

static size_t bucket_of(uint64_t usec) {
    if (usec < DURABLE_STEPS)
        return usec;
    unsigned highest = 63 - (unsigned)__builtin_clzll(usec);
    size_t bucket = (size_t)(highest - FIRST_BITS + 1) * DURABLE_STEPS +
                    ((usec >> (highest - FIRST_BITS)) & (DURABLE_STEPS - 1));
    return bucket < DURABLE_BUCKETS ? bucket : DURABLE_BUCKETS - 1;
}

/* The greatest value that falls into it. */
static uint64_t bucket_end(size_t bucket) {
    if (bucket < DURABLE_STEPS)
        return bucket;
    unsigned shift = (unsigned)(bucket / DURABLE_STEPS) - 1;
    return ((DURABLE_STEPS + bucket % DURABLE_STEPS + 1) << shift) - 1;
}

static void count(DurableHistogram *histogram, uint64_t usec) {
    histogram->counts[bucket_of(usec)]++;
    histogram->n++;
}

/* --- samples --- */

void durable_latency_put(DurableLatency *latency, uint64_t position, Wall captured) {
    if (latency->n == DURABLE_SAMPLES_MAX)
        return;
    latency->samples[(latency->first + latency->n++) % DURABLE_SAMPLES_MAX] =
        (DurableSample){position, captured};
}

void durable_latency_acknowledge(DurableLatency *latency, StoreRole role, uint64_t position, Wall now) {
    if (position <= latency->acknowledged[role])
        return; /* a store whose disk was replaced begins again from behind: no news of the others' samples */
    latency->acknowledged[role] = position;
    const uint64_t *all = latency->acknowledged;
    uint64_t both =
        all[STORE_ROLE_PRIMARY] < all[STORE_ROLE_REPLICA] ? all[STORE_ROLE_PRIMARY] : all[STORE_ROLE_REPLICA];
    while (latency->n > 0 && latency->samples[latency->first].position <= both) {
        Wall captured = latency->samples[latency->first].captured;
        count(&latency->now, now.usec > captured.usec ? now.usec - captured.usec : 0);
        latency->first = (latency->first + 1) % DURABLE_SAMPLES_MAX;
        latency->n--;
    }
}

/* --- the window --- */

void durable_latency_turn(DurableLatency *latency) {
    latency->before = latency->now;
    latency->now = (DurableHistogram){0};
}

uint64_t durable_latency_count(const DurableLatency *latency) {
    return latency->now.n + latency->before.n;
}

uint64_t durable_latency_quantile(const DurableLatency *latency, double quantile) {
    double n_wanted = quantile * (double)durable_latency_count(latency);
    uint64_t n_seen = 0;
    size_t last = 0;
    for (size_t i = 0; i < DURABLE_BUCKETS; i++) {
        uint64_t n_here = (uint64_t)latency->now.counts[i] + latency->before.counts[i];
        if (n_here == 0)
            continue;
        n_seen += n_here;
        last = i;
        if ((double)n_seen >= n_wanted)
            break;
    }
    return bucket_end(last);
}
