#include "core/random.h"

/* One step of SplitMix64: a bijection of 64 bits, so distinct inputs stay distinct. */
static uint64_t split_mix(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

Random random_seeded(uint64_t seed, uint64_t stream) {
    uint64_t mixed_seed = seed;
    uint64_t state = split_mix(&mixed_seed) ^ (stream * UINT64_C(0xD1342543DE82EF95));
    Random random;
    for (int i = 0; i < 4; i++)
        random.state[i] = split_mix(&state);
    return random;
}

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

uint64_t random_next(Random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(Random *random, uint64_t limit) {
    if (limit == 0)
        return 0;
    /* numbers below 2^64 mod limit would make the low remainders likelier: draw again */
    uint64_t unfair = (UINT64_C(0) - limit) % limit;
    uint64_t drawn = random_next(random);
    while (drawn < unfair)
        drawn = random_next(random);
    return drawn % limit;
}

double random_unit(Random *random) {
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

double random_between(Random *random, double min, double max) {
    return min + (max - min) * random_unit(random);
}

int64_t random_integer(Random *random, int64_t min, int64_t max) {
    return min + (int64_t)random_below(random, (uint64_t)(max - min) + 1);
}
