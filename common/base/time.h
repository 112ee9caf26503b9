/* Two clocks that must never be mixed, as two struct types: Mono for every timeout and duration, Wall for
 * people and for what crosses the wire. Nobody below the service skeleton reads a clock: both arrive as
 * parameters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_FOREVER  UINT64_MAX

/* Microseconds of CLOCK_MONOTONIC (or of a simulator's clock). */
typedef struct Mono {
    uint64_t usec;
} Mono;

/* Microseconds since 1970-01-01T00:00:00Z. */
typedef struct Wall {
    uint64_t usec;
} Wall;

/*@ assigns \nothing;
    ensures \result.usec == \min(t.usec + usec, USEC_FOREVER); */
static inline Mono mono_after(Mono t, uint64_t usec) {
    return (Mono){usec > USEC_FOREVER - t.usec ? USEC_FOREVER : t.usec + usec};
}

/* Microseconds from `earlier` to `later`; 0 when they are the other way round. */
/*@ assigns \nothing;
    ensures \result == \max(later.usec - earlier.usec, 0); */
static inline uint64_t mono_between(Mono earlier, Mono later) {
    return later.usec > earlier.usec ? later.usec - earlier.usec : 0;
}

static inline bool mono_reached(Mono now, Mono deadline) {
    return now.usec >= deadline.usec;
}

/*@ assigns \nothing;
    ensures \result.usec == \min(a.usec, b.usec); */
static inline Mono mono_min(Mono a, Mono b) {
    return a.usec < b.usec ? a : b;
}

/*@ assigns \nothing;
    ensures \result.usec == \max(a.usec, b.usec); */
static inline Mono mono_max(Mono a, Mono b) {
    return a.usec > b.usec ? a : b;
}

/*@ assigns \nothing;
    ensures \result.usec == USEC_FOREVER; */
static inline Mono mono_never(void) {
    return (Mono){USEC_FOREVER};
}

/*@ assigns \nothing;
    ensures \result != 0 <==> t.usec == USEC_FOREVER; */
static inline bool mono_is_never(Mono t) {
    return t.usec == USEC_FOREVER;
}

static inline uint64_t usec_from_sec(double seconds) {
    return seconds <= 0 ? 0 : (uint64_t)(seconds * (double)USEC_PER_SEC + 0.5);
}
