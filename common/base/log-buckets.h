/* The buckets of a log-linear histogram: 2^bits equal steps for each doubling, so that every value is known to a
 * share of 1 / 2^bits. Values below 2^bits have a bucket each. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The bucket that `value` falls into. bits: 1..8. */
size_t log_bucket_of(uint64_t value, unsigned bits);

/* The greatest value that falls into the bucket. */
uint64_t log_bucket_end(size_t bucket, unsigned bits);
