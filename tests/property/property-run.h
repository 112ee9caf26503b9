/* How much a property program tries, and with which luck, both from its environment and told on its first line:
 *
 *     TRAFFIC_PROPERTY_STEPS=1000000000   how many steps; the program says how many by default
 *     TRAFFIC_PROPERTY_SEED=1             repeat a run (default: a new seed)
 */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What is no number ends the program: a run of another size or seed than was meant shows nothing. */
static inline uint64_t property_number(const char *name, uint64_t by_default) {
    const char *text = getenv(name);
    if (!text)
        return by_default;
    char *end;
    const uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end != '\0') {
        fprintf(stderr, "%s=%s: expected a whole number\n", name, text);
        exit(2);
    }
    return number;
}

/* Takes both from the environment; `*steps` comes with the default. */
static inline void property_begin(uint64_t *steps, uint64_t *seed) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *steps = property_number("TRAFFIC_PROPERTY_STEPS", *steps);
    *seed = property_number("TRAFFIC_PROPERTY_SEED", (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec);
    printf("TRAFFIC_PROPERTY_SEED=%" PRIu64 " TRAFFIC_PROPERTY_STEPS=%" PRIu64 "\n", *seed, *steps);
    fflush(stdout);
}
