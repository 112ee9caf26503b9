#include "log-buckets.h"

size_t log_bucket_of(uint64_t value, unsigned bits) {
    uint64_t n_steps = UINT64_C(1) << bits;
    if (value < n_steps)
        return value;
    unsigned highest = 63 - (unsigned)__builtin_clzll(value);
    return (size_t)(highest - bits + 1) * n_steps + ((value >> (highest - bits)) & (n_steps - 1));
}

uint64_t log_bucket_end(size_t bucket, unsigned bits) {
    uint64_t n_steps = UINT64_C(1) << bits;
    if (bucket < n_steps)
        return bucket;
    unsigned shift = (unsigned)(bucket / n_steps) - 1;
    return ((n_steps + bucket % n_steps + 1) << shift) - 1;
}
