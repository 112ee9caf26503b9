/* A ring in the order of numbers, so that the first one behind a number is found by halving. */
#include "past-changes.h"

#include <errno.h>
#include <stdlib.h>

typedef struct PastChange {
    SignalReport report;
    bool was_told;
} PastChange;

struct PastChanges {
    PastChange *places;
    size_t capacity, first, n;
};

int past_changes_new(size_t capacity, PastChanges **ret) {
    scoped(past_changes_freep) PastChanges *past = calloc(1, sizeof *past);
    if (!past)
        return -ENOMEM;
    past->places = calloc(capacity, sizeof *past->places);
    if (!past->places)
        return -ENOMEM;
    past->capacity = capacity;
    *ret = take(past);
    return 0;
}

PastChanges *past_changes_free(PastChanges *past) {
    if (past) {
        free(past->places);
        free(past);
    }
    return NULL;
}

static PastChange *place_of(const PastChanges *past, size_t i) {
    return &past->places[(past->first + i) % past->capacity];
}

bool past_changes_keep(PastChanges *past, const SignalReport *report, bool was_told) {
    const bool is_full = past->n == past->capacity;
    const bool is_forgotten = is_full && !place_of(past, 0)->was_told;
    if (is_full)
        past->first = (past->first + 1) % past->capacity;
    else
        past->n++;
    *place_of(past, past->n - 1) = (PastChange){*report, was_told};
    return is_forgotten;
}

const SignalReport *past_changes_after(PastChanges *past, int64_t sequence) {
    size_t low = 0,
           high = past->n; /* those below `low` are not behind the number, those from `high` on are */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (place_of(past, middle)->report.sequence > sequence)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == past->n)
        return NULL;
    place_of(past, low)->was_told = true;
    return &place_of(past, low)->report;
}
