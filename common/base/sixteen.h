/* Sixteen bytes of text at once, as GNU C spells what every processor of today has registers for. */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char Sixteen __attribute__((vector_size(16)));

static inline Sixteen sixteen_at(const void *bytes) {
    Sixteen sixteen;
    memcpy(&sixteen, bytes, sizeof sixteen);
    return sixteen;
}

/* The place of the first byte that is marked: as a comparison marks, all its bits or none. 16 when none is. */
static inline size_t sixteen_first(Sixteen marked) {
    typedef uint64_t Halves __attribute__((vector_size(16)));
    Halves halves = (Halves)marked;
    uint64_t low = le64toh(halves[0]), high = le64toh(halves[1]);
    if (low)
        return (unsigned)__builtin_ctzll(low) / 8;
    return high ? 8 + (unsigned)__builtin_ctzll(high) / 8 : 16;
}
