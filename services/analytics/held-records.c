/* A ring that doubles when it is full. */
#include "held-records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_AT_FIRST = 64 };

static int grow(HeldRecords *held) {
    size_t n_places = held->n_places == 0 ? PLACES_AT_FIRST : held->n_places * 2;
    HeldRecord *places = calloc(n_places, sizeof *places);
    if (!places)
        return -ENOMEM;
    for (size_t i = 0; i < held->n; i++)
        places[i] = held->places[(held->first + i) % held->n_places];
    free(held->places);
    held->places = places;
    held->n_places = n_places;
    held->first = 0;
    return 0;
}

int held_records_push(HeldRecords *held, const char *bytes, size_t size) {
    if (held->n == held->n_places) {
        int r = grow(held);
        if (r < 0)
            return r;
    }
    char *copy = malloc(size);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, bytes, size);
    held->places[(held->first + held->n) % held->n_places] = (HeldRecord){copy, size};
    held->n++;
    held->n_bytes += size;
    return 0;
}

const HeldRecord *held_records_first(const HeldRecords *held) {
    return held->n == 0 ? NULL : &held->places[held->first];
}

void held_records_pop(HeldRecords *held) {
    HeldRecord *record = &held->places[held->first];
    held->n_bytes -= record->size;
    free(record->bytes);
    held->first = (held->first + 1) % held->n_places;
    held->n--;
}

void held_records_clear(HeldRecords *held) {
    while (held->n > 0)
        held_records_pop(held);
    free(held->places);
    *held = (HeldRecords){0};
}
