/* Random numbers that can be repeated: the same seed gives the same numbers on every machine. Not for
 * secrets.
 *
 * The generator is xoshiro256** (Blackman and Vigna, 2018), its state filled by SplitMix64 as its authors
 * advise. Knows no clock and no system randomness: the caller brings the seed. */
#pragma once

#include <stdint.h>

typedef struct Random {
    uint64_t state[4];
} Random;

/* `stream` tells apart generators of one seed (one per sensor, say): their numbers are unrelated. */
Random random_seeded(uint64_t seed, uint64_t stream);

uint64_t random_next(Random *random);

/* 0 to limit - 1, every value equally likely. limit 0 gives 0. */
uint64_t random_below(Random *random, uint64_t limit);

/* At least 0, below 1: 53 bits. */
double random_unit(Random *random);

/* From `min` to `max`. */
double random_between(Random *random, double min, double max);

/* Whole number from `min` to `max`, both included. */
int64_t random_integer(Random *random, int64_t min, int64_t max);
