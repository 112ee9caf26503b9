#include "durable-latency.h"

#include "base/log-buckets.h"

void durable_latency_init(DurableLatency *latency) {
    *latency = (DurableLatency){0};
}

static void count(DurableHistogram *histogram, uint64_t usec) {
    size_t bucket = log_bucket_of(usec, DURABLE_STEP_BITS);
    histogram->counts[bucket < DURABLE_BUCKETS ? bucket : DURABLE_BUCKETS - 1]++;
    histogram->n++;
}

/* --- samples --- */

void durable_latency_put(DurableLatency *latency, uint64_t position, Wall captured) {
    captures_put(&latency->captures, position, captured);
}

void durable_latency_acknowledge(DurableLatency *latency, StoreRole role, uint64_t position, Wall now) {
    if (position <= latency->acknowledged[role])
        return; /* a store whose disk was replaced begins again from behind: no news of the others' samples */
    latency->acknowledged[role] = position;
    const uint64_t *all = latency->acknowledged;
    uint64_t both =
        all[STORE_ROLE_PRIMARY] < all[STORE_ROLE_REPLICA] ? all[STORE_ROLE_PRIMARY] : all[STORE_ROLE_REPLICA];
    Wall captured;
    while (captures_take(&latency->captures, both, &captured))
        count(&latency->now, now.usec > captured.usec ? now.usec - captured.usec : 0);
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
    return log_bucket_end(last, DURABLE_STEP_BITS);
}
