/* Records that wait, in order: a ring of byte strings that grows as needed and knows how many bytes it
 * holds. */
#pragma once

#include <stddef.h>

typedef struct HeldRecord {
    char *bytes; /* owned by the ring */
    size_t size;
} HeldRecord;

typedef struct HeldRecords {
    HeldRecord *places;
    size_t n_places, first, n;
    size_t n_bytes;
} HeldRecords;

/* Copies the bytes to the end. 0 or -ENOMEM. Amortised constant cost. */
int held_records_push(HeldRecords *held, const char *bytes, size_t size);

/* The first record, or NULL; borrowed until it is popped. */
const HeldRecord *held_records_first(const HeldRecords *held);
void held_records_pop(HeldRecords *held);

/* Frees everything; the ring is empty and usable again. */
void held_records_clear(HeldRecords *held);
